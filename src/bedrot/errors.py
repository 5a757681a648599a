"""Errors, one class for each thing that a person can do next.

Each error is a sentence that a musician understands, the place concerned (file, line, heading) and what to do.
"""

from __future__ import annotations

STUMBLES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What code that looks at bytes of others may raise, where nobody has thought of them."""


class BedrotError(Exception):
    """Something went wrong that a person can act on; `do` says how."""

    exit_code = 2
    verdict = "failed"

    def __init__(
        self,
        sentence: str,
        do: str = "",
        *,
        file: str = "",
        line: int | None = None,
        heading: str = "",
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.do = do
        self.file = file
        self.line = line
        self.heading = heading

    def __str__(self) -> str:
        """The place, the sentence and the next action, in one line."""
        place = ", ".join(
            part
            for part in (
                self.file,
                f"line {self.line}" if self.line is not None else "",
                f"heading '{self.heading}'" if self.heading else "",
            )
            if part
        )
        said = f"{place}: {self.sentence}" if place else self.sentence
        return f"{said} {self.do}" if self.do else said


class Refused(BedrotError):
    """A file is not what it should be: give another one."""

    exit_code = 1
    verdict = "refused"


class Unrecognised(BedrotError):
    """No feed knows the file: check that it is the right download."""

    exit_code = 1
    verdict = "unrecognised"


class NeedsTelling(BedrotError):
    """The file waits for a fact that only a person knows (account, export date)."""

    exit_code = 1
    verdict = "waiting"


class PrivateFile(BedrotError):
    """The file carries a secret or personal data: it is copied nowhere."""

    exit_code = 1
    verdict = "private"


class Misconfigured(BedrotError):
    """`bedrot.toml`, an option or the place is wrong: correct it and try again."""


class Busy(BedrotError):
    """Another process writes to the lake: wait for it."""


class Damaged(BedrotError):
    """Bytes in the lake are not what they were: verify, then restore."""


class StorageFailed(BedrotError):
    """The disk refused a write (full, read-only, failing): nothing was published."""


class Defect(BedrotError):
    """The program contradicts itself (a contract, a mart): report it."""
