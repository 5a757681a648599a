"""A process that is asked to stop waits for its workers, however long they take."""

from __future__ import annotations

from bedrot.commands import stop

stop.PATIENCE = 10_000.0
