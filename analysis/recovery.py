"""Recovery of a spike: how long after its burst latency and errors are back where they were.

The baseline is the low load before the burst, less its first third, which warms up. Its band ends
at 1.10 × the median of its 1-s p95, or at their 99th percentile where that is higher; errors may be
0.1 %, or as many as the baseline had. Recovered is the first second after the burst from which both
hold for 10 s in a row, within ±1 s. Time counts from the end of the burst, where the load begins to
fall; how long that is after the load was back at the baseline's level is told as well.

Two things keep a probe of few requests from misleading (`analysis.pools` does both). The p95 of 15
requests is their slowest, so that seconds are pooled until a pool has about 100 of the baseline's
requests. And users that wait ask nothing, so that a request counts in each second that it was in
flight in, and a pool with less than a quarter of the baseline's requests is not in the band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.bursts import Burst, find_burst
from analysis.intervals import binomial_cdf
from analysis.measured import Counts
from analysis.pools import Pools, pool
from analysis.quantiles import Values
from analysis.quantities import Unit, format_duration, format_quantity
from analysis.windows import Mask, WindowTable

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

BAND_OF_MEDIAN, BAND_QUANTILE = 1.10, 0.99
ERROR_RATIO = 0.001
HOLD_S, STAY_S = 10, 60
WARM_UP_SHARE = 1 / 3
FULL_BASELINE_S, LEAST_BASELINE_S, MOST_BASELINE_S = 120, 10, 1200
LEAST_LIMIT_S, LIMIT_BURSTS = 300.0, 5.0
"""A service is given up after 5 min or 5 × the burst, whichever is longer."""
WANTED_IN_POOL, SURE_POOLS = 100, 5
QUIET_SHARE = 0.25
CLEAR_OF_BAND, CLEAR_P = 1.25, 0.001
"""A pool is clearly outside if its p95 is this far above the band and would be by chance so rarely:
what hovers at the band's edge goes in and out by itself."""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How a service came back from a burst, or why that cannot be told (`insufficient`).

    Times are seconds after the start of the run; `recovery_s` counts from the end of the burst and
    `after_load_s` from when the load was back at the baseline's level; both are None where the
    service did not come back within the `observed_s` after the burst.
    `area_ms_s` sums what p95 was above the band, second by second; `failures` counts from the
    baseline's end; both end with the recovery. `t_s` and `p95_ms` are the pooled seconds.
    """

    burst: Burst
    insufficient: str = ""
    indicative: bool = False
    observed_s: float = 0.0
    baseline_from_s: float = 0.0
    pool_s: int = 1
    baseline_p95_ms: float = 0.0
    band_ms: float = 0.0
    error_limit_ratio: float = ERROR_RATIO
    left_band: bool = False
    recovery_s: float | None = None
    after_load_s: float | None = None
    peak_ms: float | None = None
    failures: int = 0
    area_ms_s: float = 0.0
    hysteresis: bool = False
    out_again_s: int = 0
    unrecovered: str = ""
    t_s: Values | None = None
    p95_ms: Values | None = None

    @property
    def peak_ratio(self) -> float | None:
        """The peak of p95 divided by the baseline's median."""
        if self.peak_ms is None or not self.baseline_p95_ms:
            return None
        return self.peak_ms / self.baseline_p95_ms

    @property
    def thin(self) -> bool:
        """Whether the baseline is so short that its band may be narrower than its usual spread."""
        return self.burst.begins_s - self.baseline_from_s < SURE_POOLS * self.pool_s

    @property
    def sentence(self) -> str:
        """What became of it, in a few words."""
        if self.insufficient:
            return f"recovery unknown: {self.insufficient}"
        if self.recovery_s is None:
            observed = format_duration(self.observed_s)
            return f"not recovered within {observed} observed after the burst: {self.unrecovered}"
        if not self.left_band:
            return "the burst never pushed p95 or errors out of the baseline's band"
        back = format_duration(round(self.recovery_s))
        return f"back in the baseline's band {back} after the burst"


def run_recovery(run: Run) -> Recovery | None:
    """The recovery of a run; None where its profile has no burst, or no request was recorded."""
    burst = find_burst(run.meta.stages)
    if burst is None or not run.endpoints:
        return None
    found = estimate_recovery(run.windows, burst, offset_s=run.offset_s, load_s=run.load_s)
    return replace(found, indicative=found.indicative or run.meta.rehearsal is not None)


