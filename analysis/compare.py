"""Two groups of runs, and whether the second is slower or fails more than the first.

The run is the unit: windows inside one run share its machine, its hour and its incidents, so they
are not replicates.
Each run gives one p95, one p99 and one error rate; Welch's t interval is that of the difference of
the groups' means, of the logarithms for latencies.

Every figure that is looked at is a chance to call equal groups different.
So that a comparison as a whole does so in at most 6 %, its figures share these 6 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from analysis.figures import Figures
from analysis.limits import ALL_REQUESTS, Metric
from analysis.welch import mean_difference

LEAST_RUNS = 5
"""Runs a side below which there is a difference and no verdict."""
LEAST_CHANGE = 0.05
"""The relative change of a latency below which it is not worth a verdict."""
LEAST_ERROR_CHANGE = 0.0001
"""The same for error rates, as a ratio: the pass limit that `thresholds.yaml` ships with."""
POWER = 0.8
"""The chance with which a difference is shown that the comparison is said to be able to see."""
P95, P99, ERROR_RATE = Metric("p95"), Metric("p99"), Metric("error_rate")
LATENCIES = (P95, P99)
FALSE_ALARMS = {P95: 0.02, P99: 0.02, ERROR_RATE: 0.01}
"""How often each figure of all requests may call equal groups different."""
ENDPOINTS_FALSE_ALARMS = 0.01
"""How often any endpoint may, all of them together."""
_BUCKET_ERROR = 0.0039 / math.sqrt(3)
"""The standard deviation of ln p from the histogram's rounding, which is within 0.39 %."""


class _Scale(NamedTuple):
    """The scale that values are compared on, and the way back to what is shown.

    `level` turns a mean into a value, `change` a difference into a change; `inverse` undoes that.
    """

    level: Callable[[float], float]
    change: Callable[[float], float]
    inverse: Callable[[float], float]


_LOGARITHMIC = _Scale(math.exp, math.expm1, math.log1p)
_LINEAR = _Scale(float, float, float)


class Finding(StrEnum):
    """What a comparison found, of one figure or of all."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    NO_DIFFERENCE = "no difference shown"
    INDICATIVE = "indicative only"


@dataclass(frozen=True)
class RunFigures:
    """One run: what all its requests did, and those of each endpoint."""

    name: str
    all_requests: Figures
    endpoints: Mapping[str, Figures]

    def of(self, endpoint: str) -> Figures | None:
        """The figures of an endpoint, or of all requests; None where it had no traffic."""
        return self.all_requests if endpoint == ALL_REQUESTS else self.endpoints.get(endpoint)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure in both groups, and what became of it.

    `before` and `after` are the groups' means, geometric ones for latencies (ms).
    `change` is relative for latencies (0.05: 5 % slower) and absolute for error rates, and `low`
    and `high` are its interval with `confidence`.
    `smallest` is about the smallest change that would have been shown in 4 of 5 comparisons.
    Without enough runs the finding is `INDICATIVE`, and there is neither interval nor `smallest`;
    nor are there for the error rates of groups without any failure.
    """

    endpoint: str
    metric: Metric
    finding: Finding
    n_before: int
    n_after: int
    before: float | None
    after: float | None
    change: float | None
    confidence: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    smallest: float | None = None

    @property
    def is_small(self) -> bool:
        """Whether there is a difference, of a size that is not worth a verdict."""
        if self.finding is not Finding.NO_DIFFERENCE or self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Differences:
    """All figures of a comparison: of all requests, and of each endpoint of both groups."""

    overall: tuple[Difference, ...]
    endpoints: tuple[Difference, ...]

    @property
    def all(self) -> tuple[Difference, ...]:
        """Every figure that the comparison looked at."""
        return (*self.overall, *self.endpoints)

    @property
    def finding(self) -> Finding:
        """A regression of any figure; else nothing certain where runs were too few; else the best.

        An endpoint that some runs did not reach leaves the verdict to the others.
        """
        found = {difference.finding for difference in self.all}
        if Finding.REGRESSION in found:
            return Finding.REGRESSION
        if any(difference.finding is Finding.INDICATIVE for difference in self.overall):
            return Finding.INDICATIVE
        return Finding.IMPROVEMENT if Finding.IMPROVEMENT in found else Finding.NO_DIFFERENCE


