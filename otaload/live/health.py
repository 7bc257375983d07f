"""The generator's own health: a generator that is late measures itself, not the service.

A timer is set every 50 ms; how late it wakes is the lag that requests of this process suffered too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

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

    def start(self) -> None:
        """Begin to sample, in a greenlet of its own."""
        self.stop()
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End sampling; rows gathered stay until taken."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
            if further := self._also(None):
                # Counts of the second under way are not lost; what is known of its health is not.
                self._rows.append(self._row(int(time.time()), 0.0, 0.0) | further)

    def take(self) -> list[dict[str, Any]]:
        """Hand over the rows gathered since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def _run(self) -> None:
        second = int(time.time())
        cpu_s, wall_s = time.process_time(), time.monotonic()
        worst_s = 0.0
        while True:
            due = time.monotonic() + TICK_S
            gevent.sleep(TICK_S)
            now = time.monotonic()
            worst_s = max(worst_s, now - due)
            if int(time.time()) != second:
                new_cpu_s = time.process_time()
                cpu = (new_cpu_s - cpu_s) / max(now - wall_s, 1e-9)
                row = self._row(second, cpu, worst_s * 1000)
                self._rows.append(row | self._also(int(time.time())))
                second, cpu_s, wall_s, worst_s = int(time.time()), new_cpu_s, now, 0.0

    def _row(self, second: int, cpu: float, lag_ms: float) -> dict[str, Any]:
        return {
            "second": second,
            "process": self._process,
            "users": self._count_users(),
            "cpu": round(cpu, 3),
            "lag_ms": round(lag_ms, 2),
        }
