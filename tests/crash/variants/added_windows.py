"""The values that newer pulls and snapshots of one scope restate are added up."""

from __future__ import annotations

from adding import adding

from bedrot.walk import fold_scopes

fold_scopes.states = adding(fold_scopes.states)
