"""When arrivals are due, as a pure function of the planned rate.

With N(t) the integral of the rate up to t, arrival k (from 0) is due where N(t) = k + 1/2: evenly
spaced, and in every stretch of time as many as the integral says, rounded. The half keeps arrivals
off the borders of seconds and stages, where rounding of floats would choose their side.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """A straight piece of the rate: arrivals per second at its start and its end.

    Times are seconds after the start of the run; one without an end (`math.inf`) is level.
    """

    start_s: float
    end_s: float
    from_per_s: float
    to_per_s: float

    def rate_at(self, elapsed_s: float) -> float:
        """Arrivals per second at a moment of the stretch."""
        if self.from_per_s == self.to_per_s or math.isinf(self.end_s):
            return self.to_per_s
        share = (elapsed_s - self.start_s) / (self.end_s - self.start_s)
        return self.from_per_s + share * (self.to_per_s - self.from_per_s)

    def count(self, elapsed_s: float) -> float:
        """The integral of the rate from its start to a moment of it."""
        if math.isinf(elapsed_s):
            return math.inf if self.to_per_s else 0.0
        return (elapsed_s - self.start_s) * (self.from_per_s + self.rate_at(elapsed_s)) / 2

    def time_of(self, count: float) -> float:
        """The moment at which the integral reaches a count (above 0) that lies in it."""
        slope = 0.0
        if not math.isinf(self.end_s):
            slope = (self.to_per_s - self.from_per_s) / (self.end_s - self.start_s)
        # The root of the quadratic in the form that does not cancel where the slope is small.
        under = max(0.0, self.from_per_s**2 + 2 * slope * count)
        return self.start_s + 2 * count / (self.from_per_s + math.sqrt(under))


class Curve:
    """Stretches end to end, from the start of the run, cut off at `end_s`."""

    def __init__(self, stretches: Iterable[Stretch], *, end_s: float = math.inf) -> None:
        self._stretches: list[Stretch] = []
        self._before: list[float] = []
        """The integral up to the start of each stretch."""
        self.total = 0.0
        for stretch in stretches:
            if stretch.start_s >= end_s or stretch.end_s <= stretch.start_s:
                continue
            cut = _between(stretch, stretch.start_s, end_s)
            self._stretches.append(cut)
            self._before.append(self.total)
            self.total += cut.count(cut.end_s)

    @property
    def arrivals(self) -> float:
        """How many arrivals there are; infinite for a rate that never ends."""
        return self.total if math.isinf(self.total) else _whole(self.total)

    def number_at(self, elapsed_s: float) -> int:
        """How many arrivals are due before a moment, which is the number of the next one."""
        for stretch, before in zip(reversed(self._stretches), reversed(self._before), strict=True):
            if elapsed_s > stretch.start_s:
                return _whole(before + stretch.count(min(elapsed_s, stretch.end_s)))
        return 0

    def due_s(self, number: int) -> float | None:
        """When an arrival is due, in seconds after the start; None beyond the last one."""
        if number >= self.arrivals:
            return None
        count = number + 0.5
        at = bisect_right(self._before, count) - 1
        while at > 0 and self._before[at] == count:  # due at the very end of the one before
            at -= 1
        return self._stretches[at].time_of(count - self._before[at])


def spliced(
    before: Iterable[Stretch], after: Iterable[Stretch], at_s: float
) -> tuple[Stretch, ...]:
    """One row of stretches up to a moment and another one from there on."""
    first = [_between(stretch, 0.0, at_s) for stretch in before if stretch.start_s < at_s]
    then = [_between(stretch, at_s, math.inf) for stretch in after if stretch.end_s > at_s]
    return (*first, *then)


def _between(stretch: Stretch, start_s: float, end_s: float) -> Stretch:
    start_s, end_s = max(stretch.start_s, start_s), min(stretch.end_s, end_s)
    to_per_s = stretch.to_per_s if math.isinf(end_s) else stretch.rate_at(end_s)
    return Stretch(start_s, end_s, stretch.rate_at(start_s), to_per_s)


def _whole(count: float) -> int:
    """How many of the points 1/2, 3/2, 5/2, … lie below a count."""
    return max(0, math.ceil(count - 0.5))
