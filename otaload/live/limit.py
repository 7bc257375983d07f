"""When a breakpoint run has gone past the service's limit.

A slice of ten seconds is bad if p95 or the error ratio of an endpoint, or of all requests, lies
above its fail limit. Four bad slices in a row end the run, and so does one with more than half of
its requests failed; a single bad slice does not, since blips are common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.limits import ALL_REQUESTS, Metric
from analysis.thresholds import Thresholds
from otaload.live.tail import Tail, merge
from otaload.record import Window

SLICE_S = 10.0
BAD_SLICES = 4
HOPELESS_ERROR_RATIO = 0.5
SETTLE_S = 3.0
"""How long after its end a slice is judged, so that workers' reports and slow answers are in."""


@dataclass(frozen=True)
class FailLimits:
    """The fail limits of one endpoint or of all requests; None where there is none."""

    p95_ms: float | None
    error_ratio: float | None


def fail_limits(thresholds: Thresholds) -> dict[str, FailLimits]:
    """The fail limits by endpoint, and by `ALL_REQUESTS` for all requests together."""

    def bound(endpoint: str | None, metric: str) -> float | None:
        limits = thresholds.limits_of(endpoint, Metric(metric))
        return None if limits is None or limits.fail_above is None else limits.fail_above.value

    return {
        endpoint or ALL_REQUESTS: FailLimits(bound(endpoint, "p95"), bound(endpoint, "error_rate"))
        for endpoint in (None, *thresholds.endpoints)
    }


@dataclass(frozen=True)
class Found:
    """The limit: the most users with no bad slice, why the run ended, and since when it was bad.

    `limit_users` is None where already the first slice was bad; `bad_from_s` is in seconds after
    the start of the run.
    """

    limit_users: int | None
    reason: str
    bad_from_s: float

    def as_json(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {"limit_users": self.limit_users, "reason": self.reason, "at_s": self.bad_from_s}


class LimitRule:
    """Judges a run slice by slice; its durations shrink with `time_scale`."""

    def __init__(self, limits: Mapping[str, FailLimits], *, time_scale: float = 1.0) -> None:
        self._limits = limits
        self.slice_s = max(1, round(SLICE_S * time_scale))
        self.settle_s = max(1.0, SETTLE_S * time_scale)
        self._next_s = 0
        self._bad_in_a_row = 0
        self._bad_from_s = 0.0
        self._good_users: int | None = None

    def watch(
        self, tail: Tail, *, start_s: float, now_s: float, users_at: Callable[[float], int | None]
    ) -> Found | None:
        """Judge the slices that have settled since the last call; answers once the limit is found.

        `users_at` plans the users for seconds after the start.
        """
        while start_s + self._next_s + self.slice_s + self.settle_s <= now_s:
            begin_s = self._next_s
            self._next_s += self.slice_s
            first = int(start_s) + begin_s
            users = users_at(begin_s) or 0
            found = self.see(tail.between(first, first + self.slice_s), users, begin_s)
            if found is not None:
                return found
        return None

    def see(self, windows: Mapping[str, Window], users: int, begin_s: float) -> Found | None:
        """Judge one slice that began at `begin_s` with some users; one without requests is skipped.

        Users count as good only below the first bad slice of the row that ends the run.
        """
        every = merge(windows.values())
        if not every.n:
            return None
        reason = self._why_bad({**windows, ALL_REQUESTS: every})
        if reason is None:
            self._bad_in_a_row = 0
            self._good_users = max(self._good_users or 0, users)
            return None
        if not self._bad_in_a_row:
            self._bad_from_s = begin_s
        self._bad_in_a_row += 1
        if every.failures.n > HOPELESS_ERROR_RATIO * every.n:
            reason = f"{every.failures.n / every.n:.0%} of all requests failed"
        elif self._bad_in_a_row < BAD_SLICES:
            return None
        return Found(self._good_users, reason, self._bad_from_s)

    def _why_bad(self, windows: Mapping[str, Window]) -> str | None:
        for endpoint, window in windows.items():
            limits = self._limits.get(endpoint)
            if limits is None or not window.n:
                continue
            ratio = window.failures.n / window.n
            if limits.error_ratio is not None and ratio > limits.error_ratio:
                return f"{endpoint}: {ratio:.2%} of the requests failed"
            p95_us = window.successes.quantile_us(0.95)
            if limits.p95_ms is not None and p95_us is not None and p95_us > limits.p95_ms * 1000:
                return f"{endpoint}: p95 of {p95_us / 1000:.0f} ms"
        return None
