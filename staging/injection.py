"""Faults at work: what each does to a request, and the clock they share.

An `Injector` is made anew whenever faults are set or counters are reset: queues are empty, seeds
start over, and the clock waits for the first request.
"""

import asyncio
import heapq
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import Protocol

from staging.connection import Connection
from staging.counters import ENDPOINTS, HEALTH
from staging.faults import (
    Capacity,
    Corrupt,
    Error,
    Fault,
    Hang,
    Latency,
    Leak,
    Memory,
    RateLimit,
    Reset,
    SlowBody,
    Stall,
    Truncate,
)
from staging.limits import RateLimit as RateLimiter
from staging.messages import Response, error_response, rate_limited

_MEMORY_STEP_S = 0.25
_RETRY_AFTER = (b"retry-after", b"1")


@dataclass(slots=True)
class Treatment:
    """What the faults decided for one request."""

    answer: Response | None = None
    ended: str | None = None
    corrupt: Random | None = None
    cut: str | None = None
    keep: float = 1.0
    bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as the faults see it; `at_s` is a moment of `time.perf_counter`."""

    conn: Connection
    device: str
    at_s: float
    elapsed_s: float


class Effect(Protocol):
    """One fault's behaviour; it may wait, and it leaves its decision in the treatment."""

    async def __call__(self, arrival: Arrival, treatment: Treatment, /) -> None: ...


class _Delay:
    def __init__(self, fault: Latency) -> None:
        self._fault = fault
        self._random = Random(f"latency:{fault.seed}")

    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        if not await arrival.conn.wait_until(time.perf_counter() + self._draw_s()):
            treatment.ended = "client_gone"

    def _draw_s(self) -> float:
        fault = self._fault
        match fault.dist:
            case "constant":
                return fault.mean_s
            case "exponential":
                return -fault.mean_s * log(1.0 - self._random.random())
            case "lognormal":
                return fault.median_s * self._random.lognormvariate(0.0, fault.sigma)
            case "bimodal":
                return fault.slow_s if self._random.random() < fault.share else fault.fast_s


class _Leak:
    def __init__(self, fault: Leak) -> None:
        self._fault = fault

    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        delay_s = self._fault.latency_s(arrival.elapsed_s)
        if not await arrival.conn.wait_until(time.perf_counter() + delay_s):
            treatment.ended = "client_gone"


class _Capacity:
    """The queue is computed, not acted out: late timers cost latency and never throughput."""

    def __init__(self, fault: Capacity) -> None:
        self._service_s = fault.s_s
        self._room = fault.queue
        self._free_at_s = [0.0] * fault.c
        self._waiting: deque[float] = deque()

    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        now_s = time.perf_counter()
        waiting = self._waiting
        while waiting and waiting[0] <= now_s:
            waiting.popleft()
        begins_s = max(now_s, self._free_at_s[0])
        if begins_s > now_s:
            if self._room is not None and len(waiting) >= self._room:
                treatment.answer = error_response(
                    503, "OVERLOADED", "all servers are busy", _RETRY_AFTER
                )
                return
            waiting.append(begins_s)
        ends_s = begins_s + self._service_s
        heapq.heapreplace(self._free_at_s, ends_s)
        if not await arrival.conn.wait_until(ends_s):
            treatment.ended = "client_gone"


class _Error:
    def __init__(self, fault: Error) -> None:
        retry = (_RETRY_AFTER,) if fault.status in (429, 503) else ()
        self._answer = error_response(
            fault.status, "INJECTED_FAULT", f"fault: {fault.what()}", *retry
        )

    async def __call__(self, _arrival: Arrival, treatment: Treatment) -> None:
        treatment.answer = self._answer


class _Hang:
    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        await arrival.conn.wait_gone()
        treatment.ended = "hang"


class _Stall:
    def __init__(self, fault: Stall) -> None:
        self._ends_s = fault.at_s + (fault.for_s or 0.0)

    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        ends_s = arrival.at_s - arrival.elapsed_s + self._ends_s
        if not await arrival.conn.wait_until(ends_s):
            treatment.ended = "client_gone"


class _Reset:
    def __init__(self, fault: Reset) -> None:
        self._mid_body = fault.stage == "mid-body"

    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        if self._mid_body:
            treatment.cut, treatment.keep = "reset", 0.5
        else:
            await arrival.conn.reset(flush=False)
            treatment.ended = "reset"


