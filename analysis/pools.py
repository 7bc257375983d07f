"""The p95 of neighbouring seconds pooled, second by second.

The pool of a second is that of the seconds that begin with it: one that begins after the last slow
request holds none, so that the moment at which a service comes back stays sharp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.measured import Counts
from analysis.quantiles import Values, bin_quantiles_ms
from analysis.windows import BUCKET_VALUES_MS, WindowTable

_CHUNK_S = 1000
"""Seconds that are laid out as a matrix at a time, which bounds the memory that takes."""


@dataclass(frozen=True)
class Pools:
    """One pool a second: its p95 in ms (NaN without a success) and its successes in flight.

    `seconds` and `values_ms` are those successes one by one, in groups of `counts`.
    """

    p95_ms: Values
    n: Counts
    width_s: int
    seconds: Counts
    values_ms: Values
    counts: Counts

    def above(self, limit_ms: float) -> Counts:
        """How many requests of each pool took longer than a limit."""
        slow = self.values_ms > limit_ms
        n_seconds = len(self.n) + self.width_s - 1
        per_second = np.bincount(self.seconds[slow], self.counts[slow], minlength=n_seconds)
        running = np.concatenate(([0], np.cumsum(per_second)))
        found: Counts = (running[self.width_s :] - running[: -self.width_s]).astype(np.int64)
        return found


def pool(windows: WindowTable, *, first: int, last: int, width_s: int) -> Pools:
    """The pools of the seconds from `first` to before `last`, all of them whole."""
    seconds, index, counts = in_flight(windows, first, last)
    buckets, column = np.unique(index, return_inverse=True)
    n_pools = last - first - width_s + 1
    p95_ms, n = np.full(n_pools, np.nan), np.zeros(n_pools, np.int64)
    for begin in range(0, n_pools if len(buckets) else 0, _CHUNK_S):
        end = min(begin + _CHUNK_S, n_pools)
        rows = end - begin + width_s - 1
        inside = (seconds >= begin) & (seconds < begin + rows)
        cells = (seconds[inside] - begin) * len(buckets) + column[inside]
        flat = np.bincount(cells, counts[inside], minlength=rows * len(buckets))
        matrix = flat.astype(np.int64).reshape(rows, len(buckets))
        running = np.concatenate((matrix[:1] * 0, np.cumsum(matrix, axis=0)))
        pooled = running[width_s:] - running[:-width_s]
        n[begin:end] = pooled.sum(axis=1)
        p95_ms[begin:end] = bin_quantiles_ms(pooled, [0.95], BUCKET_VALUES_MS[buckets])[:, 0]
    return Pools(p95_ms, n, width_s, seconds, BUCKET_VALUES_MS[index], counts)


def in_flight(windows: WindowTable, first: int, last: int) -> tuple[Counts, Counts, Counts]:
    """Each success in every second that it was in flight in: second, bucket and count.

    A request starts in the middle of its second, as far as is known; seconds count from `first`.
    """
    row = np.repeat(np.arange(len(windows.t_s)), np.diff(windows.offsets))
    started = windows.t_s[row] - first
    took_s = BUCKET_VALUES_MS[windows.index] / 1000
    spans = np.maximum(1, np.ceil(took_s + 0.5).astype(np.int64))
    near = (started + spans > 0) & (started < last - first)
    started, spans = started[near], spans[near]
    cell = np.repeat(np.arange(len(started)), spans)
    step = np.arange(len(cell)) - np.repeat(np.cumsum(spans) - spans, spans)
    seconds = started[cell] + step
    inside = (seconds >= 0) & (seconds < last - first)
    return (
        seconds[inside],
        windows.index[near][cell][inside],
        windows.count[near][cell][inside],
    )
