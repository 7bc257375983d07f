"""Faults of known size, as one spec string: `capacity:c=4,s=20ms; error:p=1%,at=30s,for=10s`.

    spec  = fault *( ";" fault )
    fault = name [ "@" endpoint ] [ ":" key "=" value *( "," key "=" value ) ]

The endpoint is a name as in the statistics, for instance `latency@/updates/check:ms=50`.  Without
one a fault covers every endpoint except `/health`, so that whoever waits for the service to be
healthy still can; `@/health` covers that too.

Faults work in the order written.  `latency:ms=50; error:p=1%` fails after 50 ms and
`error:p=1%; latency:ms=50` fails at once.

Every fault takes `at=` (when it begins) and `for=` (how long it lasts; without it, for ever).  The
clock starts with the first request, other than a health check, after the faults were set or the
counters were reset; a health check starts it only if a fault is scoped to `/health`.  The moment
a request arrived decides.  Faults that choose requests take `p=` (the share they choose) and
`seed=`; the same seed chooses the same requests, counted in the order of their arrival.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, Literal

Distribution = Literal["constant", "exponential", "lognormal", "bimodal"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What all faults have in common: where, when, how often."""

    name: ClassVar[str]
    endpoint: str | None = None
    at_s: float = 0.0
    for_s: float | None = None
    p: float = 1.0
    seed: int = 1

    def active(self, elapsed_s: float) -> bool:
        """Whether a request that arrives at `elapsed_s` falls into the fault's window."""
        return self.at_s <= elapsed_s and (self.for_s is None or elapsed_s < self.at_s + self.for_s)

    def what(self) -> str:
        """The fault's own part of its description."""
        raise NotImplementedError

    def describe(self) -> str:
        """One line for a report: what it does, to whom, when."""
        share = "" if self.p == 1 else f" {_percent(self.p)} of requests,"
        place = self.endpoint or "every endpoint but /health"
        when = "" if not self.at_s else f", from {_span(self.at_s)} on"
        if self.for_s is not None:
            when += f", for {_span(self.for_s)}"
        return f"{self.name}:{share} {self.what()}, on {place}{when}"


@dataclass(frozen=True, kw_only=True)
class Latency(Fault):
    """Waits before answering; the waits' distribution, and so every quantile, is known."""

    name: ClassVar[str] = "latency"
    dist: Distribution = "constant"
    mean_s: float = 0.0
    median_s: float = 0.0
    sigma: float = 0.0
    fast_s: float = 0.0
    slow_s: float = 0.0
    share: float = 0.0

    def quantile_s(self, q: float) -> float:
        """The wait that a share `q` of requests does not exceed (0 < q < 1)."""
        match self.dist:
            case "constant":
                return self.mean_s
            case "exponential":
                return -self.mean_s * math.log(1 - q)
            case "lognormal":
                return self.median_s * math.exp(self.sigma * NormalDist().inv_cdf(q))
            case "bimodal":
                return self.slow_s if q > 1 - self.share else self.fast_s

    def what(self) -> str:
        match self.dist:
            case "constant":
                return f"{_span(self.mean_s)} more latency"
            case "exponential":
                shape = f"mean {_span(self.mean_s)}"
            case "lognormal":
                shape = f"median {_span(self.median_s)}, sigma {self.sigma:g}"
            case "bimodal":
                shape = f"{_span(self.fast_s)}, and {_span(self.slow_s)} for {_percent(self.share)}"
        tail = ", ".join(f"p{q * 100:g} {_span(self.quantile_s(q))}" for q in (0.5, 0.95, 0.99))
        return f"{self.dist} latency ({shape}; true {tail})"


@dataclass(frozen=True, kw_only=True)
class Leak(Fault):
    """Latency that grows steadily, as in a service that decays over a night."""

    name: ClassVar[str] = "leak"
    from_s: float = 0.0
    growth_per_s: float = 0.0
    limit_s: float | None = None

    def latency_s(self, elapsed_s: float) -> float:
        """The wait of a request that arrives `elapsed_s` after the clock's start."""
        grown_s = self.from_s + self.growth_per_s * max(0.0, elapsed_s - self.at_s)
        return grown_s if self.limit_s is None else min(grown_s, self.limit_s)

    def what(self) -> str:
        end = "" if self.limit_s is None else f" up to {_span(self.limit_s)}"
        growth = f"{self.growth_per_s * 3600 * 1000:g} ms an hour"
        return f"latency grows from {_span(self.from_s)} by {growth}{end}"


