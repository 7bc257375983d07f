"""When ten seconds of a breakpoint run are past the service's limit.

A slice of ten seconds is bad if p95 or the error ratio of an endpoint, or of all requests, lies
above its fail limit, and hopeless if more than half of its requests failed. What follows from bad
slices is the business of `otaload.live.search`.

Requests belong to the second in which they started, so a slice fills up for as long as its slowest
request takes, and may have to be judged again. One in which nothing has come back, though requests
must have been sent, is as bad as one can be. One in which arrivals found no free user had less load
than planned, so it is bad as well, whatever the requests were like that were sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from analysis.limits import ALL_REQUESTS, Metric
from analysis.thresholds import Thresholds
from otaload.live.tail import merge
from otaload.record import Window

SLICE_S = 10.0
HOPELESS_ERROR_RATIO = 0.5
SETTLE_S = 3.0
"""How long after its end a slice is first judged, so that workers' reports are in."""
MOST_MISSED_RATIO = 0.01
"""More arrivals without a free user than this share, and the level was not the load it says."""
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
class Slice:
    """What some seconds of constant load were like; `reason` is None unless they were bad.

    `begin_s` is in seconds after the start of the run; `endpoint` is where the reason lies.
    `short_of_users` says that the reason is arrivals that found no free user.
    """

    begin_s: float
    n: int
    reason: str | None = None
    endpoint: str | None = None
    hopeless: bool = False
    short_of_users: bool = False


class SliceRule:
    """Judges slices against fail limits; their length shrinks with `time_scale`."""

    def __init__(self, limits: Mapping[str, FailLimits], *, time_scale: float = 1.0) -> None:
        self._limits = limits
        self.slice_s = max(1, round(SLICE_S * time_scale))
        self.settle_s = max(1.0, SETTLE_S * time_scale)

    def judge(
        self,
        begin_s: float,
        windows: Mapping[str, Window],
        *,
        expected: float,
        missed_ratio: float = 0.0,
    ) -> Slice:
        """The slice of these windows, in which about so many requests must have been sent.

        `missed_ratio` is the share of its arrivals that found no free user.
        """
        every = merge(windows.values())
        if not every.n:
            if expected < ENOUGH_TO_BE_MISSED:
                return Slice(begin_s, 0)
            return Slice(begin_s, 0, "not one request was answered", ALL_REQUESTS)
        if every.failures.n > HOPELESS_ERROR_RATIO * every.n:
            worst = max(windows, key=lambda endpoint: windows[endpoint].failures.n)
            reason = f"{every.failures.n / every.n:.0%} of all requests failed"
            return Slice(begin_s, every.n, reason, worst, hopeless=True)
        own = [
            (*excess, endpoint)
            for endpoint, window in windows.items()
            if (excess := self._excess(endpoint, self._limits.get(endpoint), window))
        ]
        if own:
            _, reason, endpoint = max(own)
            return Slice(begin_s, every.n, reason, endpoint)
        limits = self._limits.get(ALL_REQUESTS)
        excess = self._excess(ALL_REQUESTS, limits, every)
        if excess is None:
            if missed_ratio > MOST_MISSED_RATIO:
                reason = (
                    f"{missed_ratio:.0%} of the arrivals found no free user: raise max_users, or "
                    "the service is past its limit"
                )
                return Slice(begin_s, every.n, reason, short_of_users=True)
            return Slice(begin_s, every.n)
        # Held against the limit of all requests, one endpoint has the greatest part in it.
        parts = {e: self._excess(e, limits, window) for e, window in windows.items()}
        worst = max(parts, key=lambda e: part[0] if (part := parts[e]) else 0.0)
        return Slice(begin_s, every.n, excess[1], worst)

    def _excess(
        self, endpoint: str, limits: FailLimits | None, window: Window
    ) -> tuple[float, str] | None:
        """By which factor a window is above a fail limit, and in words; None where it is not."""
        if limits is None or not window.n:
            return None
        found = []
        ratio = window.failures.n / window.n
        if limits.error_ratio is not None and ratio > limits.error_ratio:
            # A limit of zero is passed by an infinite factor.
            factor = ratio / limits.error_ratio if limits.error_ratio else math.inf
            found.append((factor, f"{endpoint}: {ratio:.2%} of the requests failed"))
        p95_us = _p95_us(window)
        if limits.p95_ms is not None and p95_us is not None and p95_us > limits.p95_ms * 1000:
            factor = p95_us / (limits.p95_ms * 1000)
            found.append((factor, f"{endpoint}: p95 of {p95_us / 1000:.0f} ms"))
        return max(found, default=None)


def _p95_us(window: Window) -> float | None:
    """The p95; of few requests, the second slowest: a single slow one is no slow service."""
    n = window.successes.n
    return window.successes.quantile_us(min(0.95, 1 - 1 / n)) if n > 1 else None
