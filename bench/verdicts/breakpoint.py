"""How well the search finds a known limit, and what a blip does to it.

The real scenario, rule and search are played second by second against a simulated service, with
no clock but the simulation's.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from analysis.limits import ALL_REQUESTS
from bench.verdicts.closed_queue import ClosedQueue, Incident, Service
from bench.verdicts.table import Row
from locustfiles.breakpoint import Breakpoint
from otaload.live.limit import FailLimits, SliceRule
from otaload.live.search import Outcome
from otaload.live.seeker import Seeker, seek
from otaload.live.stretch import Kind
from otaload.live.tail import Tail, merge


@dataclass(frozen=True)
class Case:
    """A service and the fail limit of its p95."""

    service: Service
    p95_ms: float


CASES = (
    Case(Service(4, 0.04, wave_ratio=0.03, pause_s=0.1, error_ratio=2e-4), 500.0),
    Case(Service(12, 0.12, sigma=1.0, wave_ratio=0.05, wave_s=240.0, pause_s=0.2), 2000.0),
    Case(Service(2, 0.03, sigma=0.3, wave_ratio=0.02, wave_s=90.0, error_ratio=5e-4), 300.0),
)
"""Limits of about 230, 350 and 140 users."""
ERRORS_RATIO = 0.005
TRUTH_S, WARM_UP_S = 600, 60
BLIP_S = (5.0, 15.0)


@dataclass(frozen=True)
class Played:
    """A search that was played to its end, in simulated seconds."""

    limit: float | None
    outcome: Outcome
    took_s: float
    stopped_at: float | None
    """The level at which the climb was first stopped."""


@cache
def true_limit(case: Case) -> int:
    """The most users whose long-run p95 is within the fail limit."""
    think_s = sum(case.service.think_s) / 2
    low = round(case.service.capacity_rps * think_s * 0.8)
    high = round(case.service.capacity_rps * (think_s + case.p95_ms / 1000) * 1.1)
    while high - low > 1:
        middle = (low + high) // 2
        if p95_ms(case.service, middle) > case.p95_ms:
            high = middle
        else:
            low = middle
    return low


def p95_ms(service: Service, users: int, *, seconds: int = TRUTH_S) -> float:
    """The p95 of a long hold of so many users."""
    queue = ClosedQueue(service, Random(f"truth/{users}"))
    for second in range(WARM_UP_S):
        queue.second(second, users)
    windows = (
        window
        for second in range(WARM_UP_S, WARM_UP_S + seconds)
        for _, window in queue.second(second, users)
    )
    value_us = merge(windows).successes.quantile_us(0.95)
    return 0.0 if value_us is None else value_us / 1000


def play(
    case: Case, seed: str, incident: Incident | None = None, *, climb_only: bool = False
) -> Played:
    """Search for a limit; each seed has levels, waves and noise of its own."""
    rng = Random(seed)
    shape = Breakpoint()
    # A climb's levels grow by 1.4; any place of the limit between two of them is as likely.
    shape.plan(user_scale=1.4 ** -rng.random())
    tail = Tail()
    limits = {ALL_REQUESTS: FailLimits(case.p95_ms, ERRORS_RATIO)}
    seeker = seek(shape, SliceRule(limits), tail, start_s=0.0, time_scale=1.0)
    queue = ClosedQueue(case.service, rng, incident)
    second = 0
    while seeker.search.outcome is None:
        users = shape.users_at(second)
        if users is None:
            seeker.close(second)
            break
        tail.add(queue.second(second, users))
        second += 1
        seeker.look(second)
        if climb_only and seeker.found:
            seeker.close(second)
    return _ended(seeker, second)


def _ended(seeker: Seeker, took_s: float) -> Played:
    search = seeker.search
    steps = [one.level for one in search.played if one.kind is Kind.STEP and one.good is False]
    assert search.outcome is not None
    return Played(search.bracket[0], search.outcome, took_s, steps[0] if steps else None)


def blip(rng: Random, limit: int, *, fails: bool = False) -> Incident:
    """An incident of 5 to 15 s while the climb is still clearly below a limit."""
    levels = [level for level in Breakpoint.stages[0].levels() if level < 0.6 * limit]
    begin_s = rng.uniform(10, 33.0 * len(levels))
    seconds = rng.uniform(*BLIP_S)
    if fails:
        return Incident(begin_s, seconds, fails=True)
    kind = rng.choice(("stalls", "slower"))
    return Incident(begin_s, seconds, slower=8.0, stalls=kind == "stalls")


def rows(*, runs: int, seed: int) -> list[Row]:
    """The two rows of the breakpoint, and one for blips that no rule can overlook."""
    plain = _play_all(runs, f"{seed}/plain")
    blips = [
        (case, play(case, own, _blip_of(case, own), climb_only=True))
        for case, own in _seeds(runs, f"{seed}/blip")
    ]
    outages = [
        (case, play(case, own, _blip_of(case, own, fails=True)))
        for case, own in _seeds(max(2, runs // 4), f"{seed}/outage")
    ]
    return [
        _precision("Breakpoint after bisection", plain),
        _stops(blips),
        _precision("Breakpoint after an outage of ≤ 15 s in the climb", outages),
    ]


def _blip_of(case: Case, seed: str, *, fails: bool = False) -> Incident:
    return blip(Random(f"{seed}/blip"), true_limit(case), fails=fails)


def _seeds(runs: int, seed: str) -> list[tuple[Case, str]]:
    return [(CASES[n % len(CASES)], f"{seed}/{n}") for n in range(runs)]


def _play_all(runs: int, seed: str) -> list[tuple[Case, Played]]:
    return [(case, play(case, own)) for case, own in _seeds(runs, seed)]


def _precision(check: str, played: Sequence[tuple[Case, Played]]) -> Row:
    """How far found limits are from the true ones; no limit counts as 0 users."""
    off = [((one.limit or 0.0) - true_limit(case)) / true_limit(case) for case, one in played]
    bias, spread = statistics.fmean(off), statistics.stdev(off)
    sure = sum(one.outcome is Outcome.FOUND for _, one in played) / len(played)
    minutes = statistics.fmean(one.took_s for _, one in played) / 60
    measured = (
        f"bias {bias:+.1%}, sd {spread:.1%}; {sure:.1%} narrowed down; {minutes:.1f} min each"
    )
    met = abs(bias) <= 0.05 and spread <= 0.05
    return Row(check, "bias ≤ 5 %, sd ≤ 5 %", measured, met, len(played))


def _stops(played: Sequence[tuple[Case, Played]]) -> Row:
    """How often the climb was stopped by a blip: more than a step below the true limit."""
    stopped = [
        one.stopped_at is not None and one.stopped_at < 0.7 * true_limit(case)
        for case, one in played
    ]
    ratio = sum(stopped) / len(stopped)
    return Row("Stop on a blip of ≤ 15 s", "≤ 1 %", f"{ratio:.1%}", ratio <= 0.01, len(played))
