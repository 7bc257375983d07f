"""Latency by percentile: the whole distribution of some requests, drawn out towards its tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.levels import HOUR_WINDOWS, Drift
from analysis.limits import ALL_REQUESTS
from analysis.measured import Counts
from analysis.quantiles import Values, bin_quantiles_ms
from analysis.runs import Run
from analysis.windows import Mask, WindowTable

POINTS_A_DECADE = 20
FARTHEST = 1e6
"""The curve ends at one request in so many, or with the slowest of all."""


@dataclass(frozen=True)
class PercentileCurve:
    """The latency at each quantile of `n` successful requests.

    The quantiles close in on 1 by equal ratios of the share that is slower, and end at 1 − 1/n:
    only the slowest request, of `slowest_ms`, lies beyond it. `counts` is what they are read from.
    """

    label: str
    n: int
    quantiles: Values
    latency_ms: Values
    counts: Counts
    slowest_ms: float

    def at(self, quantile: float) -> float | None:
        """The latency at any quantile; None where no request lies beyond it."""
        if (1 - quantile) * self.n < 1 - 1e-9:
            return None
        return float(bin_quantiles_ms(self.counts[None, :], [quantile])[0, 0])


def percentile_curve(label: str, counts: Counts, slowest_us: int) -> PercentileCurve | None:
    """The curve of a histogram, a count for each bucket; None where it is empty."""
    n = int(counts.sum())
    if not n:
        return None
    last = min(float(n), FARTHEST)
    steps = max(2, int(np.ceil(np.log10(last) * POINTS_A_DECADE)) + 1)
    quantiles: Values = 1 - 1 / np.geomspace(1.0, last, steps) if n > 1 else np.zeros(1)
    latency_ms = bin_quantiles_ms(counts[None, :], quantiles.tolist())[0]
    return PercentileCurve(label, n, quantiles, latency_ms, counts, slowest_us / 1000)


def endpoint_curves(run: Run, *, most: int) -> tuple[PercentileCurve, ...]:
    """The curves of the busiest endpoints, and last, where there are several, of all requests."""
    groups = [(run.labels[endpoint], [endpoint]) for endpoint in run.endpoints[:most]]
    if len(run.endpoints) > 1:
        groups.append((ALL_REQUESTS, list(run.endpoints)))
    curves = []
    for label, endpoints in groups:
        table = run.windows.of(endpoints)
        counts = table.matrix(np.zeros(len(table.t_s), np.int64), 1)[0]
        slowest_us = _slowest_us(table, np.ones(len(table.t_s), np.bool_))
        curves.append(percentile_curve(label, counts, slowest_us))
    return tuple(curve for curve in curves if curve is not None)


def hour_curves(run: Run, drift: Drift) -> tuple[PercentileCurve, ...]:
    """All requests of the first and of the last hour that the drift compares.

    In a run too short for hours they are its first and last eighth after the warm-up.
    """
    times, half = drift.window_t_s, drift.window_s / 2
    if len(times) < 2 * HOUR_WINDOWS:
        return ()
    hour = "hour" if not drift.indicative else "eighth"
    ends = (
        (f"first {hour}", times[0] - half, times[HOUR_WINDOWS - 1] + half),
        (f"last {hour}", times[-HOUR_WINDOWS] - half, times[-1] + half),
    )
    t_s = run.windows.t_s
    bins = np.full(len(t_s), -1)
    for number, (_, begin_s, end_s) in enumerate(ends):
        bins[(t_s >= begin_s) & (t_s < end_s)] = number
    matrix = run.windows.matrix(bins, len(ends))
    curves = [
        percentile_curve(ends[i][0], matrix[i], _slowest_us(run.windows, bins == i))
        for i in range(len(ends))
    ]
    return tuple(curve for curve in curves if curve is not None)


def _slowest_us(table: WindowTable, rows: Mask) -> int:
    """The slowest success of some rows, exact where their histograms are not."""
    return int(table.max_us[rows & (table.successes > 0)].max(initial=0))