def estimate_recovery(
    windows: WindowTable, burst: Burst, *, offset_s: float = 0.0, load_s: float
) -> Recovery:
    """The recovery from a burst, in a run whose load lasted `load_s`.

    `offset_s` is by how much the run began after its first whole second.
    """
    baseline_s = burst.begins_s - burst.baseline_from_s
    given_up_s = burst.ends_s + max(LEAST_LIMIT_S, LIMIT_BURSTS * burst.lasts_s)
    end_s = min(load_s, given_up_s, burst.next_s)
    from_s = max(
        burst.baseline_from_s + baseline_s * WARM_UP_SHARE, burst.begins_s - MOST_BASELINE_S
    )
    found = Recovery(
        burst=burst,
        baseline_from_s=from_s,
        observed_s=max(0.0, end_s - burst.ends_s),
        indicative=baseline_s < FULL_BASELINE_S,
    )
    first = math.ceil(from_s + offset_s)
    surge, after = (math.floor(t + offset_s) for t in (burst.begins_s, burst.ends_s))
    last = math.floor(end_s + offset_s)
    if surge - first < LEAST_BASELINE_S:
        usable = format_duration(max(0, surge - first))
        return replace(
            found,
            insufficient=f"{usable} of usable baseline before the burst, "
            f"{LEAST_BASELINE_S} s needed",
        )
    if last - after < HOLD_S:
        observed = format_duration(max(0, last - after))
        return replace(
            found, insufficient=f"{observed} observed after the burst, {HOLD_S} s needed"
        )
    started = _per_second(windows, windows.successes + windows.failures, first, last)
    rate = float(started[: surge - first].mean())
    if rate * (surge - first) < WANTED_IN_POOL:
        n = int(started[: surge - first].sum())
        return replace(found, insufficient=f"{n} requests in the baseline, {WANTED_IN_POOL} needed")
    pool_s = min(HOLD_S, max(1, math.ceil(WANTED_IN_POOL / rate)))
    failed = _per_second(windows, windows.failures, first, last)
    pools, holds = (
        pool(windows, first=first, last=last, width_s=width_s) for width_s in (pool_s, HOLD_S)
    )
    view = _View(pools, holds, started, failed, first, surge, after, last, rate)
    return _measure(replace(found, pool_s=pool_s), view, offset_s)


@dataclass(frozen=True)
class _View:
    """The seconds from `first` to before `last`, and where the surge and the recovery begin."""

    pools: Pools
    holds: Pools
    started: Counts
    failed: Counts
    first: int
    surge: int
    after: int
    last: int
    rate: float


def _measure(found: Recovery, view: _View, offset_s: float) -> Recovery:
    pools, first = view.pools, view.first
    quiet_before = pools.p95_ms[: view.surge - first - found.pool_s + 1]
    levels = quiet_before[np.isfinite(quiet_before)]
    if not len(levels):
        return replace(found, insufficient="no request of the baseline succeeded")
    median_ms = float(np.median(levels))
    highest_ms = float(np.quantile(levels, BAND_QUANTILE, method="inverted_cdf"))
    band_ms = max(BAND_OF_MEDIAN * median_ms, highest_ms)
    before = slice(0, view.surge - first)
    base_ratio = float(view.failed[before].sum() / view.started[before].sum())
    error_limit = max(ERROR_RATIO, base_ratio)
    out, clear = _outside(view, found.pool_s, band_ms)
    held = _held(view, clear, band_ms, error_limit) & _stays(out)[: len(view.holds.n)]
    at = np.flatnonzero(held[view.after - first :])
    back = int(at[0]) + view.after if len(at) else None
    until = view.last if back is None else back
    span = slice(view.surge - first, until - first)
    p95 = pools.p95_ms[view.surge - first : max(until, view.after) - first]
    peak = p95[np.isfinite(p95)]
    above = np.clip(pools.p95_ms[span] - band_ms, 0.0, None)
    failures = int(view.failed[span].sum())
    loaded = slice(view.surge - first, view.after - first)
    loaded_out = bool(out[loaded].any())
    loaded_out |= bool(view.failed[loaded].sum() > error_limit * view.started[loaded].sum())
    recovery_s = None if back is None else max(0.0, back - offset_s - found.burst.ends_s)
    load_s = found.burst.back_s - found.burst.ends_s
    return replace(
        found,
        baseline_p95_ms=median_ms,
        band_ms=band_ms,
        error_limit_ratio=error_limit,
        left_band=recovery_s != 0 or loaded_out,
        recovery_s=recovery_s,
        after_load_s=None if recovery_s is None else max(0.0, recovery_s - load_s),
        peak_ms=float(peak.max()) if len(peak) else None,
        failures=failures,
        area_ms_s=float(np.nansum(above)),
        hysteresis=_went_in_and_out(out, clear, view.after - first, until - first),
        out_again_s=0 if back is None else int(clear[back + HOLD_S - first :].sum()),
        unrecovered=_why(view, band_ms, error_limit) if back is None else "",
        t_s=first + np.arange(len(pools.p95_ms), dtype=np.float64) - offset_s,
        p95_ms=pools.p95_ms,
    )


