"""How it stands with a service: the states of an account, and the error that says why nothing was fetched."""

from __future__ import annotations

import shlex
from enum import StrEnum

from bedrot.errors import BedrotError


class State(StrEnum):
    """How it stands with an account at a service after the last time that it was asked."""

    FRESH = "fresh"
    PROVISIONAL = "provisional"
    EXPIRING = "expiring"
    NO_DATA = "no data yet"
    EXPIRED = "expired"
    CHALLENGED = "challenged"
    WRONG_ACCOUNT = "wrong account"
    FORBIDDEN = "forbidden"
    CHANGED = "portal changed"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"

    @property
    def good(self) -> bool:
        """Whether what was asked for came."""
        return self in _GOOD

    @property
    def locked(self) -> bool:
        """Whether the service is not asked again before a person has logged in."""
        return self in _LOCKED

    @property
    def needs_person(self) -> bool:
        """Whether nothing but a person helps, now or soon."""
        return self.locked or self in {State.EXPIRING, State.CHANGED}


_GOOD = frozenset({State.FRESH, State.PROVISIONAL, State.EXPIRING, State.NO_DATA})
_LOCKED = frozenset({State.EXPIRED, State.CHALLENGED, State.WRONG_ACCOUNT, State.FORBIDDEN})


class NotFetched(BedrotError):
    """A service gave nothing that can be kept: the state says why, `rest` for how many seconds not to ask again."""

    exit_code = 1
    verdict = "not fetched"

    def __init__(self, state: State, sentence: str, do: str = "", *, rest: int = 0) -> None:
        super().__init__(sentence, do)
        self.state = state
        self.rest = rest


def logged_out() -> NotFetched:
    """The service does not take the log-in any more."""
    return NotFetched(State.EXPIRED, "The log-in is over: the service wants to see it again.", "Log in again.")


def challenged() -> NotFetched:
    """The service wants to see a person before it goes on."""
    return NotFetched(State.CHALLENGED, "The service wants to see that you are a person.", "Log in again.")


def over_budget(requests: int) -> NotFetched:
    """More was asked than a fetch may."""
    return NotFetched(State.CHANGED, f"This would take more than {requests} requests, which no fetch should.")


def command(verb: str, source: str, account: str) -> str:
    """A command about an account, as it can be pasted."""
    return f"bedrot {verb} {source} --account {shlex.quote(account)}"


def forbidden() -> NotFetched:
    """The log-in is good, and lacks a right."""
    return NotFetched(
        State.FORBIDDEN, "The service does not let this account see that.", "Give it the right, then log in again."
    )
