"""Why no browser could be started, as a sentence for a person."""

from __future__ import annotations

import re

from bedrot.errors import Misconfigured

_REASONS = tuple(
    map(re.compile, (r"FATAL:[^\]]*\] *(.+)", r"║ +(\w.*?) *║", r"launch: (?!Target page)(.+)", r"\[err\] (.+)"))
)
"""Where a browser that does not start says why, the best first."""
_PLACE = re.compile(r"""(?<!\w)(?:[A-Za-z]:)?[\\/].*?(?= E[A-Z]+\b|['"]|$)""")
_LONGEST = 200
_CURES = {
    "Socket path too long": "Set TMPDIR to a folder with a short path, then try again.",
    "XServer": "A window needs a screen: do this on a computer that has one.",
}
"""What to do, by what is said."""


def unstarted(said: str) -> Misconfigured:
    """What it means that no browser could be started, by what was said then; where things lie is not told."""
    if "Executable doesn't exist" in said:
        return Misconfigured(
            "There is no browser that bedrot could open.", "Install Chromium or Chrome, then try again."
        )
    found = next((match[1] for one in _REASONS if (match := one.search(said))), "it ended and said nothing")
    why = _PLACE.sub("…", found)[:_LONGEST].rstrip(". ")
    do = next((do for sign, do in _CURES.items() if sign in said), "Start it by hand to see more, then try again.")
    return Misconfigured(f"There is a browser, but it could not be started: {why}.", do)
