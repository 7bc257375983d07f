"""All windows of a run as numpy columns, with their sparse histograms laid end to end.

The histogram of row i is `index[offsets[i]:offsets[i + 1]]` with `count` beside it, so that eight
hours of four endpoints are merged, cut into bins and turned into percentiles without a Python loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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
    index: Counts
    count: Counts

    def of(self, endpoints: Sequence[Endpoint]) -> WindowTable:
        """The rows of some endpoints."""
        wanted = [i for i, endpoint in enumerate(self.endpoints) if endpoint in endpoints]
        if len(wanted) == len(self.endpoints):
            return self
        return self.where(np.isin(self.endpoint, wanted))

    def where(self, rows: Mask) -> WindowTable:
        """The rows for which a mask is true."""
        lengths = np.diff(self.offsets)
        cells = np.repeat(rows, lengths)
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        offsets = np.concatenate(([0], np.cumsum(lengths[rows])))
        return replace(
            self, **columns, offsets=offsets, index=self.index[cells], count=self.count[cells]
        )

    def matrix(self, bins: Counts, n_bins: int) -> Counts:
        """The successes as a histogram for each bin: a row a bin, a column a bucket.

        `bins` says for each row of the table which bin it falls into; -1 leaves it out.
        """
        width = int(self.index.max()) + 1 if len(self.index) else 1
        cell_bins = np.repeat(bins, np.diff(self.offsets))
        used = cell_bins >= 0
        cells = cell_bins[used] * width + self.index[used]
        flat = np.bincount(cells, weights=self.count[used], minlength=n_bins * width)
        return flat.astype(np.int64).reshape(n_bins, width)

    def histogram(self) -> Histogram:
        """All successes, merged."""
        merged = Histogram()
        counts = np.bincount(self.index, weights=self.count) if len(self.index) else np.zeros(0)
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
