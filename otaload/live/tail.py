"""The last seconds of a run in memory: for the progress line and for live rules."""

from __future__ import annotations

from collections.abc import Iterable

from otaload.record import Window, WindowKey

KEEP_S = 120
"""Enough for the progress line and for the slices of a breakpoint run."""


class Tail:
    """Windows of the last `keep_s` seconds, merged over workers."""

    def __init__(self, *, keep_s: int = KEEP_S) -> None:
        self.keep_s = keep_s
        self._seconds: dict[int, dict[str, Window]] = {}
        self.endpoints: set[str] = set()
        self.requests = 0
        self.failures = 0

    def add(self, windows: Iterable[tuple[WindowKey, Window]]) -> None:
        """Add windows as they are flushed or reported."""
        for key, window in windows:
            self.endpoints.add(key.endpoint)
            self.requests += window.n
            self.failures += window.failures.n
            second = self._seconds.setdefault(key.second, {})
            if key.endpoint in second:
                second[key.endpoint] += window
            else:
                second[key.endpoint] = Window() + window
        newest = max(self._seconds, default=0)
        for old in [s for s in self._seconds if s < newest - self.keep_s]:
            del self._seconds[old]

    @property
    def oldest_kept(self) -> int:
        """The second before which nothing is in memory any more."""
        return max(self._seconds, default=0) - self.keep_s

    def count(self, second: int) -> int:
        """The requests of a second so far."""
        return sum(window.n for window in self._seconds.get(second, {}).values())

    def between(self, first: int, end: int) -> dict[str, Window]:
        """The windows of the seconds in [first, end), by endpoint."""
        merged: dict[str, Window] = {}
        for second in range(first, end):
            for endpoint, window in self._seconds.get(second, {}).items():
                merged.setdefault(endpoint, Window()).__iadd__(window)
        return merged


def merge(windows: Iterable[Window]) -> Window:
    """All windows as one."""
    total = Window()
    for window in windows:
        total += window
    return total
