"""Latencies in bins of time: the histograms that charts over time and heatmaps are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.measured import Counts, Endpoint
from analysis.quantiles import Values
from analysis.runs import Run
from analysis.windows import BUCKET_VALUES_MS

WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MOST_POINTS, FEWEST_POINTS = 150, 12
WANTED_IN_BIN = 100
"""Requests in a bin below which its p99 is but its maximum."""

ROWS = 30
LEAST_SPAN = 4.0
"""The heatmap's slowest latency is shown at least so many times above its fastest."""


@dataclass(frozen=True)
class LatencyBins:
    """The successes of some endpoints: `matrix` has a row a bin of time and a column a bucket.

    `max_ms` is the slowest of each bin, NaN in an empty one; the last bin may be cut short.
    """

    width_s: int
    matrix: Counts
    max_ms: Values

    @property
    def t_s(self) -> Values:
        """The middle of each bin, in seconds after the start."""
        middles: Values = np.arange(0.5, len(self.matrix)) * self.width_s
        return middles

    @property
    def n(self) -> Counts:
        """The successful requests of each bin."""
        totals: Counts = self.matrix.sum(axis=1)
        return totals


@dataclass(frozen=True)
class Heatmap:
    """How the requests of each bin of time are spread over latency.

    `share_ratio` has a row a stretch of latency, the fastest first, and a column a bin of time; a
    column adds up to 1, or to 0 where nothing succeeded. `edges_ms` bound the rows.
    """

    width_s: int
    edges_ms: Values
    share_ratio: Values


def bin_width_s(duration_s: int, n: int | None = None) -> int:
    """A round width that gives at most 150 points, and about 100 requests a bin if that leaves 12.

    `n` is how many requests share the bins; without it only the number of points counts.
    """
    allowed = [width for width in WIDTHS_S if duration_s / width <= MOST_POINTS] or [WIDTHS_S[-1]]
    if n is None:
        return allowed[0]
    for width in allowed:
        if duration_s / width <= FEWEST_POINTS or n * width / duration_s >= WANTED_IN_BIN:
            return width
    return allowed[-1]


def latency_bins(run: Run, endpoints: Sequence[Endpoint]) -> LatencyBins:
    """The successes of some endpoints over the whole run."""
    table = run.windows.of(endpoints)
    width_s = bin_width_s(run.duration_s, int(table.successes.sum()))
    n_bins = -(-run.duration_s // width_s)
    bins = table.t_s // width_s
    slowest = np.zeros(n_bins, np.int64)
    inside = (table.successes > 0) & (bins < n_bins)
    np.maximum.at(slowest, bins[inside], table.max_us[inside])
    max_ms = np.where(slowest > 0, slowest / 1000, np.nan)
    return LatencyBins(width_s, table.matrix(bins, n_bins), max_ms)


def heatmap(bins: LatencyBins) -> Heatmap | None:
    """The bins as a heatmap with rows of equal width on a log scale; None without a success."""
    filled = np.flatnonzero(bins.matrix.sum(axis=0))
    if not len(filled):
        return None
    low, high = (float(max(BUCKET_VALUES_MS[i], 1e-3)) for i in (filled[0], filled[-1]))
    room = max(1.0, LEAST_SPAN / (high / low)) ** 0.5
    edges: Values = np.geomspace(low / room / 1.02, high * room * 1.02, ROWS + 1)
    rows = np.clip(np.searchsorted(edges, BUCKET_VALUES_MS[filled], side="right") - 1, 0, ROWS - 1)
    counts = np.zeros((ROWS, len(bins.matrix)))
    np.add.at(counts, rows, bins.matrix[:, filled].T)
    share = counts / np.maximum(1, bins.n)
    return Heatmap(bins.width_s, edges, share)
