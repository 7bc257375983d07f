"""What became of arrivals, counted by the second in which they were due."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """A sum over arrivals, so that seconds and processes add up with `+=`.

    `planned` = `started` + `missed`, but for those that the end of the run cut off between the two.
    """

    planned: int = 0
    started: int = 0
    missed: int = 0
    """No user of their class was free."""
    lag_sum_s: float = 0.0
    """How late those that were started began, in all; the generator's fault, not the service's."""
    lag_max_s: float = 0.0
    busy: int = 0
    """The most users that were at work at once."""

    def __iadd__(self, other: Counts) -> Counts:
        self.planned += other.planned
        self.started += other.started
        self.missed += other.missed
        self.lag_sum_s += other.lag_sum_s
        self.lag_max_s = max(self.lag_max_s, other.lag_max_s)
        self.busy = max(self.busy, other.busy)
        return self

    def as_json(self) -> dict[str, float]:
        """As a line of `users.jsonl` has it; lags in ms."""
        return {
            "planned": self.planned,
            "started": self.started,
            "missed": self.missed,
            "lag_sum_ms": round(self.lag_sum_s * 1000, 3),
            "lag_max_ms": round(self.lag_max_s * 1000, 3),
            "busy": self.busy,
        }