@dataclass(frozen=True, kw_only=True)
class Capacity(Fault):
    """`c` servers with a constant service time: throughput c/s, knee at N = c(Z+s)/s."""

    name: ClassVar[str] = "capacity"
    c: int = 1
    s_s: float = 0.0
    queue: int | None = None

    @property
    def per_s(self) -> float:
        """The highest throughput, in requests a second."""
        return self.c / self.s_s

    def what(self) -> str:
        room = "an endless queue" if self.queue is None else f"a queue of {self.queue}, else 503"
        return f"{self.c} servers of {_span(self.s_s)} ({self.per_s:g} requests/s), {room}"


@dataclass(frozen=True, kw_only=True)
class Error(Fault):
    """Answers with an error status."""

    name: ClassVar[str] = "error"
    status: int = 500

    def what(self) -> str:
        return f"answered {self.status}"


@dataclass(frozen=True, kw_only=True)
class Hang(Fault):
    """Never answers; ends when the client goes."""

    name: ClassVar[str] = "hang"

    def what(self) -> str:
        return "never answered"


@dataclass(frozen=True, kw_only=True)
class Stall(Fault):
    """Stands still: whatever arrives in its window waits until the window is over."""

    name: ClassVar[str] = "stall"

    def what(self) -> str:
        return "nothing answered until it is over"


@dataclass(frozen=True, kw_only=True)
class Reset(Fault):
    """Ends the connection with a TCP RST, before the answer or after half of its body."""

    name: ClassVar[str] = "reset"
    stage: Literal["before", "mid-body"] = "before"

    def what(self) -> str:
        moment = "before the answer" if self.stage == "before" else "after half of the body"
        return f"connection reset {moment}"


@dataclass(frozen=True, kw_only=True)
class RateLimit(Fault):
    """429 beyond so many requests of one device (its X-Device-ID, else its address) in a period."""

    name: ClassVar[str] = "rate-limit"
    count: int = 1
    period_s: float = 60.0

    def what(self) -> str:
        return f"429 beyond {self.count} requests of a device in {_span(self.period_s)}"


@dataclass(frozen=True, kw_only=True)
class SlowBody(Fault):
    """Hands out bodies at a fixed rate."""

    name: ClassVar[str] = "slow-body"
    bytes_per_s: float = 0.0

    def what(self) -> str:
        return f"bodies at {self.bytes_per_s:g} bytes/s"


@dataclass(frozen=True, kw_only=True)
class Truncate(Fault):
    """Declares the whole length, sends a part of the body and closes the connection."""

    name: ClassVar[str] = "truncate"
    keep: float = 0.5

    def what(self) -> str:
        return f"bodies cut after {_percent(self.keep)} of their length"


@dataclass(frozen=True, kw_only=True)
class Corrupt(Fault):
    """Changes one byte of a bundle; length and headers stay."""

    name: ClassVar[str] = "corrupt"

    def what(self) -> str:
        return "one byte of the bundle changed"


@dataclass(frozen=True, kw_only=True)
class Memory(Fault):
    """The process grows, whatever the load; at `limit` it stops, so that the machine survives."""

    name: ClassVar[str] = "memory"
    bytes_per_s: float = 0.0
    limit_bytes: int = 1 << 30

    def what(self) -> str:
        rate = self.bytes_per_s * 60 / (1 << 20)
        return f"memory grows by {rate:g} MiB/min up to {self.limit_bytes / (1 << 20):g} MiB"

    def describe(self) -> str:
        return super().describe().replace(", on every endpoint but /health", "")


def describe(faults: Iterable[Fault]) -> list[str]:
    """One line for each fault, for people; printed in every report of a run that had faults."""
    return [fault.describe() for fault in faults]


def _percent(share: float) -> str:
    return f"{share * 100:.6g} %"


def _span(seconds: float) -> str:
    if seconds == 0:
        return "0 ms"
    if seconds < 1:
        return f"{seconds * 1000:.4g} ms"
    if seconds < 120:
        return f"{seconds:.6g} s"
    if seconds < 7200:
        return f"{seconds / 60:.6g} min"
    return f"{seconds / 3600:.6g} h"
