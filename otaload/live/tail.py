"""The last seconds of a run in memory: for the progress line and for live rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from otaload.record import Window, WindowKey

AHEAD_S = 60
KEEP_S = 120
"""Enough for the progress line and for the slices of a breakpoint run."""


class Tail:
    """Windows of the last `keep_s` seconds, merged over workers."""

    def __init__(self, *, keep_s: int = KEEP_S, clock: Callable[[], float] = time.time) -> None:
        self.keep_s = keep_s
        self._clock = clock
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
        forget_beyond(self._seconds, self.keep_s, now_s=self._clock())

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


def forget_beyond(seconds: dict[int, Any], keep_s: int, *, now_s: float) -> None:
    """Forget the seconds that are more than `keep_s` older than the newest one.

    Those that lie far ahead go, too, and are no newest: a client may tell another time, and a clock
    may be set back.
    """
    latest = now_s + AHEAD_S
    newest = max((second for second in seconds if second <= latest), default=0)
    for second in [s for s in seconds if not newest - keep_s <= s <= latest]:
        del seconds[second]


def merge(windows: Iterable[Window]) -> Window:
    """All windows as one."""
    total = Window()
    for window in windows:
        total += window
    return total