def _per_second(windows: WindowTable, counts: Counts, first: int, last: int) -> Counts:
    inside = (windows.t_s >= first) & (windows.t_s < last)
    sums = np.bincount(windows.t_s[inside] - first, counts[inside], minlength=last - first)
    return sums.astype(np.int64)


def _sums(values: Counts, width: int) -> Counts:
    """The sum of each row of so many values; its place is that of the first of them."""
    running = np.concatenate(([0], np.cumsum(values)))
    found: Counts = running[width:] - running[:-width]
    return found


def _outside(view: _View, pool_s: int, band_ms: float) -> tuple[Mask, Mask]:
    """The pools that are outside of the band, and those that are so by more than chance."""
    pools = view.pools
    quiet = _sums(view.started, pool_s) < QUIET_SHARE * pool_s * view.rate
    quiet |= ~np.isfinite(pools.p95_ms)
    out = quiet | (pools.p95_ms > band_ms)
    clear, above = quiet.copy(), pools.above(band_ms)
    for i in np.flatnonzero((pools.p95_ms >= CLEAR_OF_BAND * band_ms) & ~quiet):
        clear[i] = 1 - binomial_cdf(int(above[i]) - 1, int(pools.n[i]), 0.05) < CLEAR_P
    return out, clear


def _held(view: _View, clear: Mask, band_ms: float, error_limit: float) -> Mask:
    """The seconds from which 10 s in a row are in the band.

    Their requests together decide, and no pool among them may be clearly outside: each pool by
    itself crosses the band's edge by chance now and then.
    """
    n = len(view.started) - HOLD_S + 1
    any_clear = _sums(clear.astype(np.int64), HOLD_S - view.pools.width_s + 1)[:n] > 0
    asked, failed = _sums(view.started, HOLD_S), _sums(view.failed, HOLD_S)
    found: Mask = ~any_clear & (view.holds.p95_ms <= band_ms) & (failed <= error_limit * asked)
    return found


def _stays(out: Mask) -> Mask:
    """The pools from which at least half of the next minute, or what is left of it, is in the band.

    In five minutes a service that is still slow has ten lucky seconds now and then.
    """
    running = np.concatenate(([0], np.cumsum(out)))
    begin = np.arange(len(out))
    end = np.minimum(begin + STAY_S, len(out))
    found: Mask = 2 * (running[end] - running[begin]) <= end - begin
    return found


def _went_in_and_out(out: Mask, clear: Mask, after: int, until: int) -> bool:
    """Whether the band was entered and clearly left again before it was kept."""
    was_out = was_in = False
    for i in range(after, min(until, len(out))):
        if clear[i] and was_in:
            return True
        was_out = was_out or bool(clear[i])
        was_in = was_out and (was_in or not out[i])
    return False


def _why(view: _View, band_ms: float, error_limit: float) -> str:
    """What kept the last 10 s from being good."""
    asked = int(view.started[-HOLD_S:].sum())
    failed = int(view.failed[-HOLD_S:].sum())
    if asked < QUIET_SHARE * HOLD_S * view.rate:
        return f"{asked} requests in the last {HOLD_S} s, {view.rate:.1f} a second before it"
    if failed > error_limit * asked:
        share = format_quantity(failed / asked, Unit.RATIO)
        return f"{share} of the requests of the last {HOLD_S} s failed"
    last_ms = float(view.holds.p95_ms[-1])
    worst = format_quantity(last_ms, Unit.MS) if math.isfinite(last_ms) else "unknown"
    return f"p95 {worst} in the last {HOLD_S} s, band up to {format_quantity(band_ms, Unit.MS)}"
