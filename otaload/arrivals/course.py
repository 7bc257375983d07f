"""Which arrivals a process takes: every n-th of all, so that n processes stagger evenly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otaload.arrivals.curve import Curve


@dataclass(frozen=True, slots=True)
class _Share:
    first: int
    """The number of the first arrival that it applies to."""
    index: int
    count: int


class Course:
    """One process's way through the arrivals of a curve.

    A share says "from this moment on you are number `index` of `count`". All processes work out
    from the same moment the same arrival, so that a change of shares neither drops one nor hands it
    out twice.
    """

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._shares: list[_Share] = []
        self._passed = 0
        """Every arrival below this number has come, or is not ours."""
        self._number = 0
        self._due_s: float | None = None

    @property
    def due_s(self) -> float | None:
        """When the next arrival of this process is due; None where none is known of."""
        return self._due_s

    def share(self, from_s: float, *, index: int, count: int) -> None:
        """From a moment on, take the arrivals whose number modulo `count` is `index`."""
        first = self._curve.number_at(from_s)
        self._shares = [share for share in self._shares if share.first < first]
        self._shares.append(_Share(first, index, count))
        self._seek()

    def replan(self, curve: Curve) -> None:
        """Go on by another curve, which must be the same up to now."""
        self._curve = curve
        self._seek()

    def advance(self) -> None:
        """The next arrival has come; go on to the one after it."""
        self._passed = self._number + 1
        self._seek()

    def _seek(self) -> None:
        shares = self._shares
        # What has been passed is passed; only the share in force and those after it still matter.
        while len(shares) > 1 and shares[1].first <= self._passed:
            del shares[0]
        for at, share in enumerate(shares):
            end = shares[at + 1].first if at + 1 < len(shares) else math.inf
            number = max(self._passed, share.first)
            number += (share.index - number) % share.count
            if number < end:
                self._number = number
                self._due_s = self._curve.due_s(number)
                return
        self._due_s = None
