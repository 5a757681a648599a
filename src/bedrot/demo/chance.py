"""Chance that gives the same everywhere: whole numbers only, from SplitMix64, keyed by a seed and names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
Item = TypeVar("Item")


def mixed(number: int) -> int:
    """A number of 64 bits in which every bit depends on every bit of the given one (SplitMix64's last step)."""
    number &= _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def keyed(*key: str | int) -> int:
    """A number of 64 bits that belongs to these names and to no others."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()[:8], "big")


class Chance:
    """A row of numbers that belongs to a key: equal keys give equal rows, on every machine and Python."""

    def __init__(self, *key: str | int) -> None:
        self._state = keyed(*key)

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1."""
        self._state = (self._state + _STEP) & _MASK
        return (mixed(self._state) * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible."""
        return low + self.below(high - low + 1)

    def happens(self, per_mille: int) -> bool:
        """True in so many of a thousand cases."""
        return self.below(1000) < per_mille

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in another order."""
        found = list(items)
        for place in range(len(found) - 1, 0, -1):
            other = self.below(place + 1)
            found[place], found[other] = found[other], found[place]
        return found
