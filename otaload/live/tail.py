"""The last seconds of a run in memory: for the progress line and for live rules."""

from __future__ import annotations

from collections.abc import Iterable

from otaload.record import Window, WindowKey


class Tail:
    """Windows of the last `keep_s` seconds, merged over workers."""

    def __init__(self, *, keep_s: int = 120) -> None:
        self.keep_s = keep_s
        self._seconds: dict[int, dict[str, Window]] = {}
        self.requests = 0
        self.failures = 0

    def add(self, windows: Iterable[tuple[WindowKey, Window]]) -> None:
        """Add windows as they are flushed or reported."""
        for key, window in windows:
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
