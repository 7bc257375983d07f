"""When a limit was broken: the stretches of a run in which a check's metric lay beyond it.

A check says that the p95 of a run is too high; whether it was so for three minutes or all night is
another question. It is answered bin by bin, with the bins of the charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.figures import stage_of_seconds
from analysis.latency_bins import latency_bins
from analysis.limits import ALL_REQUESTS, Tier
from analysis.measured import Endpoint
from analysis.phases import warm_up
from analysis.quantiles import Values, bin_quantiles_ms
from analysis.quantities import format_duration, format_limit
from analysis.runs import Run
from analysis.verdict import Check

ERROR_RATE = "error_rate"
MOST_TOLD = 2
NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Episodes:
    """The stretches in which a metric lay beyond `limit`, in seconds after the start.

    They begin and end with bins of `width_s`; `beyond_ratio` is the share of the judged bins with
    requests that lay beyond it.
    """

    limit: float
    width_s: int
    spans_s: tuple[tuple[float, float], ...]
    beyond_ratio: float


def find_episodes(run: Run, check: Check) -> Episodes | None:
    """When the limit that a check broke was broken; None where it broke none, or cannot tell."""
    if check.value is None or check.tier not in (Tier.FAIL, Tier.WARNING):
        return None
    endpoints = [
        endpoint
        for endpoint in run.endpoints
        if check.endpoint == ALL_REQUESTS or endpoint.answers_to(check.endpoint)
    ]
    if check.metric.quantile is None and check.metric.name != ERROR_RATE:
        return None
    width_s, values = _series(run, check, endpoints)
    limit = broken_limit(check)
    judged = np.isfinite(values) & _in_phases(run, check, np.arange(0.5, len(values)) * width_s)
    beyond = judged & (np.nan_to_num(values) > limit)
    if not beyond.any():
        return None
    spans = tuple(
        (float(first * width_s), float(min(last * width_s, run.duration_s)))
        for first, last in _stretches(beyond)
    )
    return Episodes(limit, width_s, spans, float(beyond.sum() / judged.sum()))


def broken_limit(check: Check) -> float:
    """The highest limit that a check's value has passed."""
    limits = check.limits
    if check.tier is Tier.FAIL:
        return limits.fail_above.value
    if check.gap and limits.warning_below is not None:
        return limits.warning_below.value
    return limits.pass_below.value


def told(check: Check, found: Episodes) -> str:
    """The episodes in a sentence, with the width of a bin as what their times are good to."""
    subject = f"{check.metric_text} of {check.endpoint}"
    return f"{subject} was above {format_limit(found.limit, check.unit)} {_when(found)}"


def _when(found: Episodes) -> str:
    spans = found.spans_s
    if found.beyond_ratio >= NEARLY_ALL:
        return "nearly all the time"
    within = f" (to within {format_duration(found.width_s)})"
    if len(spans) <= MOST_TOLD:
        told_spans = ", and ".join(
            f"from {format_duration(first)} to {format_duration(last)}" for first, last in spans
        )
        return told_spans + within
    seconds = sum(last - first for first, last in spans)
    count = len(spans)
    return (
        f"for {format_duration(seconds)} in {count} stretches between "
        f"{format_duration(spans[0][0])} and {format_duration(spans[-1][1])}{within}"
    )


def _series(run: Run, check: Check, endpoints: Sequence[Endpoint]) -> tuple[int, Values]:
    """The metric of each bin, NaN in one without requests, and how wide the bins are."""
    bins = latency_bins(run, endpoints)
    if check.metric.quantile is not None:
        return bins.width_s, bin_quantiles_ms(bins.matrix, [check.metric.quantile])[:, 0]
    table = run.windows.of(endpoints)
    places = table.t_s // bins.width_s
    count = len(bins.matrix)
    failed = np.bincount(places, table.failures, minlength=count)[:count]
    n = bins.n + failed
    return bins.width_s, np.where(n > 0, failed / np.maximum(n, 1), np.nan)


def _in_phases(run: Run, check: Check, t_s: Values) -> NDArray[np.bool_]:
    """Which times lie in the phases that a check judges.

    The ramp-up that a run begins with counts only where it is the one that there is.
    """
    stages = run.meta.stages
    if not check.phases or not stages:
        return np.ones(len(t_s), dtype=np.bool_)
    leading = warm_up(stages)
    later = {stage.phase.value for stage in stages[leading:]}
    judged = np.array(
        [
            stage.phase.value in check.phases
            and (number >= leading or stage.phase.value not in later)
            for number, stage in enumerate(stages)
        ]
    )
    found: NDArray[np.bool_] = judged[stage_of_seconds(run, np.floor(t_s).astype(np.int64))]
    return found


def _stretches(beyond: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first bin of each stretch and the one after its last.

    A single bin between two does not part them.
    """
    filled = beyond.copy()
    filled[1:-1] |= beyond[:-2] & beyond[2:]
    ends = np.flatnonzero(np.diff(np.pad(filled.astype(np.int8), 1)))
    return [(int(first), int(last)) for first, last in ends.reshape(-1, 2)]
