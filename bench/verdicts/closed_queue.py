"""A service with a known limit: users that think, and servers that they queue for.

A closed network, event by event and exact: a user thinks, asks, waits for the first free of `c`
servers in the order of arrival, is served, and thinks again. On top lies what real services have:
slow waves of their speed, pauses of a garbage collector, rare errors, and incidents.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from random import Random

from otaload.record import Window, WindowKey


@dataclass(frozen=True)
class Service:
    """What is simulated; `sigma` is the spread of its log-normal service times, 0 for constant.

    Its speed changes by `wave_ratio` with a period of `wave_s`; every `pause_every_s` it stands
    still for `pause_s`. `requests` are sent one after the other before a user thinks again.
    """

    servers: int
    service_s: float
    sigma: float = 0.5
    think_s: tuple[float, float] = (1.0, 3.0)
    wave_ratio: float = 0.0
    wave_s: float = 300.0
    pause_s: float = 0.0
    pause_every_s: float = 20.0
    error_ratio: float = 0.0

    @property
    def capacity_rps(self) -> float:
        """The most requests that it can answer in a second."""
        return self.servers / self.service_s


@dataclass(frozen=True)
class Incident:
    """A stretch in which the service stands still, is slower by a factor, or answers errors."""

    begin_s: float
    seconds: float
    slower: float = 1.0
    stalls: bool = False
    fails: bool = False

    def covers(self, now_s: float) -> bool:
        """Whether a moment lies in it."""
        return self.begin_s <= now_s < self.begin_s + self.seconds


class ClosedQueue:
    """Plays a service second by second; `second` hands out what was answered in one."""

    def __init__(self, service: Service, rng: Random, incident: Incident | None = None) -> None:
        self._service = service
        self._rng = rng
        self._incident = incident
        self._phase = rng.uniform(0, 2 * math.pi)
        self._pause_at_s = rng.uniform(0, service.pause_every_s)
        self._free_s = [0.0] * service.servers
        self._asks_s: list[float] = []
        self._answered: dict[int, list[tuple[int, float, bool]]] = defaultdict(list)
        self._mean_log = math.log(service.service_s) - service.sigma**2 / 2

    def second(self, second: int, users: int) -> list[tuple[WindowKey, Window]]:
        """Play a second with so many users; the windows of the answers that came in it."""
        rng = self._rng
        while len(self._asks_s) < users:
            heappush(self._asks_s, second + rng.random() * 0.2)
        if len(self._asks_s) > users:
            rng.shuffle(self._asks_s)
            del self._asks_s[users:]
            heapify(self._asks_s)
        asks_s, low_s, high_s = self._asks_s, *self._service.think_s
        while asks_s and asks_s[0] < second + 1:
            end_s = self._serve(asks_s[0])
            heapreplace(asks_s, end_s + rng.uniform(low_s, high_s))
        return self._windows(second)

    def _serve(self, now_s: float) -> float:
        """Serve a request that arrives now; answers with when it ends."""
        incident = self._incident
        begin_s = max(now_s, self._free_s[0])
        if incident is not None and incident.stalls and incident.covers(begin_s):
            begin_s = incident.begin_s + incident.seconds
        begin_s = self._after_pause(begin_s)
        took_s = self._service_s(begin_s)
        failed = self._rng.random() < self._service.error_ratio
        if incident is not None and incident.covers(begin_s):
            took_s *= incident.slower
            if incident.fails:
                failed, took_s = True, 0.001
        end_s = begin_s + took_s
        heappop(self._free_s)
        heappush(self._free_s, end_s)
        self._answered[int(end_s)].append((int(now_s), end_s - now_s, failed))
        return end_s

    def _service_s(self, now_s: float) -> float:
        service = self._service
        took_s = service.service_s
        if service.sigma:
            took_s = math.exp(self._mean_log + service.sigma * self._rng.gauss(0, 1))
        if service.wave_ratio:
            turn = 2 * math.pi * now_s / service.wave_s + self._phase
            took_s *= 1 + service.wave_ratio * math.sin(turn)
        return took_s

    def _after_pause(self, now_s: float) -> float:
        service = self._service
        if not service.pause_s:
            return now_s
        into_s = (now_s + self._pause_at_s) % service.pause_every_s
        return now_s + service.pause_s - into_s if into_s < service.pause_s else now_s

    def _windows(self, second: int) -> list[tuple[WindowKey, Window]]:
        windows: dict[int, Window] = {}
        for started, latency_s, failed in self._answered.pop(second, ()):
            window = windows.get(started)
            if window is None:
                window = windows[started] = Window()
            (window.failures if failed else window.successes).record(int(latency_s * 1e6))
        return [(WindowKey(started, "GET", "/x"), w) for started, w in windows.items()]
