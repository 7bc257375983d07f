"""All windows of a run as numpy columns, with their sparse histograms laid end to end.

The histogram of row i is `index[offsets[i]:offsets[i + 1]]` with `count` beside it, so that eight
hours of four endpoints are merged, cut into bins and turned into percentiles without a Python loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.cells import Cells, Whole
from analysis.measured import Counts, Endpoint
from otaload.record import Histogram, bucket_bounds_us

Mask = NDArray[np.bool_]

MAX_BUCKET = 7296
"""One above the bucket of 2^63 µs; an index beyond it is damage, not a latency."""


@dataclass(frozen=True)
class WindowTable:
    """One row a line of `windows.jsonl`; `t_s` counts from the run's first second.

    `endpoint` indexes `endpoints`; `index` and `count` are the sparse histograms of successes,
    and `sum_us`, `min_us` and `max_us` belong to them.
    """

    endpoints: tuple[Endpoint, ...]
    t_s: Counts
    endpoint: Counts
    successes: Counts
    failures: Counts
    bytes_in: Counts
    retries: Counts
    sum_us: Counts
    min_us: Counts
    max_us: Counts
    offsets: Counts
    index: Whole
    count: Whole

    @property
    def cells(self) -> Cells:
        """The sparse histograms, for what is done with them alone."""
        return Cells(self.offsets, self.index, self.count)

    def of(self, endpoints: Sequence[Endpoint]) -> WindowTable:
        """The rows of some endpoints."""
        wanted = [i for i, endpoint in enumerate(self.endpoints) if endpoint in endpoints]
        if len(wanted) == len(self.endpoints):
            return self
        return self.where(np.isin(self.endpoint, wanted))

    def where(self, rows: Mask) -> WindowTable:
        """The rows for which a mask is true."""
        return self.rows(np.flatnonzero(rows))

    def rows(self, wanted: Counts) -> WindowTable:
        """Some rows, by their places and in that order."""
        columns = {name: getattr(self, name)[wanted] for name in COLUMNS}
        cells = self.cells.rows(wanted)
        return replace(self, **columns, offsets=cells.offsets, index=cells.index, count=cells.count)

    def by_endpoint(self) -> WindowTable:
        """The same rows with those of an endpoint together, so that picking it copies nothing."""
        return self.rows(np.argsort(self.endpoint, kind="stable"))

    def matrix(self, bins: Counts, n_bins: int) -> Counts:
        """The successes as a histogram for each bin: a row a bin, a column a bucket.

        `bins` says for each row of the table which bin it falls into; -1 leaves it out.
        """
        return self.cells.summed(bins, n_bins)

    def histogram(self) -> Histogram:
        """All successes, merged."""
        merged = Histogram()
        counts = self.cells.summed(np.zeros(len(self.t_s), np.int64), 1)[0]
        merged.counts = {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
        merged.n = sum(merged.counts.values())
        if merged.n:
            filled = self.successes > 0
            merged.sum_us = int(self.sum_us[filled].sum())
            merged.min_us = int(self.min_us[filled].min())
            merged.max_us = int(self.max_us[filled].max())
        return merged


COLUMNS = (
    "t_s",
    "endpoint",
    "successes",
    "failures",
    "bytes_in",
    "retries",
    "sum_us",
    "min_us",
    "max_us",
)

BUCKET_VALUES_MS: NDArray[np.float64] = np.array(
    [sum(bucket_bounds_us(index)) / 2000 for index in range(MAX_BUCKET)]
)
"""The latency that stands for each bucket, its middle, in milliseconds."""
