"""Windows on their way from one process to another, and how the many of one key are added up.

A histogram's buckets are most of a window. They travel as two rows of whole numbers in the
machine's own order, indices of two bytes and counts of four, and stay so until they are added:
then a bucket costs one step in place of the six that parsing, checking and merging it would take.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple

from otaload.record.histogram import Histogram
from otaload.record.window import HISTOGRAMS, Window, WindowKey

FORMAT = b"otl3" + sys.byteorder[:1].encode()
"""Names the way windows are packed; changed with it, and another on a machine of another order."""

_INDEX: Final = "H"
_COUNT: Final = "I"
_INDEX_BYTES, _COUNT_BYTES = array(_INDEX).itemsize, array(_COUNT).itemsize
_INDICES = 1 << 8 * _INDEX_BYTES
_MANY = 20_000
"""Buckets from which a row with a place for each index is filled faster than a sparse one."""


class PackedHistogram(NamedTuple):
    """A histogram that is not empty; each index has its count at the same place."""

    indices: bytes
    counts: bytes
    sum_us: int
    min_us: int
    max_us: int


class PackedWindow(NamedTuple):
    """A window; its histograms are those of `HISTOGRAMS`, None where empty."""

    bytes_in: int
    retries: int
    resent: int
    causes: dict[str, int]
    histograms: tuple[PackedHistogram | None, ...]


def pack_window(window: Window) -> PackedWindow:
    """A window, ready to travel."""
    histograms = tuple(_pack(getattr(window, name)) for name in HISTOGRAMS)
    return PackedWindow(window.bytes_in, window.retries, window.resent, window.causes, histograms)


def to_wire(windows: Iterable[tuple[WindowKey, PackedWindow]]) -> tuple[list[list[Any]], bytes]:
    """An entry for each window, fit for JSON, and the buckets of all, end to end."""
    entries: list[list[Any]] = []
    rows: list[bytes] = []
    for key, window in windows:
        heads: list[list[int] | None] = []
        for histogram in window.histograms:
            if histogram is None:
                heads.append(None)
                continue
            indices, counts, *numbers = histogram
            heads.append([len(indices) // _INDEX_BYTES, *numbers])
            rows += indices, counts
        entries.append([*key, *window[:4], heads])
    return entries, b"".join(rows)


def from_wire(
    entries: Iterable[Sequence[Any]], buckets: bytes
) -> list[tuple[WindowKey, PackedWindow]]:
    """The windows of some entries and buckets.

    Raises `ValueError`, `TypeError` or `AttributeError` where they do not fit together.
    """
    windows, at = [], 0
    for second, method, endpoint, bytes_in, retries, resent, causes, heads in entries:
        if type(second) is not int or type(method) is not str or type(endpoint) is not str:
            raise TypeError("a window is keyed by a whole second, a method and an endpoint")
        histograms: list[PackedHistogram | None] = []
        for head in heads:
            if head is None:
                histograms.append(None)
                continue
            filled, *numbers = head
            middle = at + _whole(filled) * _INDEX_BYTES
            end = middle + filled * _COUNT_BYTES
            sum_us, min_us, max_us = map(_whole, numbers)
            rows = buckets[at:middle], buckets[middle:end]
            histograms.append(PackedHistogram(*rows, sum_us, min_us, max_us))
            at = end
        if len(histograms) != len(HISTOGRAMS):
            raise ValueError(f"a window has {len(HISTOGRAMS)} histograms, not {len(histograms)}")
        numbers_in = _whole(bytes_in), _whole(retries), _whole(resent)
        window = PackedWindow(*numbers_in, causes, tuple(histograms))
        _check_causes(window)
        windows.append((WindowKey(second, method, endpoint), window))
    if at != len(buckets):
        raise ValueError("the buckets are not those of the histograms")
    return windows


class PackedSum:
    """Packed windows of one key, added up when they are asked for."""

    def __init__(self) -> None:
        self._window = Window()
        self._parts: tuple[list[PackedHistogram], ...] = tuple([] for _ in HISTOGRAMS)

    def __iadd__(self, other: PackedWindow) -> PackedSum:
        window = self._window
        window.bytes_in += other.bytes_in
        window.retries += other.retries
        window.resent += other.resent
        for cause, count in other.causes.items():
            window.causes[cause] = window.causes.get(cause, 0) + count
        for parts, histogram in zip(self._parts, other.histograms, strict=True):
            if histogram is not None:
                parts.append(histogram)
        return self

    def window(self) -> Window:
        """The sum; nothing may be added after it."""
        for name, parts in zip(HISTOGRAMS, self._parts, strict=True):
            if parts:
                _fill(getattr(self._window, name), parts)
        return self._window


def _pack(histogram: Histogram) -> PackedHistogram | None:
    counts = histogram.counts
    if not counts:
        return None
    return PackedHistogram(
        array(_INDEX, counts).tobytes(),
        array(_COUNT, counts.values()).tobytes(),
        histogram.sum_us,
        histogram.min_us,
        histogram.max_us,
    )


def _fill(histogram: Histogram, parts: Sequence[PackedHistogram]) -> None:
    """Make an empty histogram the sum of some parts."""
    indices = memoryview(b"".join([part.indices for part in parts])).cast(_INDEX)
    counts = memoryview(b"".join([part.counts for part in parts])).cast(_COUNT)
    if len(indices) < _MANY:
        found = histogram.counts
        for index, count in zip(indices, counts, strict=True):
            found[index] = found.get(index, 0) + count
    else:
        row = [0] * _INDICES
        for index, count in zip(indices, counts, strict=True):
            row[index] += count
        histogram.counts = {index: row[index] for index in compress(range(_INDICES), row)}
    histogram.n = sum(histogram.counts.values())
    histogram.sum_us = sum(part.sum_us for part in parts)
    histogram.min_us = min(part.min_us for part in parts)
    histogram.max_us = max(part.max_us for part in parts)


def _check_causes(window: PackedWindow) -> None:
    failures = window.histograms[HISTOGRAMS.index("failures")]
    failed = 0 if failures is None else sum(memoryview(failures.counts).cast(_COUNT))
    if sum(map(_whole, window.causes.values())) != failed:
        raise ValueError("the causes do not add up to the failures")


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a whole number of at least 0, not {value!r}")
    return value
