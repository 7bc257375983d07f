"""One endpoint in one second: what the recorder writes and everything after it reads.

A second is the one in which the request *started*, so a download that ends 30 s later still lands
in the second that caused it; two windows of one key are simply added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from otaload.record.histogram import Histogram

HISTOGRAMS = ("successes", "failures", "connects", "handshakes")
"""Those of a window."""


class WindowKey(NamedTuple):
    """What a window is about: Unix second (UTC), HTTP method (or Locust request type), endpoint."""

    second: int
    method: str
    endpoint: str


class Window:
    """Successes, failures and bytes of one endpoint in one second; a commutative monoid under `+`.

    Successes and failures are kept apart, because a fast 503 must not improve a percentile.
    `causes` counts the failures by their text; `retries` counts those requests that repeated one.
    `connects` (name lookup and TCP) and `handshakes` (TLS) are the set-up times of those requests
    that opened a connection, and are in their latencies as well; `resent` counts requests that
    were sent again on a new connection, because the kept one had been closed.
    """

    __slots__ = (
        "bytes_in",
        "causes",
        "connects",
        "failures",
        "handshakes",
        "resent",
        "retries",
        "successes",
    )

    def __init__(self) -> None:
        self.successes = Histogram()
        self.failures = Histogram()
        self.connects = Histogram()
        self.handshakes = Histogram()
        self.bytes_in = 0
        self.retries = 0
        self.resent = 0
        self.causes: dict[str, int] = {}

    @property
    def n(self) -> int:
        """Completed requests, successes and failures together."""
        return self.successes.n + self.failures.n

    def __iadd__(self, other: Window) -> Window:
        for name in HISTOGRAMS:
            mine: Histogram = getattr(self, name)
            mine += getattr(other, name)
        self.bytes_in += other.bytes_in
        self.retries += other.retries
        self.resent += other.resent
        for cause, count in other.causes.items():
            self.causes[cause] = self.causes.get(cause, 0) + count
        return self

    def __add__(self, other: Window) -> Window:
        total = Window()
        total += self
        total += other
        return total

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Window) and all(
            getattr(self, slot) == getattr(other, slot) for slot in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Window(successes={self.successes.n}, failures={self.failures.n})"


def window_to_json(key: WindowKey, window: Window) -> dict[str, Any]:
    """A window as the JSON object of one line in `windows.jsonl`; absent fields are zero or empty.

    A histogram is `{"counts": [index, count, index, count, …], "sum_us", "min_us", "max_us"}`.
    """
    record: dict[str, Any] = {
        "second": key.second,
        "method": key.method,
        "endpoint": key.endpoint,
    }
    for name in HISTOGRAMS:
        histogram: Histogram = getattr(window, name)
        if histogram.n:
            record[name] = {
                "counts": [part for pair in histogram.counts.items() for part in pair],
                "sum_us": histogram.sum_us,
                "min_us": histogram.min_us,
                "max_us": histogram.max_us,
            }
    if window.bytes_in:
        record["bytes_in"] = window.bytes_in
    if window.retries:
        record["retries"] = window.retries
    if window.resent:
        record["resent"] = window.resent
    if window.causes:
        record["causes"] = window.causes
    return record


def window_from_json(record: Mapping[str, Any]) -> tuple[WindowKey, Window]:
    """The window of one line of `windows.jsonl`.

    Raises `ValueError`, `KeyError` or `TypeError` where the record does not have that shape.
    """
    second, method, endpoint = record["second"], record["method"], record["endpoint"]
    if type(second) is not int or not isinstance(method, str) or not isinstance(endpoint, str):
        raise TypeError("a window is keyed by a whole second, a method and an endpoint")
    window = Window()
    for name in HISTOGRAMS:
        if record.get(name) is not None:
            setattr(window, name, histogram_from_json(record[name]))
    window.bytes_in = _count(record.get("bytes_in", 0))
    window.retries = _count(record.get("retries", 0))
    window.resent = _count(record.get("resent", 0))
    causes = record.get("causes", {})
    if not isinstance(causes, dict):
        raise TypeError("the causes are not an object")
    window.causes = {str(text): _count(n) for text, n in causes.items()}
    if sum(window.causes.values()) != window.failures.n:
        raise ValueError("the causes do not add up to the failures")
    return WindowKey(second, method, endpoint), window


def histogram_from_json(record: Mapping[str, Any]) -> Histogram:
    """The histogram in a window's JSON; raises as `window_from_json` does."""
    histogram = Histogram()
    flat = record["counts"]
    if len(flat) % 2:
        raise ValueError("the counts of a histogram come in pairs of index and count")
    for index, count in zip(flat[::2], flat[1::2], strict=True):
        histogram.counts[_count(index)] = histogram.counts.get(index, 0) + _count(count)
    histogram.n = sum(histogram.counts.values())
    histogram.sum_us = _count(record["sum_us"])
    histogram.min_us = _count(record["min_us"])
    histogram.max_us = _count(record["max_us"])
    return histogram


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a whole number of at least 0, not {value!r}")
    return value
