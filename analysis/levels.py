"""The p99 level over time: windows, their change from the first to the last hour, its error.

The level of an hour is the median of the p99 of its windows, which incidents and waves move far
less than the p99 of the hour's pooled requests (docs/statistics.md). The shape in windows is the
same for every length: 3 of warm-up, 12 in an hour, 6 in a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.quantiles import Values, bin_quantiles_ms
from analysis.quantities import format_duration
from analysis.windows import WindowTable

FULL_WINDOW_S = 300
FULL_RUN_S = 6.25 * 3600
"""Six usable hours after a quarter of warm-up."""
WARM_UP_WINDOWS, HOUR_WINDOWS, BATCH_WINDOWS = 3, 12, 6
RUN_WINDOWS = 96
LEAST_IN_HOUR, LEAST_IN_BATCH = 8, 3
LEAST_REQUESTS, LEAST_REQUESTS_SCALED = 1000, 100
DISAGREEMENT = 0.10


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The drift of a run with its 95 % interval, or why there is none.

    `drift_ratio` is 0.15 where the level rose by 15 %; None with `insufficient` saying why.
    `window_t_s` and `window_p99_ms` are the windows that it rests on (NaN: too few requests).
    `slope_ratio` is the same rise by the Theil–Sen line, `trend_p` the Mann–Kendall probability of
    so much order without a trend, `step_at_s` and `step_ratio` the best single jump: diagnostics.
    Of a run that was ended for its drift, `stopped_s` is when it was looked at, and `low_ratio` the
    one-sided 99 % bound; there is no upper one.
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
    stopped_s: float | None = None

    @property
    def first_ms(self) -> float:
        """The p99 level of the first hour, the median of its windows."""
        return hour_level_ms(self.window_p99_ms[:HOUR_WINDOWS])

    @property
    def last_ms(self) -> float:
        """The p99 level of the last hour, the median of its windows."""
        return hour_level_ms(self.window_p99_ms[-HOUR_WINDOWS:])

    @property
    def disagreement(self) -> str:
        """A sentence where the line and the levels differ by more than 10 points, or nothing."""
        if self.drift_ratio is None or self.slope_ratio is None:
            return ""
        if abs(self.drift_ratio - self.slope_ratio) <= DISAGREEMENT:
            return ""
        return (
            f"the drift by levels ({100 * self.drift_ratio:+.0f} %) and by the Theil–Sen line "
            f"({100 * self.slope_ratio:+.0f} %) differ by more than 10 points: look at the chart"
        )


@dataclass(frozen=True)
class Requirement:
    """How much of a run there must be: usable windows in all, and batches of them."""

    windows: int
    batches: int


@dataclass(frozen=True)
class Spread:
    """How the error of a change is taken from the changes between neighbouring batches.

    The `held` largest are held down to the next, so that an incident does not count as noise;
    `t` is the quantile of Student's t that the error is multiplied with.
    With `centred`, changes count by their distance from their median, so that a steady rise is no
    noise.
    """

    held: int
    t: float
    centred: bool = False


def cut_levels(windows: WindowTable, *, end_s: float, window_s: int, full: bool) -> Drift:
    """The p99 of each window until `end_s`, after warm-up; NaN where requests are too few."""
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
    return Drift(window_s=window_s, window_t_s=times, window_p99_ms=p99_ms, indicative=not full)


def change_of(drift: Drift, spread: Spread) -> Drift:
    """The change from the first to the last hour with its interval, and the diagnostics."""
    y = np.log(drift.window_p99_ms)
    usable = np.isfinite(y)
    rise = float(np.nanmedian(y[-HOUR_WINDOWS:]) - np.nanmedian(y[:HOUR_WINDOWS]))
    margin = spread.t * _standard_error(batch_levels(y), spread)
    hours = len(y) - HOUR_WINDOWS  # windows between the middles of the first and the last hour
    step_at, step = _best_step(y[usable])
    return replace(
        drift,
        drift_ratio=math.expm1(rise),
        low_ratio=math.expm1(rise - margin),
        high_ratio=math.expm1(rise + margin),
        slope_ratio=math.expm1(_theil_sen(y) * hours),
        trend_p=_mann_kendall_p(y[usable]),
        step_at_s=float(drift.window_t_s[usable][step_at] - drift.window_s / 2),
        step_ratio=math.expm1(step),
    )


def insufficiency(drift: Drift, required: Requirement) -> str:
    """Why the windows are too few for an estimate, or nothing."""
    usable = np.isfinite(drift.window_p99_ms)
    count, total = int(usable.sum()), len(usable)
    each = f"windows of {format_duration(drift.window_s)}"
    if count < required.windows:
        return f"{count} of {total} {each} usable, {required.windows} needed"
    ends = (("first", usable[:HOUR_WINDOWS]), ("last", usable[-HOUR_WINDOWS:]))
    hour = "hour" if drift.window_s == FULL_WINDOW_S else "eighth"
    for which, part in ends:
        if part.sum() < LEAST_IN_HOUR:
            found = int(part.sum())
            where = f"in the {which} {hour}"
            return f"{found} of {len(part)} {each} usable {where}, {LEAST_IN_HOUR} needed"
    batches = len(batch_levels(drift.window_p99_ms))
    if batches < required.batches:
        return f"{batches} batches of {BATCH_WINDOWS} {each} usable, {required.batches} needed"
    return ""


def hour_level_ms(p99_ms: Values) -> float:
    """The level of some windows of which at least one is usable: the median on a log scale."""
    return float(np.exp(np.nanmedian(np.log(p99_ms))))


def batch_levels(y: Values) -> Values:
    """The median of each half hour that has enough usable windows."""
    batches = [y[i : i + BATCH_WINDOWS] for i in range(0, len(y), BATCH_WINDOWS)]
    return np.array([np.nanmedian(b) for b in batches if np.isfinite(b).sum() >= LEAST_IN_BATCH])


def _standard_error(levels: Values, spread: Spread) -> float:
    """From the changes between neighbouring batches, the largest held down to the next.

    1.15 makes up for what holding down takes from the mean square of independent levels: of 12 to
    15 changes two held down, of 5 one. 1.5 is for levels that depend on each other, and 0.01 for
    what no spread shows: the width of a bucket.
    """
    changes = np.diff(levels)
    if spread.centred:
        changes = changes - np.median(changes)
    changes = np.abs(changes)
    most = float(np.sort(changes)[-spread.held - 1])
    s = 1.15 * math.sqrt(float(np.mean(np.minimum(changes, most) ** 2))) / math.sqrt(2)
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
