"""By how much a worker's clock is behind the master's, and how its seconds are brought in line.

A message says when it was sent by its sender's clock, and cannot arrive before that. So each way
between worker and master gives one bound of the difference, whatever the network takes, and the two
together are as far apart as a message's way there and back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from otaload.live.reports import Report

CLOCK = "otaload_clock"
"""Locust message type, master to worker: the master's time."""
TOLD_EVERY = 10
"""Reports after which a worker is told the master's time again."""
WRONG_S = 0.75
"""A clock that is off by less is not corrected: seconds are whole, and half of one is rounding."""
CREEP = 0.001
"""Seconds a second by which clocks may part unnoticed; quartz does a twentieth of that."""
SET_S = 0.5
"""Bounds that contradict each other by more mean that somebody set a clock."""


@dataclass(kw_only=True)
class WorkerClock:
    """What the master knows of one worker's clock.

    `low_s` and `high_s` bound what must be added to the worker's time to get the master's;
    `shift_s` are the whole seconds that are added, and `times_set` counts jumps.
    """

    low_s: float = -math.inf
    high_s: float = math.inf
    shift_s: int = 0
    times_set: int = 0
    _at_s: float | None = None

    def hear(self, *, sent_s: float, heard_s: float | None, received_s: float) -> None:
        """Take a report in: sent by the worker's clock, received by the master's.

        `heard_s` is the master's time less the worker's when it last heard from the master.
        """
        low_s = -math.inf if heard_s is None else heard_s
        high_s = max(received_s - sent_s, low_s)
        creep_s = 0.0 if self._at_s is None else CREEP * abs(received_s - self._at_s)
        self._at_s = received_s
        kept_low_s, kept_high_s = self.low_s - creep_s, self.high_s + creep_s
        if low_s <= kept_high_s and kept_low_s <= high_s:
            self.low_s, self.high_s = max(low_s, kept_low_s), min(high_s, kept_high_s)
        else:
            if max(low_s - kept_high_s, kept_low_s - high_s) > SET_S:
                self.times_set += 1
            self.low_s, self.high_s = low_s, high_s
        if abs(self._nearest_to(self.shift_s) - self.shift_s) > WRONG_S:
            self.shift_s = round(self.offset_s or 0.0)

    @property
    def offset_s(self) -> float | None:
        """The best guess at what the worker's clock is behind; None where there is no bound."""
        if math.isfinite(self.low_s) and math.isfinite(self.high_s):
            return (self.low_s + self.high_s) / 2
        return next((bound for bound in (self.high_s, self.low_s) if math.isfinite(bound)), None)

    def notes(self) -> list[str]:
        """What a reader must know, of a worker's clock, after the worker's name."""
        notes = []
        offset_s = self.offset_s or 0.0
        if self.shift_s:
            notes.append(
                f"has a clock that is {abs(offset_s):.1f} s {'behind' if offset_s > 0 else 'ahead'}"
                "; its seconds are written as the master's"
            )
        if self.times_set:
            times = "once" if self.times_set == 1 else f"{self.times_set} times"
            notes.append(f"had its clock set {times} during the run; a second may be off around it")
        return notes

    def _nearest_to(self, value: float) -> float:
        return min(max(value, self.low_s), self.high_s)

    def aligned(self, report: Report) -> Report:
        """A report by the master's seconds."""
        shift_s = self.shift_s
        if not shift_s:
            return report
        return replace(
            report,
            windows=[(key._replace(second=key.second + shift_s), w) for key, w in report.windows],
            health=[{**row, "second": row["second"] + shift_s} for row in report.health],
        )
