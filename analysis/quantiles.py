"""Percentiles over time, from histograms merged within each bin; never averaged percentiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.measured import Counts
from analysis.windows import BUCKET_VALUES_MS

Values = NDArray[np.float64]


def bin_quantiles_ms(
    matrix: Counts, quantiles: Sequence[float], values_ms: Values = BUCKET_VALUES_MS
) -> Values:
    """The latency at rank ceil(q·n) of each bin: a row a bin, a column a quantile.

    `matrix` has a row a bin and a column a bucket, whose latencies are `values_ms` where they are
    not all the buckets there are; an empty bin has NaN.
    """
    running = np.cumsum(matrix, axis=1)
    n = running[:, -1]
    columns = []
    for q in quantiles:
        rank = np.maximum(1, np.ceil(q * n - 1e-9))
        index = (running < rank[:, None]).sum(axis=1)
        values = values_ms[np.minimum(index, matrix.shape[1] - 1)]
        columns.append(np.where(n > 0, values, np.nan))
    return np.column_stack(columns)
