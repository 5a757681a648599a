"""Ctrl-C and SIGTERM: a command that is asked to stop says so, lets go of what it holds, and ends by that signal.

Every write of the lake may be cut off at any call, so nothing has to be finished first. The exit code is the one that
shells and schedulers expect of a process that was stopped: 128 and the number of the signal (130, 143).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

PATIENCE = 3.0
"""Seconds for letting go; what still runs then (a worker in the middle of a big file) is cut off."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SENTENCE = "Stopped. What was acknowledged is safe; run the same command again to go on.\n"


class Stopped(BaseException):
    """Somebody asked the process to stop: no error, so that nothing that handles errors takes it for one."""


class Stoppable:
    """A context whose block ends when the process is asked to stop, however deep it is; the process ends with it.

    What the block raised does not matter then: the engine, for one, makes an error of its own of a signal. A signal
    that the process was started to ignore (`nohup`, a job in the background) stays ignored.
    """

    def __init__(self) -> None:
        self._asked: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asked is not None:
            self._end()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        """Unwind the block; asked a second time, the process ends at once."""
        self._asked = number
        for one in self._before:
            signal.signal(one, signal.SIG_DFL)
        # A finalizer that the signal came in the middle of would print a traceback, and pass over that we shall stop.
        sys.unraisablehook = lambda _told: None
        # The second one for a reader of our words who does not read any more, so that saying them takes for ever.
        for seconds, end in ((PATIENCE, self._end), (PATIENCE + 1, self._leave)):
            patience = threading.Timer(seconds, end)
            patience.daemon = True
            patience.start()
        raise Stopped

    def _end(self) -> None:
        """Say what is safe, and end."""
        with suppress(OSError, ValueError):  # nobody reads any more
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.write(_SENTENCE)
            sys.stderr.flush()
        self._leave()

    def _leave(self) -> None:
        """End as the signal ends a process; with its number where the system has no such end."""
        number = int(self._asked or signal.SIGTERM)
        if os.name != "nt":
            signal.raise_signal(number)
        os._exit(128 + number)
