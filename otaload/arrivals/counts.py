"""What became of arrivals, counted by the second in which they were due."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
    missed_by: dict[str, int] = field(default_factory=dict)
    """The missed ones by user class."""

    def miss(self, name: str) -> None:
        """Count an arrival that found no free user of a class."""
        self.missed += 1
        self.missed_by[name] = self.missed_by.get(name, 0) + 1

    def __iadd__(self, other: Counts) -> Counts:
        self.planned += other.planned
        self.started += other.started
        self.missed += other.missed
        self.lag_sum_s += other.lag_sum_s
        self.lag_max_s = max(self.lag_max_s, other.lag_max_s)
        self.busy = max(self.busy, other.busy)
        for name, missed in other.missed_by.items():
            self.missed_by[name] = self.missed_by.get(name, 0) + missed
        return self

    def as_json(self) -> dict[str, Any]:
        """As a line of `users.jsonl` has it; lags in ms."""
        return {
            "planned": self.planned,
            "started": self.started,
            "missed": self.missed,
            "lag_sum_ms": round(self.lag_sum_s * 1000, 3),
            "lag_max_ms": round(self.lag_max_s * 1000, 3),
            "busy": self.busy,
            **({"missed_by": self.missed_by} if self.missed_by else {}),
        }
