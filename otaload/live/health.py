"""The generator's own health: a generator that is late measures itself, not the service.

A timer is set every 50 ms; how late it wakes is the lag that requests of this process suffered too.
Where users keep a schedule, how well they kept it is told along with that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

from otaload.http import Lag, take_process_lag

TICK_S = 0.05


class HealthSampler:
    """Gathers one row a second: CPU in cores, the worst lag in ms, users of this process."""

    def __init__(
        self,
        process: str,
        count_users: Callable[[], int],
        *,
        also: Callable[[int | None], dict[str, Any]] = lambda _: {},
    ) -> None:
        """`also` gives further keys: what was counted before a second, or (None) all there is."""
        self._process = process
        self._count_users = count_users
        self._also = also
        self._rows: list[dict[str, Any]] = []
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._worst_s: float
        self._begin_second()

    def start(self) -> None:
        """Begin to sample, in a greenlet of its own."""
        self.stop()
        take_process_lag()  # what users of the run before left
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End sampling; rows gathered stay until taken."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
            kept, further = take_process_lag(), self._also(None)
            if kept.iterations or further:  # else a second that was cut short is not worth a row
                self._end_second(kept, further)

    def take(self) -> list[dict[str, Any]]:
        """Hand over the rows gathered since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def _run(self) -> None:
        self._begin_second()
        while True:
            due = time.monotonic() + TICK_S
            gevent.sleep(TICK_S)
            self._worst_s = max(self._worst_s, time.monotonic() - due)
            if int(time.time()) != self._second:
                self._end_second(take_process_lag(), self._also(int(time.time())))
                self._begin_second()

    def _begin_second(self) -> None:
        self._second = int(time.time())
        self._cpu_s, self._wall_s = time.process_time(), time.monotonic()
        self._worst_s = 0.0

    def _end_second(self, kept: Lag, further: dict[str, Any]) -> None:
        """Write the second's row; `kept` says how users kept their schedule, if they have one."""
        cpu_s, wall_s = time.process_time() - self._cpu_s, time.monotonic() - self._wall_s
        row: dict[str, Any] = {
            "second": self._second,
            "process": self._process,
            "users": self._count_users(),
            "cpu": round(cpu_s / max(wall_s, 1e-9), 3),
            "lag_ms": round(self._worst_s * 1000, 2),
        }
        if kept.iterations:
            row["iterations"], row["lost"] = kept.iterations, kept.lost
            row["late_sum_ms"] = round(kept.lag_sum_s * 1000, 2)
            row["late_max_ms"] = round(kept.lag_max_s * 1000, 2)
        self._rows.append(row | further)
