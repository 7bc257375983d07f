"""Sparse histograms add up as if each had been counted alone, wherever the pieces are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import cells as module
from analysis.cells import Cells, narrow

Rows = list[dict[int, int]]

ROWS = st.lists(st.dictionaries(st.integers(0, 40), st.integers(1, 300), max_size=5), max_size=12)


def cells_of(rows: Rows) -> Cells:
    """The histograms end to end, as narrow as a run's."""
    index = [bucket for row in rows for bucket in row]
    count = [n for row in rows for n in row.values()]
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in rows], dtype=np.int64)))
    return Cells(
        offsets.astype(np.int64),
        narrow(np.array(index, dtype=np.int64)),
        narrow(np.array(count, dtype=np.int64)),
    )


def rows_of(cells: Cells) -> Rows:
    """The histograms one by one."""
    bounds = zip(cells.offsets[:-1].tolist(), cells.offsets[1:].tolist(), strict=True)
    return [
        dict(zip(cells.index[a:b].tolist(), cells.count[a:b].tolist(), strict=True))
        for a, b in bounds
    ]


@given(rows=ROWS, random=st.randoms(use_true_random=False))
@pytest.mark.parametrize("cells_a_piece", [1, 3, 1 << 18])
def test_the_sum_of_each_bin_is_that_of_its_rows(cells_a_piece, rows, random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIECE", cells_a_piece)
        bins = np.array([random.randrange(-1, 3) for _ in rows], dtype=np.int64)
        matrix = cells_of(rows).summed(bins, 3)

    for number in range(3):
        expected: dict[int, int] = {}
        for row, of_bin in zip(rows, bins, strict=True):
            for bucket, n in row.items() if of_bin == number else ():
                expected[bucket] = expected.get(bucket, 0) + n
        found = {int(i): int(matrix[number, i]) for i in np.flatnonzero(matrix[number])}
        assert found == expected


@given(rows=ROWS, random=st.randoms(use_true_random=False))
@pytest.mark.parametrize("cells_a_piece", [1, 3, 1 << 18])
def test_picked_rows_are_the_rows_in_that_order(cells_a_piece, rows, random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIECE", cells_a_piece)
        wanted = [place for place in range(len(rows)) if random.random() < 0.6]
        random.shuffle(wanted)
        picked = cells_of(rows).rows(np.array(wanted, dtype=np.int64))

    assert rows_of(picked) == [rows[place] for place in wanted]


def test_neighbours_are_picked_without_a_copy() -> None:
    cells = cells_of([{1: 1}, {2: 2, 3: 3}, {4: 4}, {}])
    picked = cells.rows(np.array([1, 2]))

    assert rows_of(picked) == [{2: 2, 3: 3}, {4: 4}]
    assert picked.index is cells.index
    assert picked.summed(np.array([0, 0]), 1).tolist() == [[0, 0, 2, 3, 4]]


def test_rows_picked_from_picked_rows_are_those_of_the_whole() -> None:
    cells = cells_of([{1: 1}, {2: 2}, {3: 3}, {4: 4}]).rows(np.array([1, 2, 3]))

    assert rows_of(cells.rows(np.array([0, 2]))) == [{2: 2}, {4: 4}]


def test_counts_too_great_for_a_byte_stay_what_they_are() -> None:
    assert narrow(np.array([255])).dtype == np.uint8
    assert narrow(np.array([1, 70_000])).tolist() == [1, 70_000]
    assert narrow(np.array([2**52])).tolist() == [2**52]
    assert narrow(np.zeros(0, np.int64)).tolist() == []
