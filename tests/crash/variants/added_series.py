"""The values that newer exports of a dated series restate are added up."""

from __future__ import annotations

from adding import adding

from bedrot.walk import fold_rows

fold_rows.states = adding(fold_rows.states)
