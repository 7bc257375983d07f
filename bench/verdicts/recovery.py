"""Whether the recovery of a spike is told truly, on simulated runs.

The known negatives are spikes of a service that has no fault: its latency is lognormal by endpoint,
on a background of waves, a garbage collection every minute or less, incidents, a warm-up and
sometimes a restart; it is slower while the burst lasts and as fast as before from its end on.
The known positives are a queue with a backlog at the end of the burst, drained at a known rate
beside thirty probing users that wait for their answers.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.bursts import Burst
from analysis.measured import Endpoint
from analysis.recovery import Recovery, estimate_recovery
from analysis.windows import WindowTable
from bench.verdicts.table import Row
from otaload.record import bucket_index

Values = NDArray[np.float64]

SPIKE = Burst(baseline_from_s=0, begins_s=120, held_from_s=150, ends_s=270, back_s=300)
LENGTH_S = 600
PROBE_USERS, THINK_S = 30, (1.0, 3.0)
BURST_RPS = 300.0
ENDPOINTS = ((0.60, 25.0, 0.35), (0.25, 180.0, 0.35), (0.15, 40.0, 0.35))
"""The share of requests, the median in ms and the spread (sigma) of each endpoint."""


@dataclass(frozen=True)
class Requests:
    """Requests by the moment at which each started."""

    at_s: Values
    latency_ms: Values
    failed: NDArray[np.bool_]


def rows(*, runs: int, seed: int) -> list[Row]:
    """The acceptance rows, over so many runs without a fault and so many with a backlog."""
    rng = np.random.default_rng(seed)
    sound = [recovery_of(without_fault(rng)) for _ in range(runs)]
    lost = sum(found.recovery_s is None for found in sound)
    swayed = sum(found.hysteresis for found in sound)
    times = np.array([found.recovery_s for found in sound if found.recovery_s is not None])
    errors, missed = [], 0
    for _ in range(runs):
        requests, drained_s = with_backlog(rng)
        found = recovery_of(requests)
        if found.recovery_s is None:
            missed += 1
        else:
            errors.append(found.recovery_s - (drained_s - SPIKE.ends_s))
    off = np.abs(errors)
    broken = [recovery_of(never_back(rng)) for _ in range(runs)]
    called = sum(found.recovery_s is None for found in broken)
    late = float(np.mean(times > 15)) if len(times) else 1.0
    return [
        Row("spike without a fault called not recovered", "≤ 0.5 %", f"{lost / runs:.1%}",
            lost <= 0.005 * runs, runs),
        Row("spike without a fault called hysteresis", "≤ 2 %", f"{swayed / runs:.1%}",
            swayed <= 0.02 * runs, runs),
        Row("spike without a fault recovers within 15 s of the burst's end", "≥ 90 %",
            f"{1 - late:.1%} (median {np.median(times):.1f} s)", late <= 0.10, runs),
        Row("known backlog: recovery time within 2 s of the computed one", "≥ 95 %",
            f"{np.sum(off <= 2) / runs:.1%} (median error {np.median(errors):+.1f} s, "
            f"worst {off.max():.1f} s, {missed} not seen)",
            bool(np.sum(off <= 2) >= 0.95 * runs), runs),
        Row("p95 that stays at 2 to 4 × the baseline called not recovered", "≥ 95 %",
            f"{called / runs:.1%}", called >= 0.95 * runs, runs),
    ]  # fmt: skip


def recovery_of(requests: Requests) -> Recovery:
    """What the analysis makes of some requests of the spike."""
    return estimate_recovery(table_of(requests), SPIKE, load_s=LENGTH_S)


def without_fault(rng: np.random.Generator) -> Requests:
    """A spike of a service that is as fast as before from the end of its burst on."""
    requests, slower = _background(rng), float(rng.uniform(1, 5))
    return Requests(
        requests.at_s,
        requests.latency_ms * np.where(_loaded(requests.at_s), slower, 1.0),
        requests.failed,
    )


def never_back(rng: np.random.Generator) -> Requests:
    """A spike after which the service stays slower than it was."""
    requests, slower = _background(rng), float(rng.uniform(2, 4))
    since = requests.at_s >= SPIKE.begins_s
    latency_ms = requests.latency_ms * np.where(since, slower, 1.0)
    return Requests(requests.at_s, latency_ms, requests.failed)


def with_backlog(rng: np.random.Generator) -> tuple[Requests, float]:
    """A spike that leaves a queue behind, and the moment at which that is served.

    One server takes `service_s` for a request. During the burst the queue grows in a line; before
    and after it each probing user waits for its answer, thinks, and asks again.
    """
    service_s = float(rng.uniform(0.005, 0.02))
    backlog_s = float(rng.uniform(5, 150))
    early = _probe(rng, service_s, 0, SPIKE.begins_s)
    loaded = np.sort(rng.uniform(SPIKE.begins_s, SPIKE.ends_s, 20_000))
    share = (loaded - SPIKE.begins_s) / (SPIKE.ends_s - SPIKE.begins_s)
    late = _probe(rng, service_s, SPIKE.ends_s, LENGTH_S, backlog_s)
    at_s = np.concatenate((early.at_s, loaded, late.at_s))
    waited_ms = np.concatenate((early.waited_ms, share * backlog_s * 1000, late.waited_ms))
    own_ms = np.concatenate((early.own_ms, _latencies(rng, len(loaded)), late.own_ms))
    # An incident while the queue empties would make another moment the true one.
    latency_ms = waited_ms + _swayed(rng, at_s, own_ms, incidents_until_s=SPIKE.begins_s)
    return Requests(at_s, latency_ms, np.zeros(len(at_s), bool)), late.drained_s


@dataclass(frozen=True)
class _Probe:
    """Requests of users that wait for their answers, and when the queue was first empty."""

    at_s: Values
    waited_ms: Values
    own_ms: Values
    drained_s: float


def _probe(
    rng: np.random.Generator,
    service_s: float,
    from_s: float,
    until_s: float,
    backlog_s: float = 0.0,
) -> _Probe:
    """The requests of thirty users to a server that may be behind.

    They begin to ask within the first seconds, and each waits for its answer and thinks.
    """
    free_s, drained_s = from_s + backlog_s, float("inf")
    due = [(from_s + float(rng.uniform(0, THINK_S[1])), n) for n in range(PROBE_USERS)]
    heapq.heapify(due)
    own, thinks = _latencies(rng, 20_000) / 1000, rng.uniform(*THINK_S, 20_000)
    at: list[float] = []
    waited_ms: list[float] = []
    while due[0][0] < until_s:
        now_s, user = heapq.heappop(due)
        if free_s <= now_s and drained_s > free_s:
            drained_s = free_s
        free_s = max(free_s, now_s) + service_s
        own_s = float(own[len(at)])
        at.append(now_s)
        waited_ms.append((free_s - now_s) * 1000)
        heapq.heappush(due, (free_s + own_s + float(thinks[len(at) - 1]), user))
    return _Probe(np.array(at), np.array(waited_ms), own[: len(at)] * 1000, min(drained_s, free_s))


def _background(rng: np.random.Generator) -> Requests:
    """All requests of a spike, with what a sound service shows of its own accord."""
    rate = PROBE_USERS / np.mean(THINK_S)
    spans = (
        (0, SPIKE.begins_s, rate * 1.7),  # devices that are outdated download as well
        (SPIKE.begins_s, SPIKE.ends_s, BURST_RPS),
        (SPIKE.ends_s, SPIKE.back_s, BURST_RPS / 2),
        (SPIKE.back_s, LENGTH_S, rate * 1.1),
    )
    at_s = np.concatenate([rng.uniform(a, b, rng.poisson(rps * (b - a))) for a, b, rps in spans])
    at_s.sort()
    latency_ms = _swayed(rng, at_s, _latencies(rng, len(at_s)))
    failed = np.zeros(len(at_s), bool)
    if rng.random() < 0.1:
        restart_s = rng.uniform(0, LENGTH_S)
        failed |= (at_s >= restart_s) & (at_s < restart_s + 2)
        cold = np.where(at_s >= restart_s, np.exp(-(at_s - restart_s) / 10), 0.0)
        latency_ms *= 1 + 0.5 * cold
    return Requests(at_s, latency_ms, failed)


def _swayed(
    rng: np.random.Generator,
    at_s: Values,
    latency_ms: Values,
    *,
    incidents_until_s: float = LENGTH_S,
) -> Values:
    """Latencies with what every service shows: a warm-up, waves, incidents, collected garbage."""
    level = 1 + 0.5 * np.exp(-at_s / 20)  # the warm-up
    level *= 1 + rng.uniform(0, 0.06) * np.sin(
        2 * np.pi * (at_s / rng.uniform(120, 600) + rng.random())
    )
    walk = np.cumsum(rng.normal(0, 0.01, LENGTH_S))  # a level that wanders by some percent
    level *= np.exp(0.03 * (walk - walk.mean()) / max(walk.std(), 1e-9))[at_s.astype(int)]
    for _ in range(rng.poisson(incidents_until_s / 900)):
        begins = rng.uniform(0, incidents_until_s)
        inside = (at_s >= begins) & (at_s < begins + rng.uniform(3, 15))
        level = np.where(inside, level * rng.uniform(1.5, 3), level)
    swayed: Values = latency_ms * level
    every_s = rng.uniform(10, 60)
    phase = at_s % every_s
    pause_s = rng.uniform(0.05, 0.25)
    swayed += np.where(phase < pause_s, (pause_s - phase) * 1000, 0.0)
    return swayed


def _loaded(at_s: Values) -> NDArray[np.bool_]:
    return (at_s >= SPIKE.begins_s) & (at_s < SPIKE.ends_s)


def _latencies(rng: np.random.Generator, n: int) -> Values:
    shares, medians, sigmas = (np.array(column) for column in zip(*ENDPOINTS, strict=True))
    which = rng.choice(len(ENDPOINTS), size=n, p=shares)
    found: Values = medians[which] * np.exp(sigmas[which] * rng.standard_normal(n))
    return found


def table_of(requests: Requests) -> WindowTable:
    """Requests as the windows of a run, all of one endpoint."""
    second = requests.at_s.astype(np.int64)
    order = np.argsort(second, kind="stable")
    second, failed = second[order], requests.failed[order]
    latency_us = np.minimum(requests.latency_ms[order] * 1000, 3.6e9).astype(np.int64)
    bits = np.frexp(latency_us.astype(np.float64))[1].astype(np.int64)
    exponent = np.maximum(0, bits - 8)
    index = (exponent << 7) + (latency_us >> exponent)
    seconds = np.unique(second)
    row = np.searchsorted(seconds, second)
    cells, count = np.unique(row[~failed] * 8192 + index[~failed], return_counts=True)
    lengths = np.bincount(cells // 8192, minlength=len(seconds))
    zero = np.zeros(len(seconds), np.int64)
    return WindowTable(
        endpoints=(Endpoint("GET", "/x"),),
        t_s=seconds,
        endpoint=zero,
        successes=np.bincount(row[~failed], minlength=len(seconds)),
        failures=np.bincount(row[failed], minlength=len(seconds)),
        bytes_in=zero,
        retries=zero,
        sum_us=np.bincount(row[~failed], latency_us[~failed], len(seconds)).astype(np.int64),
        min_us=zero,
        max_us=zero,
        offsets=np.concatenate(([0], np.cumsum(lengths))),
        index=cells % 8192,
        count=count,
    )


assert bucket_index(25_000) == (7 << 7) + (25_000 >> 7)  # the mapping that table_of writes out
