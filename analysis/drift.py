"""p99 drift: how far the p99 level rose from the first to the last hour of a soak.

On a background of waves and incidents without drift, the p99 of the last hour's pooled requests
against the first's calls 15 % or more in 19 % of runs, this one in 3 % (docs/statistics.md).

A full soak has windows of 5 minutes; a shorter one has windows of a 96th of it, and is indicative.
One run cannot tell a leak from the time of day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.checks import is_proven, tier_reason
from analysis.early_stop import is_beyond, look
from analysis.levels import (
    FULL_RUN_S,
    FULL_WINDOW_S,
    RUN_WINDOWS,
    Drift,
    Requirement,
    Spread,
    change_of,
    cut_levels,
    insufficiency,
)
from analysis.limits import ALL_REQUESTS, DRIFT, Limits, Tier
from analysis.meta import Stage
from analysis.quantities import format_duration, format_limit
from analysis.verdict import Check
from analysis.windows import WindowTable

if TYPE_CHECKING:  # a run is read with pandas, which judging does without
    from analysis.runs import Run

__all__ = ["Drift", "drift_check", "estimate_drift", "run_drift", "steady_end_s"]

REQUIRED = Requirement(windows=72, batches=10)
SPREAD = Spread(held=2, t=2.262157162740992)
"""Student's t at 0.975 with 9 degrees of freedom: what 15 changes of half hours are worth."""


def estimate_drift(windows: WindowTable, *, end_s: float, planned_s: float | None) -> Drift:
    """The drift of all requests until `end_s` of a run that was planned to last `planned_s`."""
    full = (end_s if planned_s is None else planned_s) >= FULL_RUN_S
    window_s = FULL_WINDOW_S if full else max(1, int(end_s // RUN_WINDOWS))
    drift = cut_levels(windows, end_s=end_s, window_s=window_s, full=full)
    insufficient = insufficiency(drift, REQUIRED)
    return replace(drift, insufficient=insufficient) if insufficient else change_of(drift, SPREAD)


def steady_end_s(stages: Sequence[Stage], duration_s: float) -> float:
    """Where the load ends to be steady: at the final ramp-down, or else with the run."""
    if stages and stages[-1].users_to < stages[-1].users_from:
        return min(duration_s, stages[-1].start_s)
    return duration_s


def run_drift(run: Run) -> Drift:
    """The drift of a run, over what of it is steady; of one that it ended, as it was then."""
    meta = run.meta
    if meta.stopped_early_s is not None and meta.planned_s is not None:
        return look(run.windows, at_s=meta.stopped_early_s, planned_s=meta.planned_s)
    return estimate_drift(
        run.windows,
        end_s=steady_end_s(meta.stages, run.duration_s),
        planned_s=meta.planned_s,
    )


def drift_check(limits: Limits, drift: Drift, n: int) -> Check:
    """The check on the p99 drift; without enough data it is a warning, never a pass."""
    value = drift.drift_ratio
    informational = False
    if value is None:
        tier, reason = Tier.WARNING, f"insufficient data: {drift.insufficient}"
        proof = "unproven: there is no estimate"
        proven = gap = False
    else:
        tier, reason = _tier_and_reason(limits, drift, value)
        gap = limits.in_gap(value)
        proven = is_proven(limits, tier, drift.low_ratio, drift.high_ratio)
        proven = proven and not drift.indicative
        proof = "proven" if proven else "unproven"
        proof += " by the spread of half hours; one run cannot tell a leak from the time of day"
        if drift.indicative:
            proof = "indicative only: the run is shorter than 6.25 h"
            if drift.stopped_s is not None:
                proof = "indicative only: the run was planned shorter than 6.25 h"
            informational = _is_noise(limits, drift, tier)
            if informational:
                low = f"{100 * (drift.low_ratio or 0.0):+.0f} %"
                proof += f", and its drift may be as low as {low}"
    return Check(
        endpoint=ALL_REQUESTS,
        metric=DRIFT,
        tier=tier,
        limits=limits,
        value=value,
        n=n,
        reason=reason,
        gap=gap,
        proven=proven,
        proof=proof,
        low=drift.low_ratio,
        high=drift.high_ratio,
        indicative=drift.indicative,
        informational=informational,
    )


def _is_noise(limits: Limits, drift: Drift, tier: Tier) -> bool:
    """Whether a short run's drift may as well be none.

    Windows of a second or a minute spread by more than the pass limit on the soundest service, so
    only a drift whose whole interval lies above it speaks against a rehearsal.
    """
    if tier is Tier.PASS or drift.stopped_s is not None or drift.low_ratio is None:
        return False
    return drift.low_ratio < limits.pass_below.value


def _tier_and_reason(limits: Limits, drift: Drift, value: float) -> tuple[Tier, str]:
    tier, reason = limits.tier_of(value), tier_reason(limits, DRIFT, value)
    if drift.stopped_s is None:
        return tier, reason
    stopped = f"stopped early at {format_duration(drift.stopped_s)}"
    if is_beyond(drift, limits):
        fail = format_limit(limits.fail_above.value, DRIFT.unit)
        low = drift.low_ratio or 0.0
        certain = "" if drift.indicative else " for certain"
        return tier, (
            f"{stopped}: the drift is above {fail}{certain} "
            f"({value * 100:+.0f} %, at least {low * 100:+.0f} %)"
        )
    # Judged anew by other limits: what was cut short may fail, but never pass.
    return max(tier, Tier.WARNING, key=lambda one: one.rank), f"{stopped}; {reason}"
