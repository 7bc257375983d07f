"""Sparse histograms laid end to end: added up and picked out in pieces that fit in a cache.

A night of four endpoints fills eleven million cells; arrays as long as that, made and thrown away
for each question, would cost most of a judgement's time and memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.measured import Counts

Whole = NDArray[np.integer]
"""Whole numbers of any width: buckets and counts are kept as narrow as they fit."""

_PIECE = 1 << 18


@dataclass(frozen=True)
class Cells:
    """The histogram of row i is `index[offsets[i]:offsets[i + 1]]` with `count` beside it."""

    offsets: Counts
    index: Whole
    count: Whole

    @property
    def lengths(self) -> Counts:
        """How many buckets each row fills."""
        return np.diff(self.offsets)

    def summed(self, bins: Counts, n_bins: int) -> Counts:
        """A histogram for each bin: a row a bin, a column a bucket.

        `bins` says for each row which bin it falls into; -1 leaves it out.
        """
        low, high = int(self.offsets[0]), int(self.offsets[-1])
        width = int(self.index[low:high].max()) + 1 if high > low else 1
        flat: Counts = np.zeros(n_bins * width, dtype=np.int64)
        for first, last in self._pieces():
            part = bins[first:last]
            cells = np.repeat(part * width, np.diff(self.offsets[first : last + 1]))
            inside = slice(self.offsets[first], self.offsets[last])
            count = self.count[inside]
            cells += self.index[inside]
            if part.min() < 0:
                used = np.repeat(part >= 0, np.diff(self.offsets[first : last + 1]))
                cells, count = cells[used], count[used]
            if len(cells):
                begin = int(cells.min())
                cells -= begin
                found = np.bincount(cells, weights=count)
                flat[begin : begin + len(found)] += found.astype(np.int64)
        return flat.reshape(n_bins, width)

    def rows(self, wanted: Counts) -> Cells:
        """Some rows, by their places and in that order; neighbours in place are not copied."""
        if len(wanted) and (np.diff(wanted) == 1).all():
            first, last = int(wanted[0]), int(wanted[-1]) + 1
            return Cells(self.offsets[first : last + 1], self.index, self.count)
        lengths = self.lengths[wanted]
        offsets: Counts = np.concatenate(([0], np.cumsum(lengths)))
        index = np.empty(offsets[-1], self.index.dtype)
        count = np.empty(offsets[-1], self.count.dtype)
        picked = Cells(offsets, index, count)
        moves = self.offsets[:-1][wanted] - offsets[:-1]
        for first, last in picked._pieces():
            begin, end = offsets[first], offsets[last]
            places = np.repeat(moves[first:last], lengths[first:last]) + np.arange(begin, end)
            index[begin:end] = self.index[places]
            count[begin:end] = self.count[places]
        return picked

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Stretches of rows, first and one beyond the last, of about `_PIECE` cells each."""
        ends = self.offsets[1:]
        first = 0
        while first < len(ends):
            last = int(np.searchsorted(ends, self.offsets[first] + _PIECE, side="right"))
            yield first, max(last, first + 1)
            first = max(last, first + 1)


def narrow(numbers: Counts) -> Whole:
    """The same numbers of at least 0 in as few bytes each as hold the greatest."""
    return numbers.astype(np.min_scalar_type(int(numbers.max()) if len(numbers) else 0))