def compare(before: Sequence[RunFigures], after: Sequence[RunFigures]) -> Differences:
    """The figures of two groups of runs, and the findings that their runs are enough for."""
    endpoints = common_endpoints(before, after)
    overall = [
        _latency(before, after, ALL_REQUESTS, metric, 1 - FALSE_ALARMS[metric])
        for metric in LATENCIES
    ]
    overall.append(_error_rate(before, after, 1 - FALSE_ALARMS[ERROR_RATE]))
    level = 1 - ENDPOINTS_FALSE_ALARMS / max(1, len(LATENCIES) * len(endpoints))
    detail = [
        _latency(before, after, endpoint, metric, level)
        for endpoint in endpoints
        for metric in LATENCIES
    ]
    return Differences(tuple(overall), tuple(detail))


def common_endpoints(before: Sequence[RunFigures], after: Sequence[RunFigures]) -> list[str]:
    """The endpoints that have requests in both groups, the busiest first.

    None where there is but one in all, as it would only repeat all requests.
    """
    n: dict[str, int] = {}
    for run in (*before, *after):
        for endpoint, figures in run.endpoints.items():
            n[endpoint] = n.get(endpoint, 0) + figures.n
    if len(n) < 2:
        return []
    groups = [{name for run in group for name in run.endpoints} for group in (before, after)]
    return sorted(groups[0] & groups[1], key=lambda name: (-n[name], name))


def _latency(
    before: Sequence[RunFigures],
    after: Sequence[RunFigures],
    endpoint: str,
    metric: Metric,
    confidence: float,
) -> Difference:
    groups = [
        [
            math.log(value)
            for run in group
            if (figures := run.of(endpoint)) is not None
            and (value := latency_ms(figures, metric)) is not None
            and value > 0
        ]
        for group in (before, after)
    ]
    least_error = _BUCKET_ERROR * math.sqrt(sum(1 / max(1, len(group)) for group in groups))
    return _difference(
        *groups,
        endpoint=endpoint,
        metric=metric,
        confidence=confidence,
        least=LEAST_CHANGE,
        least_error=least_error,
        scale=_LOGARITHMIC,
    )


def _error_rate(
    before: Sequence[RunFigures], after: Sequence[RunFigures], confidence: float
) -> Difference:
    groups = [
        [run.all_requests for run in group if run.all_requests.n] for group in (before, after)
    ]
    ratios = [[figures.failures / figures.n for figures in group] for group in groups]
    return _difference(
        *ratios,
        endpoint=ALL_REQUESTS,
        metric=ERROR_RATE,
        confidence=confidence,
        least=LEAST_ERROR_CHANGE,
        least_error=_binomial_error(groups),
        scale=_LINEAR,
    )


def latency_ms(figures: Figures, metric: Metric) -> float | None:
    """The p95 or p99 of some requests; None where none succeeded."""
    return figures.p95_ms if metric == P95 else figures.p99_ms


def _difference(
    before: Sequence[float],
    after: Sequence[float],
    *,
    endpoint: str,
    metric: Metric,
    confidence: float,
    least: float,
    least_error: float,
    scale: _Scale,
) -> Difference:
    """The difference of two groups of values, which are on the scale that they are compared on."""
    means = [math.fsum(group) / len(group) if group else None for group in (before, after)]
    change = None if means[0] is None or means[1] is None else means[1] - means[0]
    known = Difference(
        endpoint=endpoint,
        metric=metric,
        finding=Finding.INDICATIVE,
        n_before=len(before),
        n_after=len(after),
        before=None if means[0] is None else scale.level(means[0]),
        after=None if means[1] is None else scale.level(means[1]),
        change=None if change is None else scale.change(change),
        confidence=confidence,
    )
    if min(len(before), len(after)) < LEAST_RUNS:
        return known
    found = mean_difference(before, after, least_error=least_error)
    if found.standard_error == 0:
        # Not one failure anywhere: alike, and nothing to tell from how far runs differ.
        return replace(known, finding=Finding.NO_DIFFERENCE)
    low, high = found.bounds(confidence)
    smallest = found.smallest_shown(confidence, least=scale.inverse(least), power=POWER)
    finding = Finding.NO_DIFFERENCE
    if low > 0 and scale.change(found.estimate) >= least:
        finding = Finding.REGRESSION
    elif high < 0 and scale.change(found.estimate) <= -least:
        finding = Finding.IMPROVEMENT
    return replace(
        known,
        finding=finding,
        low=scale.change(low),
        high=scale.change(high),
        p=found.p,
        smallest=scale.change(smallest),
    )


def _binomial_error(groups: Sequence[Sequence[Figures]]) -> float:
    """The standard error that error rates have by chance alone, were all runs alike."""
    n = sum(figures.n for group in groups for figures in group)
    ratio = sum(figures.failures for group in groups for figures in group) / n if n else 0.0
    parts = (
        math.fsum(1 / figures.n for figures in group) / len(group) ** 2 for group in groups if group
    )
    return math.sqrt(ratio * (1 - ratio) * math.fsum(parts))