class _RateLimit:
    def __init__(self, fault: RateLimit) -> None:
        self._limit = RateLimiter(fault.count, fault.period_s)

    async def __call__(self, arrival: Arrival, treatment: Treatment) -> None:
        retry_after_s = self._limit.retry_after_s(arrival.device)
        if retry_after_s is not None:
            treatment.answer = rate_limited(retry_after_s)


class _SlowBody:
    def __init__(self, fault: SlowBody) -> None:
        self._bytes_per_s = fault.bytes_per_s

    async def __call__(self, _arrival: Arrival, treatment: Treatment) -> None:
        treatment.bytes_per_s = self._bytes_per_s


class _Truncate:
    def __init__(self, fault: Truncate) -> None:
        self._keep = fault.keep

    async def __call__(self, _arrival: Arrival, treatment: Treatment) -> None:
        treatment.cut, treatment.keep = "truncate", self._keep


class _Corrupt:
    def __init__(self, fault: Corrupt) -> None:
        self._random = Random(f"corrupt:{fault.seed}")

    async def __call__(self, _arrival: Arrival, treatment: Treatment) -> None:
        treatment.corrupt = self._random


class _Memory:
    """Grows by the clock and not by requests, like a leak in a background task."""

    def __init__(self, fault: Memory) -> None:
        self._fault = fault
        self._ballast: list[bytes] = []
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, started_s: float) -> None:
        elapsed_s = time.perf_counter() - started_s - self._fault.at_s
        if self._fault.for_s is not None:
            elapsed_s = min(elapsed_s, self._fault.for_s)
        wanted = min(int(self._fault.bytes_per_s * elapsed_s), self._fault.limit_bytes)
        if wanted > self._held_bytes:
            # Written to, since the kernel does not count pages that nobody has touched.
            self._ballast.append(b"\x01" * (wanted - self._held_bytes))
            self._held_bytes = wanted
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_MEMORY_STEP_S, self.start, started_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._ballast.clear()


def _effect(fault: Fault) -> Effect:
    match fault:
        case Latency():
            return _Delay(fault)
        case Leak():
            return _Leak(fault)
        case Capacity():
            return _Capacity(fault)
        case Error():
            return _Error(fault)
        case Hang():
            return _Hang()
        case Stall():
            return _Stall(fault)
        case Reset():
            return _Reset(fault)
        case RateLimit():
            return _RateLimit(fault)
        case SlowBody():
            return _SlowBody(fault)
        case Truncate():
            return _Truncate(fault)
        case Corrupt():
            return _Corrupt(fault)
    raise NotImplementedError(fault.name)


class Injector:
    """The active faults, their clock and how often each was applied."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self.applied: Counter[int] = Counter()
        self._started_s: float | None = None
        self._memory = [_Memory(fault) for fault in faults if isinstance(fault, Memory)]
        rows = [
            (number, fault, _effect(fault), Random(f"choice:{fault.seed}"))
            for number, fault in enumerate(faults)
            if not isinstance(fault, Memory)
        ]
        self._rows = {
            endpoint: [row for row in rows if _covers(row[1], endpoint)] for endpoint in ENDPOINTS
        }

    @property
    def elapsed_s(self) -> float | None:
        """Seconds since the clock's start; None before the first request."""
        return None if self._started_s is None else time.perf_counter() - self._started_s

    async def treat(self, endpoint: str, conn: Connection, device: str) -> Treatment:
        """Let the faults have this request, in the order written, until one has decided."""
        now_s = time.perf_counter()
        rows = self._rows[endpoint]
        if self._started_s is None and (endpoint != HEALTH or rows):
            self._started_s = now_s
            for memory in self._memory:
                memory.start(now_s)
        arrival = Arrival(conn, device, now_s, now_s - (self._started_s or now_s))
        treatment = Treatment()
        for number, fault, effect, chooser in rows:
            if not fault.active(arrival.elapsed_s):
                continue
            if fault.p < 1 and chooser.random() >= fault.p:
                continue
            applied_before = treatment.answer, treatment.ended
            await effect(arrival, treatment)
            decided = (treatment.answer, treatment.ended) != applied_before
            if decided or not isinstance(fault, RateLimit):
                self.applied[number] += 1
            if decided:
                break
        return treatment

    def close(self) -> None:
        """Give back what the faults hold."""
        for memory in self._memory:
            memory.stop()


def _covers(fault: Fault, endpoint: str) -> bool:
    if fault.endpoint is None:
        return endpoint != HEALTH
    return fault.endpoint == endpoint
