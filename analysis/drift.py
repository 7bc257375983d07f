"""p99 drift: how far the p99 level rose from the first to the last hour of a soak.

The level of an hour is the median of the p99 of its 5-minute windows, which incidents and waves
move far less than the p99 of the hour's pooled requests: on a background without drift the pooled
figure calls 15 % or more in 19 % of runs, this one in 1 % (docs/report.md).

The shape in windows is the same for every length: 3 of warm-up, 12 in an hour, 6 in a batch.
A full soak has windows of 5 minutes; a shorter one has windows of a 96th of it, and is indicative.
One run cannot tell a leak from the time of day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.checks import is_proven, tier_reason
from analysis.limits import ALL_REQUESTS, DRIFT, Limits, Tier
from analysis.meta import Stage
from analysis.quantiles import Values, bin_quantiles_ms
from analysis.quantities import format_duration
from analysis.verdict import Check
from analysis.windows import WindowTable

if TYPE_CHECKING:  # a run is read with pandas, which judging does without
    from analysis.runs import Run

FULL_WINDOW_S = 300
FULL_RUN_S = 6.25 * 3600
"""Six usable hours after a quarter of warm-up."""
WARM_UP_WINDOWS, HOUR_WINDOWS, BATCH_WINDOWS = 3, 12, 6
RUN_WINDOWS = 96
LEAST_WINDOWS, LEAST_IN_HOUR, LEAST_IN_BATCH, LEAST_BATCHES = 72, 8, 3, 10
LEAST_REQUESTS, LEAST_REQUESTS_SCALED = 1000, 100
T_975_9 = 2.262157162740992  # Student's t at 0.975 with 9 degrees of freedom
DISAGREEMENT = 0.10


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The drift of a run with its 95 % interval, or why there is none.

    `drift_ratio` is 0.15 where the level rose by 15 %; None with `insufficient` saying why.
    `window_t_s` and `window_p99_ms` are the windows that it rests on (NaN: too few requests).
    `slope_ratio` is the same rise by the Theil–Sen line, `trend_p` the Mann–Kendall probability of
    so much order without a trend, `step_at_s` and `step_ratio` the best single jump: diagnostics.
    """

    window_s: int
    window_t_s: Values
    window_p99_ms: Values
    indicative: bool
    insufficient: str = ""
    drift_ratio: float | None = None
    low_ratio: float | None = None
    high_ratio: float | None = None
    slope_ratio: float | None = None
    trend_p: float | None = None
    step_at_s: float | None = None
    step_ratio: float | None = None

    @property
    def disagreement(self) -> str:
        """A sentence where the line and the levels differ by more than 10 points, or nothing."""
        if self.drift_ratio is None or self.slope_ratio is None:
            return ""
        if abs(self.drift_ratio - self.slope_ratio) <= DISAGREEMENT:
            return ""
        return (
            f"the drift by levels ({self.drift_ratio:+.0%}) and by the Theil–Sen line "
            f"({self.slope_ratio:+.0%}) differ by more than 10 points: look at the chart"
        )


