"""When a breakpoint run has gone past the service's limit.

A slice of ten seconds is bad if p95 or the error ratio of an endpoint, or of all requests, lies
above its fail limit. Four bad slices in a row end the run, and so does one with more than half of
its requests failed; a single bad slice does not, since blips are common.

Requests belong to the second in which they started, so a slice fills up for as long as its slowest
request takes. Slices are therefore judged again and again while they are in memory; one in which
nothing has come back, though users were there, is as bad as one can be.
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
"""How long after its end a slice is first judged, so that workers' reports are in."""
ENOUGH_TO_BE_MISSED = 10
"""So many expected requests make it no chance that none was answered."""


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


@dataclass
class _Slice:
    begin_s: float
    users: int
    reason: str | None = None
    hopeless: bool = False


class LimitRule:
    """Judges a run slice by slice; its durations shrink with `time_scale`.

    `think_s` is a user's mean time between two iterations.
    """

    def __init__(
        self, limits: Mapping[str, FailLimits], *, time_scale: float = 1.0, think_s: float = 2.0
    ) -> None:
        self._limits = limits
        self._think_s = think_s
        self.slice_s = max(1, round(SLICE_S * time_scale))
        self.settle_s = max(1.0, SETTLE_S * time_scale)
        self._slices: list[_Slice] = []

    def watch(
        self,
        tail: Tail,
        *,
        start_s: float,
        now_s: float,
        users_at: Callable[[float], int | None],
        settled: bool = False,
    ) -> Found | None:
        """Judge all slices that are over; answers once the limit is found.

        `users_at` plans the users for seconds after the start. With `settled`, nothing can come any
        more, and the slices need no time to settle.
        """
        settle_s = 0.0 if settled else self.settle_s
        while start_s + (len(self._slices) + 1) * self.slice_s + settle_s <= now_s:
            begin_s = float(len(self._slices) * self.slice_s)
            self._slices.append(_Slice(begin_s, users_at(begin_s) or 0))
        for one in self._slices:
            first = int(start_s + one.begin_s)
            if first >= now_s - tail.keep_s:
                self._judge(one, tail.between(first, first + self.slice_s))
        return self._find()

    def _judge(self, one: _Slice, windows: Mapping[str, Window]) -> None:
        every = merge(windows.values())
        if not every.n:
            expected = one.users * self.slice_s / self._think_s
            if expected >= ENOUGH_TO_BE_MISSED:
                one.reason = "not one request was answered"
            return
        one.reason = self._why_bad({**windows, ALL_REQUESTS: every})
        one.hopeless = every.failures.n > HOPELESS_ERROR_RATIO * every.n
        if one.hopeless:
            one.reason = f"{every.failures.n / every.n:.0%} of all requests failed"

    def _find(self) -> Found | None:
        """The first row of slices that is bad enough; users count as good only below it."""
        row: list[_Slice] = []
        good: int | None = None
        for one in self._slices:
            if one.reason is None:
                good = max(good or 0, one.users)
                row = []
                continue
            row.append(one)
            if one.hopeless or len(row) == BAD_SLICES:
                return Found(good, one.reason, row[0].begin_s)
        return None

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
