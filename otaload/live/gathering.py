"""What a master has from its workers and has not written yet.

The reports on one second come within moments of each other. They are added up for a quarter of a
second and then written as one line an endpoint, where a thousand workers would make a thousand.
A master that is killed loses that quarter beside the second that its workers were still counting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import gevent

from otaload.live.reports import Report
from otaload.record import Names, Window, WindowKey
from otaload.record.packing import PackedSum

GATHER_S = 0.25


class Gathering:
    """Adds reports up; calls `hand_over` with windows and rows of health once they have waited.

    Each worker bounds its own names; `names` bounds those of all together. A disk that cannot be
    written is the business of `hand_over`.
    """

    def __init__(
        self, hand_over: Callable[[list[tuple[WindowKey, Window]], list[dict[str, Any]]], None]
    ) -> None:
        self.names = Names()
        self._hand_over = hand_over
        self._sums: dict[WindowKey, PackedSum] = {}
        self._rows: list[dict[str, Any]] = []
        self._timer: gevent.Greenlet[[], None] | None = None

    def add(self, report: Report) -> None:
        """Take a report in."""
        sums = self._sums
        for key, window in report.windows:
            found = sums.get(key)
            if found is None:
                found = sums[key] = PackedSum()
            found += window
        self._rows += report.health
        if self._timer is None:
            self._timer = gevent.spawn_later(GATHER_S, self._hand_over_now)

    def flush(self) -> None:
        """Hand over what there is, now."""
        if self._timer is not None:
            self._timer.kill(block=False)
        self._hand_over_now()

    def _hand_over_now(self) -> None:
        self._timer = None
        sums, self._sums = self._sums, {}
        rows, self._rows = self._rows, []
        if sums or rows:
            windows = self._bounded((key, found.window()) for key, found in sums.items())
            self._hand_over(windows, rows)

    def _bounded(
        self, windows: Iterable[tuple[WindowKey, Window]]
    ) -> list[tuple[WindowKey, Window]]:
        names = self.names
        bounded: dict[WindowKey, Window] = {}
        for key, window in windows:
            if window.causes:
                causes: dict[str, int] = {}
                for cause, n in window.causes.items():
                    text = names.cause(cause, n)
                    causes[text] = causes.get(text, 0) + n
                window.causes = causes
            shown = WindowKey(key.second, *names.endpoint(key.method, key.endpoint, window.n))
            found = bounded.setdefault(shown, window)
            if found is not window:
                found += window
        return list(bounded.items())