def estimate_drift(windows: WindowTable, *, end_s: float, planned_s: float | None) -> Drift:
    """The drift of all requests until `end_s` of a run that was planned to last `planned_s`."""
    full = (end_s if planned_s is None else planned_s) >= FULL_RUN_S
    window_s = FULL_WINDOW_S if full else max(1, int(end_s // RUN_WINDOWS))
    first_s = WARM_UP_WINDOWS * window_s
    n_windows = max(0, int((end_s - first_s) // window_s))
    times: Values = first_s + (np.arange(n_windows, dtype=np.float64) + 0.5) * window_s
    bins = (windows.t_s - first_s) // window_s
    bins = np.where((windows.t_s >= first_s) & (bins < n_windows), bins, -1)
    matrix = windows.matrix(bins, n_windows)
    p99_ms = bin_quantiles_ms(matrix, [0.99])[:, 0] if n_windows else np.zeros(0)
    n = matrix.sum(axis=1)
    least = float(LEAST_REQUESTS if full else LEAST_REQUESTS_SCALED)
    if n_windows:
        least = max(least, float(np.median(n)) / 2)
    p99_ms = np.where((n >= least) & (p99_ms > 0), p99_ms, np.nan)
    drift = Drift(window_s=window_s, window_t_s=times, window_p99_ms=p99_ms, indicative=not full)
    return _estimate(drift)


def steady_end_s(stages: Sequence[Stage], duration_s: float) -> float:
    """Where the load ends to be steady: at the final ramp-down, or else with the run."""
    if stages and stages[-1].users_to < stages[-1].users_from:
        return min(duration_s, stages[-1].start_s)
    return duration_s


def run_drift(run: Run) -> Drift:
    """The drift of a run, over what of it is steady."""
    return estimate_drift(
        run.windows,
        end_s=steady_end_s(run.meta.stages, run.duration_s),
        planned_s=run.meta.planned_s,
    )


def drift_check(limits: Limits, drift: Drift, n: int) -> Check:
    """The check on the p99 drift; without enough data it is a warning, never a pass."""
    value = drift.drift_ratio
    if value is None:
        tier, reason = Tier.WARNING, f"insufficient data: {drift.insufficient}"
        proof = "unproven: there is no estimate"
        proven = gap = False
    else:
        tier, reason = limits.tier_of(value), tier_reason(limits, DRIFT, value)
        gap = limits.in_gap(value)
        proven = is_proven(limits, tier, drift.low_ratio, drift.high_ratio)
        proven = proven and not drift.indicative
        proof = "proven" if proven else "unproven"
        proof += " by the spread of half hours; one run cannot tell a leak from the time of day"
        if drift.indicative:
            proof = "indicative only: the run is shorter than 6.25 h"
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
    )


def _estimate(drift: Drift) -> Drift:
    y = np.log(drift.window_p99_ms)
    usable = np.isfinite(y)
    insufficient = _insufficient(drift, usable)
    if insufficient:
        return _with(drift, insufficient=insufficient)
    rise = float(np.nanmedian(y[-HOUR_WINDOWS:]) - np.nanmedian(y[:HOUR_WINDOWS]))
    margin = T_975_9 * _standard_error(_batch_levels(y))
    hours = len(y) - HOUR_WINDOWS  # windows between the middles of the first and the last hour
    step_at, step = _best_step(y[usable])
    return _with(
        drift,
        drift_ratio=math.expm1(rise),
        low_ratio=math.expm1(rise - margin),
        high_ratio=math.expm1(rise + margin),
        slope_ratio=math.expm1(_theil_sen(y) * hours),
        trend_p=_mann_kendall_p(y[usable]),
        step_at_s=float(drift.window_t_s[usable][step_at] - drift.window_s / 2),
        step_ratio=math.expm1(step),
    )


def _with(drift: Drift, **changes: float | str) -> Drift:
    return Drift(**{**drift.__dict__, **changes})


def _insufficient(drift: Drift, usable: Values) -> str:
    count, total = int(usable.sum()), len(usable)
    each = f"windows of {format_duration(drift.window_s)}"
    if count < LEAST_WINDOWS:
        return f"{count} of {total} {each} usable, {LEAST_WINDOWS} needed"
    ends = (("first", usable[:HOUR_WINDOWS]), ("last", usable[-HOUR_WINDOWS:]))
    hour = "hour" if drift.window_s == FULL_WINDOW_S else "eighth"
    for which, part in ends:
        if part.sum() < LEAST_IN_HOUR:
            found = int(part.sum())
            where = f"in the {which} {hour}"
            return f"{found} of {len(part)} {each} usable {where}, {LEAST_IN_HOUR} needed"
    batches = len(_batch_levels(np.where(usable, 0.0, np.nan)))
    if batches < LEAST_BATCHES:
        return f"{batches} batches of {BATCH_WINDOWS} {each} usable, {LEAST_BATCHES} needed"
    return ""


def _batch_levels(y: Values) -> Values:
    batches = [y[i : i + BATCH_WINDOWS] for i in range(0, len(y), BATCH_WINDOWS)]
    return np.array([np.nanmedian(b) for b in batches if np.isfinite(b).sum() >= LEAST_IN_BATCH])


def _standard_error(levels: Values) -> float:
    """From the changes between neighbouring batches, the two largest held down to the third."""
    changes = np.abs(np.diff(levels))
    third = float(np.sort(changes)[-3])
    s = 1.15 * math.sqrt(float(np.mean(np.minimum(changes, third) ** 2))) / math.sqrt(2)
    return math.sqrt((1.5 * s) ** 2 + 0.01**2)


def _theil_sen(y: Values) -> float:
    """The median slope over all pairs of windows, per window."""
    at = np.flatnonzero(np.isfinite(y))
    i, j = np.triu_indices(len(at), k=1)
    return float(np.median((y[at[j]] - y[at[i]]) / (at[j] - at[i])))


def _mann_kendall_p(y: Values) -> float:
    n = len(y)
    i, j = np.triu_indices(n, k=1)
    s = float(np.sign(y[j] - y[i]).sum())
    variance = n * (n - 1) * (2 * n + 5) / 18
    z = (abs(s) - 1) / math.sqrt(variance) if s else 0.0
    return math.erfc(max(z, 0.0) / math.sqrt(2))


def _best_step(y: Values) -> tuple[int, float]:
    """The window at which splitting in two levels fits best, and the change between them."""
    n = np.arange(1, len(y))
    running = np.cumsum(y)
    left, right = running[:-1] / n, (running[-1] - running[:-1]) / (len(y) - n)
    gain = n * (len(y) - n) * (right - left) ** 2
    edge = max(1, len(y) // 20)  # a split off a few windows is an incident, not a level
    best = edge - 1 + int(np.argmax(gain[edge - 1 : len(gain) - edge + 1]))
    return best + 1, float(np.median(y[best + 1 :]) - np.median(y[: best + 1]))
