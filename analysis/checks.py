"""Thresholds applied to what was measured: one check for each metric of each endpoint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from analysis.intervals import (
    design_effect,
    n_for_level,
    n_for_percentile,
    n_needed,
    quantile_levels,
    ratio_bounds,
    upper_bound_column,
)
from analysis.limits import ALL_REQUESTS, DRIFT, RECOVERY, Limits, Metric, Tier
from analysis.measured import Counts, Endpoint, Measured, Measurements, endpoint_labels
from analysis.metric_values import latency_ms
from analysis.quantities import format_count, format_limit, plural, shorten
from analysis.thresholds import Threshold, Thresholds
from analysis.verdict import Check
from otaload.record import Histogram, bucket_index


def threshold_checks(
    measurements: Measurements, thresholds: Thresholds, *, exercises: Iterable[str] | None = None
) -> tuple[list[Check], list[str]]:
    """The checks of all thresholds but drift and recovery, and notes on rows that do not apply.

    A threshold for an endpoint without requests fails, unless the scenario is known not to
    exercise it: `exercises` are the endpoints that it does, or None where that is not known.
    """
    recorded = list(measurements.endpoints)
    exercised = None if exercises is None else tuple(exercises)
    checks: list[Check] = []
    left_out: list[str] = []
    known: dict[str | None, tuple[list[Endpoint], Measured]] = {}
    for row in thresholds.rows:
        if row.metric in (DRIFT, RECOVERY):
            continue
        if row.endpoint not in known:
            matching = [e for e in recorded if row.endpoint is None or e.answers_to(row.endpoint)]
            known[row.endpoint] = matching, measurements.measured(matching)
        matching, measured = known[row.endpoint]
        if not matching and row.endpoint is not None and not _applies(row.endpoint, exercised):
            left_out.append(row.endpoint)
        elif not matching:
            checks.append(_without_traffic(row, recorded))
        else:
            checks.append(check_of(row, measured))
    notes = [
        f"the thresholds for {endpoint} do not apply: this scenario does not exercise it"
        for endpoint in dict.fromkeys(left_out)
    ]
    return checks, notes


def check_of(row: Threshold, measured: Measured) -> Check:
    """One threshold applied to requests, of which there is at least one."""
    if row.metric.name == "error_rate":
        return _error_rate(row, measured)
    if not measured.successes.n:
        told = f" ({measured.failures_told})" if measured.failures_told else ""
        n = format_count(measured.n)
        reason = f"no successful request among {n}{told}, so there is no latency"
        return _failed(row, measured.n, reason)
    return _latency(row, measured)


def _without_traffic(row: Threshold, recorded: Sequence[Endpoint]) -> Check:
    if row.endpoint is None:
        return _failed(row, 0, "no data: not one request was recorded")
    if not recorded:
        return _failed(row, 0, "no traffic: no request was recorded, here or anywhere")
    names = sorted(endpoint_labels(recorded).values())
    listed = ", ".join(shorten(name) for name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    close = difflib.get_close_matches(row.endpoint, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return _failed(row, 0, f"no traffic; recorded endpoints: {listed}{more}{hint}")


def _applies(endpoint: str, exercised: tuple[str, ...] | None) -> bool:
    """Whether a scenario is meant to exercise an endpoint; unknown counts as yes."""
    if exercised is None:
        return True
    # `GET /name` in the thresholds and `/name` in the scenario mean the same traffic.
    return _bare(endpoint) in {_bare(name) for name in exercised}


def _bare(written: str) -> str:
    return re.sub(r"^[A-Z]+ +", "", written)


def _failed(row: Threshold, n: int, reason: str) -> Check:
    return Check(
        endpoint=row.endpoint or ALL_REQUESTS,
        metric=row.metric,
        tier=Tier.FAIL,
        limits=row.limits,
        value=None,
        n=n,
        reason=reason,
        proof="nothing was measured",
    )


def tier_reason(limits: Limits, metric: Metric, value: float) -> str:
    """Why a value has its tier, in a few words."""

    def shown(limit: float) -> str:
        return format_limit(limit, metric.unit)

    fail, warning = limits.fail_above.value, limits.warning_below
    if limits.tier_of(value) is Tier.PASS:
        return f"below the pass limit of {shown(limits.pass_below.value)}"
    if limits.tier_of(value) is Tier.FAIL:
        return f"above the fail limit of {shown(fail)}"
    if limits.in_gap(value) and warning is not None:
        return (
            f"in the gap: above the warning limit of {shown(warning.value)}, "
            f"not above the fail limit of {shown(fail)}"
        )
    return f"not below the pass limit of {shown(limits.pass_below.value)}"


def is_proven(limits: Limits, tier: Tier, low: float | None, high: float | None) -> bool:
    """Whether the bounds of a value lie inside its tier."""
    above = low is not None and low >= limits.pass_below.value
    if tier is Tier.PASS:
        return high is not None and high < limits.pass_below.value
    if tier is Tier.FAIL:
        return low is not None and low > limits.fail_above.value
    return above and high is not None and high <= limits.fail_above.value


def _error_rate(row: Threshold, measured: Measured) -> Check:
    limits, n, failed = row.limits, measured.n, measured.failed
    value = measured.error_ratio
    tier = limits.tier_of(value)
    low, high = ratio_bounds(failed, n)
    proven = is_proven(limits, tier, low, high)
    needed = None
    failures = "1 failure" if failed == 1 else f"{format_count(failed)} failures"
    requests = f"{format_count(n)} {plural(n, 'request')}"
    proof = f"proven by {requests}, {failures}"
    if not proven:
        proof = f"unproven: {requests}, {failures}"
        if tier is Tier.PASS:
            needed = n_needed(failed, limits.pass_below.value)
            proof += f"; {format_count(needed)} needed"
    reason = tier_reason(limits, row.metric, value)
    if tier is not Tier.PASS and measured.failures_told:
        reason += f", {measured.failures_told}"
    return Check(
        endpoint=row.endpoint or ALL_REQUESTS,
        metric=row.metric,
        tier=tier,
        limits=limits,
        value=value,
        n=n,
        reason=reason,
        gap=limits.in_gap(value),
        proven=proven,
        proof=proof,
        low=low,
        high=high,
        n_needed=needed,
    )


def _latency(row: Threshold, measured: Measured) -> Check:
    limits, metric, successes = row.limits, row.metric, measured.successes
    value = latency_ms(metric, successes)
    tier = limits.tier_of(value)
    low = high = needed = None
    proof = f"unproven: no bounds are known for a {metric.name}"
    if metric.quantile is not None:
        low, high, needed, proof = _percentile_bounds(metric.quantile, row, measured, value)
    proven = is_proven(limits, tier, low, high)
    if proven:
        noun = plural(successes.n, "request")
        needed, proof = None, f"proven by {format_count(successes.n)} successful {noun}"
    return Check(
        endpoint=row.endpoint or ALL_REQUESTS,
        metric=metric,
        tier=tier,
        limits=limits,
        value=value,
        n=successes.n,
        reason=tier_reason(limits, metric, value),
        gap=limits.in_gap(value),
        proven=proven,
        proof=proof,
        low=low,
        high=high,
        n_needed=needed,
    )


def _percentile_bounds(
    q: float, row: Threshold, measured: Measured, value_ms: float
) -> tuple[float | None, float | None, int | None, str]:
    """Lower and upper bound, requests needed, and a sentence for when the tier is unproven."""
    successes, limits = measured.successes, row.limits
    blocks = _one_block(successes) if measured.blocks is None else measured.blocks
    effect = _dependence(blocks, bucket_index(round(value_ms * 1000)))
    low_level, _ = quantile_levels(q, max(1, int(successes.n / effect)))
    low = _at_level(successes, low_level)
    column = upper_bound_column(blocks, q)
    high = None if column is None else _at_level(successes, _share_up_to(successes, column))
    pass_ms = limits.pass_below.value
    if value_ms < pass_ms:
        # Whether it passes hinges on the requests above the limit, not on those at the quantile.
        effect = _dependence(blocks, bucket_index(int(pass_ms * 1000)))
    effective = max(1, int(successes.n / effect))
    n = f"{format_count(successes.n)} {plural(successes.n, 'request')}"
    worth = "" if effect < 1.05 else f", worth {format_count(effective)} independent ones"
    least = n_for_percentile(q)
    if effective < least:
        needed = round(least * effect)
        return low, high, needed, f"unproven: {n}{worth}; {format_count(needed)} needed"
    needed_n = n_for_level(q, _share_below(successes, pass_ms)) if value_ms < pass_ms else None
    if needed_n is None:
        return low, high, None, f"unproven: the bounds of {n}{worth} cross a limit"
    needed = max(round(needed_n * effect), successes.n + 1)
    text = f"unproven: {n}{worth}; about {format_count(needed)} needed"
    return low, high, needed, text


def _dependence(blocks: Counts, bucket: int) -> float:
    """The design effect at a percentile, below its bucket or up to it, whichever shows more.

    Where many values share the bucket, one of the two shares says nothing.
    """
    totals = blocks.sum(axis=1)
    return max(design_effect(blocks[:, :last].sum(axis=1), totals) for last in (bucket, bucket + 1))


def _one_block(successes: Histogram) -> Counts:
    """The requests as one block of time, which shows no dependence."""
    block: Counts = np.zeros((1, max(successes.counts) + 1), dtype=np.int64)
    block[0, list(successes.counts)] = list(successes.counts.values())
    return block


def _share_up_to(successes: Histogram, bucket: int) -> float:
    return sum(n for index, n in successes.counts.items() if index <= bucket) / successes.n


def _at_level(successes: Histogram, level: float | None) -> float | None:
    if level is None:
        return None
    value_us = successes.quantile_us(min(1.0, level))
    return None if value_us is None else value_us / 1000


def _share_below(successes: Histogram, limit_ms: float) -> float:
    limit = bucket_index(int(limit_ms * 1000))
    return sum(n for index, n in successes.counts.items() if index < limit) / successes.n
