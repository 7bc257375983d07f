"""A log-linear latency histogram: 128 buckets for every power of two.

A value is kept in whole microseconds.
Values below 256 µs have a bucket each; above, a bucket is 2^e wide where its values are at least
128·2^e, so that its middle is within 1/256 (0.39 %) of each value in it.
An hour (3.6e9 µs) falls into bucket 3,444; a typical second of one endpoint fills under a
hundred buckets, which is why the counts are kept sparse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def bucket_index(value_us: int) -> int:
    """The bucket of a latency in whole microseconds; one below 0 (a stepped clock) counts as 0."""
    if value_us < 256:
        return max(value_us, 0)
    exponent = value_us.bit_length() - 8
    return (exponent << 7) + (value_us >> exponent)


def bucket_bounds_us(index: int) -> tuple[int, int]:
    """The smallest and the largest whole microsecond that fall into a bucket."""
    if index < 256:
        return index, index
    exponent = (index >> 7) - 1
    low = (index - (exponent << 7)) << exponent
    return low, low + (1 << exponent) - 1


def bucket_value_us(index: int) -> float:
    """The latency that stands for a bucket: its middle."""
    low, high = bucket_bounds_us(index)
    return (low + high) / 2


class Histogram:
    """How often each latency was seen; a commutative monoid under `+`.

    `counts` maps a bucket's index to its count, `sum_us` is exact, and so are `min_us` and `max_us`
    (`min_us` is -1 while empty).
    """

    __slots__ = ("counts", "max_us", "min_us", "n", "sum_us")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.n = 0
        self.sum_us = 0
        self.min_us = -1
        self.max_us = 0

    @classmethod
    def of(cls, values_us: Iterable[int]) -> Histogram:
        """The histogram of some latencies in whole microseconds."""
        histogram = cls()
        for value_us in values_us:
            histogram.record(value_us)
        return histogram

    def record(self, value_us: int) -> None:
        """Count one latency in whole microseconds."""
        # bucket_index, written out: this is the line that every request passes.
        if value_us < 256:
            value_us = max(value_us, 0)
            index = value_us
        else:
            exponent = value_us.bit_length() - 8
            index = (exponent << 7) + (value_us >> exponent)
        counts = self.counts
        counts[index] = counts.get(index, 0) + 1
        self.n += 1
        self.sum_us += value_us
        if value_us > self.max_us:
            self.max_us = value_us
        if value_us < self.min_us or self.min_us < 0:
            self.min_us = value_us

    def quantile_us(self, q: float) -> float | None:
        """The latency at rank ceil(q·n), within 0.39 %; None while empty.

        The answer is kept inside the exact minimum and maximum.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        if not self.n:
            return None
        rank = max(1, math.ceil(q * self.n - 1e-9))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                return min(max(bucket_value_us(index), self.min_us), self.max_us)
        raise AssertionError("the buckets hold fewer values than were counted")

    def __iadd__(self, other: Histogram) -> Histogram:
        if not other.n:
            return self
        counts = self.counts
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count
        self.min_us = other.min_us if not self.n else min(self.min_us, other.min_us)
        self.max_us = max(self.max_us, other.max_us)
        self.n += other.n
        self.sum_us += other.sum_us
        return self

    def __add__(self, other: Histogram) -> Histogram:
        total = Histogram()
        total += self
        total += other
        return total

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and all(
            getattr(self, slot) == getattr(other, slot) for slot in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Histogram(n={self.n}, min_us={self.min_us}, max_us={self.max_us})"
