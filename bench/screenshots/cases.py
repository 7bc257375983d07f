"""Runs with a known story, made up second by second and written by the run directory's own code."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.soak_run import PROJECT, START_S, window_of
from otaload.record import RunDirectory, WindowKey

CHECK, DOWNLOAD, REGISTER = "/updates/check", "/bundles/download", "/devices/register"
METHODS = {CHECK: "POST", DOWNLOAD: "GET", REGISTER: "POST"}
BYTES = {CHECK: 190, DOWNLOAD: 2_097_152, REGISTER: 260}
SHARES = {CHECK: 0.7, DOWNLOAD: 0.2, REGISTER: 0.1}
MEDIANS_MS = {CHECK: 38.0, DOWNLOAD: 310.0, REGISTER: 85.0}

Curve = Callable[[float], float]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens in a run: users and requests/s over time, how slow, how often it fails, and why.

    `slower` multiplies the median latency of an endpoint, `failing` is the share of its requests
    that fail, `wider` adds to the spread of its latencies.
    """

    scenario: str
    title: str
    duration_s: int
    stages: tuple[tuple[str, str, float, float, float, float], ...]
    users: Curve
    rps: Curve
    slower: Mapping[str, Curve] = field(default_factory=dict)
    failing: Mapping[str, Curve] = field(default_factory=dict)
    wider: Curve = lambda _: 0.0
    cause: Callable[[str, float], str] = lambda _endpoint, _t: "status 503, expected 200"
    health: Callable[[int], tuple[float, float]] = lambda t: (0.24 + 0.05 * math.sin(t / 9), 1.8)
    arrivals: Callable[[int], dict[str, float]] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def write(parent: Path, story: Story, *, seed: int = 1) -> Path:
    """The story as a run directory."""
    rng = np.random.default_rng(seed)
    run = RunDirectory.create(parent, scenario=story.scenario, start_s=START_S, meta=_meta(story))
    with run:
        for endpoint in SHARES:
            windows = (_window(story, endpoint, t, rng) for t in range(story.duration_s))
            run.append_windows([pair for pair in windows if pair[1].n])
        run.append_users(_rows(story))
        run.write_meta(complete=True)
    shutil.copy(PROJECT / "thresholds.yaml", run.path / "thresholds.yaml")
    return run.path


def _window(story: Story, endpoint: str, t: int, rng: np.random.Generator) -> Any:
    n = int(rng.poisson(story.rps(t) * SHARES[endpoint]))
    failed = int(rng.binomial(n, story.failing.get(endpoint, _never)(t)))
    median_ms = MEDIANS_MS[endpoint] * story.slower.get(endpoint, _as_usual)(t)
    sigma = 0.34 + story.wider(t)
    values = (median_ms * np.exp(sigma * rng.standard_normal(n)) * 1000).astype(np.int64)
    window = window_of(
        values[: n - failed], values[n - failed :], BYTES[endpoint], story.cause(endpoint, t)
    )
    if t < 3 and n:
        for _ in range(min(n, 4)):
            window.connects.record(int(rng.uniform(400, 2500)))
    return WindowKey(START_S + t, METHODS[endpoint], endpoint), window


def _rows(story: Story) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for t in range(story.duration_s):
        users, (cpu, lag_ms) = round(story.users(t)), story.health(t)
        second = START_S + t
        rows.append({"second": second, "planned": users, "users": users})
        health = {"process": "local", "users": users, "cpu": cpu, "lag_ms": lag_ms}
        if story.arrivals is not None:
            health["arrivals"] = story.arrivals(t)
        rows.append({"second": second, **health})
    return rows


def _meta(story: Story) -> dict[str, Any]:
    names = ("name", "phase", "start_s", "end_s", "users_from", "users_to")
    most = max(story.users(t) for t in range(story.duration_s))
    meta = {
        "scenario": story.scenario,
        "title": story.title,
        "locustfile": f"locustfiles/{story.scenario}.py",
        "rehearsal": None,
        "planned": {"users_max": round(most), "duration_s": float(story.duration_s)},
        "stages": [dict(zip(names, stage, strict=True)) for stage in story.stages],
        "mix": {"UpdateCheck": 70, "BundleDownload": 20, "DeviceRegister": 10},
        "exercises": list(SHARES),
        "target": {
            "base_url": "https://api-staging.example.com/v1",
            "origin": "https://api-staging.example.com",
            "kind": "staging",
            "source": "API_BASE_URL",
        },
        "faults": [],
        "git_commit": "4f1c9d27ab30c8e5",
        "versions": {"otaload": "0.1.0", "locust": "2.47.0", "python": "3.11.7"},
        "seed": 1,
        "options": {"users": round(most)},
        "think_s": [1.0, 3.0],
        "workers": [],
        "processes": 1,
        "start": START_S + 0.25,
        "end": START_S + story.duration_s + 0.25,
        "ended": "finished",
        "interrupted": None,
        "crashes": {"count": 0, "first": None},
        "breakpoint": None,
        "notes": [],
        "complete": False,
    }
    requests = sum(story.rps(t) for t in range(story.duration_s))
    meta["hosts"] = {
        "api-staging.example.com:443": round(0.8 * requests),
        "cdn-staging.example.com:443": round(0.2 * requests),
    }
    meta["production_hosts"] = []
    return {**meta, **story.meta}


def _never(_: float) -> float:
    return 0.0


def _as_usual(_: float) -> float:
    return 1.0


def _ramped(t: float, rise_s: float, most: float) -> float:
    return most * min(1.0, (t + 1) / rise_s)


def smoke() -> Story:
    """A minute of ten users that passes."""
    return Story(
        scenario="smoke",
        title="Smoke: ten devices for a minute",
        duration_s=60,
        stages=(
            ("ramp-up", "steady", 0, 10, 0, 10),
            ("hold", "steady", 10, 60, 10, 10),
        ),
        users=lambda t: _ramped(t, 10, 10),
        rps=lambda t: _ramped(t, 10, 6),
        slower=dict.fromkeys(SHARES, lambda _: 0.4),
    )


def load() -> Story:
    """Ten minutes of 200 users whose downloads turn slow and fail in the middle."""

    def bad(t: float) -> float:
        return 1.0 if 250 <= t < 430 else 0.0

    return Story(
        scenario="load",
        title="Load: two hundred devices for ten minutes",
        duration_s=600,
        stages=(
            ("ramp-up", "ramp-up", 0, 60, 0, 200),
            ("hold", "steady", 60, 570, 200, 200),
            ("ramp-down", "ramp-down", 570, 600, 200, 0),
        ),
        users=lambda t: _ramped(t, 60, 200) if t < 570 else 200 * (600 - t) / 30,
        rps=lambda t: 88 * (_ramped(t, 60, 1) if t < 570 else (600 - t) / 30),
        slower={DOWNLOAD: lambda t: 1.0 + 7.5 * bad(t)},
        failing={DOWNLOAD: lambda t: 0.002 + 0.14 * bad(t), REGISTER: lambda t: 0.01 * bad(t)},
        cause=lambda endpoint, t: (
            "status 429, expected 200 or 201"
            if endpoint == REGISTER
            else "no answer within 30 s"
            if int(t) % 3 == 0
            else "status 503, expected 200"
        ),
    )


def soak() -> Story:
    """A night whose p99 creeps up by more than half, with an incident at five hours."""
    hour = 3600

    def leak(t: float) -> float:
        incident = 1.6 if 5.1 * hour <= t < 5.2 * hour else 1.0
        return (1 + 1.05 * t / (8 * hour)) * (1 + 0.04 * math.sin(t / 1400)) * incident

    return Story(
        scenario="soak",
        title="Soak: a hundred devices through eight hours",
        duration_s=8 * hour,
        stages=(
            ("ramp-up", "ramp-up", 0, 300, 0, 100),
            ("hold", "steady", 300, 8 * hour - 120, 100, 100),
            ("ramp-down", "ramp-down", 8 * hour - 120, 8 * hour, 100, 0),
        ),
        users=lambda t: _ramped(t, 300, 100) if t < 8 * hour - 120 else (8 * hour - t) / 1.2,
        rps=lambda t: 14 * (_ramped(t, 300, 1) if t < 8 * hour - 120 else (8 * hour - t) / 120),
        slower=dict.fromkeys(SHARES, leak),
        failing={CHECK: lambda t: 0.0003 if 5.1 * hour <= t < 5.2 * hour else 0.00002},
    )


def spike() -> Story:
    """A release day: thirty users, a thousand, and thirty again."""

    def users(t: float) -> float:
        if t < 180 or t >= 330:
            return 30
        if t < 210:
            return 30 + 970 * (t - 180) / 30
        return 1000 if t < 300 else 1000 - 970 * (t - 300) / 30

    def slow(t: float) -> float:
        if t < 190:
            return 1.0
        return 1 + 11 * min(1, (t - 190) / 30) if t < 300 else 1 + 11 * math.exp(-(t - 300) / 14)

    return Story(
        scenario="spike",
        title="Spike: a release goes out and the whole fleet asks at once",
        duration_s=600,
        stages=(
            ("baseline", "baseline", 0, 180, 30, 30),
            ("surge", "ramp-up", 180, 210, 30, 1000),
            ("burst", "burst", 210, 300, 1000, 1000),
            ("ebb", "ramp-down", 300, 330, 1000, 30),
            ("recovery", "recovery", 330, 600, 30, 30),
        ),
        users=users,
        rps=lambda t: users(t) / (2 + 0.1 * slow(t)),
        slower=dict.fromkeys(SHARES, slow),
        failing=dict.fromkeys(SHARES, lambda t: 0.002 if 235 <= t < 300 else 0.0),
    )


def arrivals() -> Story:
    """Five minutes of planned arrivals; a stall in the middle leaves some without a user."""

    def rate(t: float) -> float:
        return 10 + 20 * min(1.0, t / 60)

    def stalled(t: float) -> bool:
        return 150 <= t < 190

    def account(t: int) -> dict[str, float]:
        missed = 9 if stalled(t) else 0
        planned = round(rate(t))
        return {
            "planned": planned,
            "started": planned - missed,
            "missed": missed,
            "lag_sum_ms": 0.4 * (planned - missed),
            "lag_max_ms": 2.5,
            "busy": 100 if stalled(t) else round(rate(t) * 0.3),
        }

    return Story(
        scenario="open",
        title="Arrivals: devices that come when they come",
        duration_s=300,
        stages=(("rise", "ramp-up", 0, 60, 100, 100), ("hold", "steady", 60, 300, 100, 100)),
        users=lambda _: 100,
        rps=lambda t: rate(t) * (0.7 if stalled(t) else 1.0),
        slower=dict.fromkeys(SHARES, lambda t: 14.0 if stalled(t) else 1.0),
        arrivals=account,
        meta={
            "stages": [
                {
                    "name": name,
                    "phase": phase,
                    "start_s": start_s,
                    "end_s": end_s,
                    "users_from": 100,
                    "users_to": 100,
                    "rate_from": first,
                    "rate_to": last,
                }
                for name, phase, start_s, end_s, first, last in (
                    ("rise", "ramp-up", 0, 60, 10, 30),
                    ("hold", "steady", 60, 300, 30, 30),
                )
            ]
        },
    )


LEVELS = (20, 28, 39, 55, 77, 108, 151, 211, 180, 165, 172)


def breakpoint_search() -> Story:
    """A climb to a service's limit of about 75 requests/s, and its bisection."""
    hold_s, most_rps = 60, 75.0

    def level(t: float) -> float:
        return LEVELS[min(len(LEVELS) - 1, int(t) // hold_s)]

    def busy(users: float) -> float:
        return users / (2.1 * most_rps)

    def slow_at(users: float) -> float:
        share = busy(users)
        if share < 1:
            return min(float((1 - share) ** -0.4), 3.0)
        return 3 + 35 * (share - 1)

    def p95_ms(users: float) -> int:
        return round(1.75 * 0.75 * MEDIANS_MS[DOWNLOAD] * slow_at(users))

    holds = [
        {
            "kind": "step" if i < 8 else "hold",
            "level": users,
            "start_s": i * hold_s,
            "judged_from_s": i * hold_s + 20,
            "end_s": (i + 1) * hold_s,
            "good": users <= 165,
            "reason": "" if users <= 165 else f"{DOWNLOAD}: p95 of {p95_ms(users)} ms",
            "endpoint": "" if users <= 165 else DOWNLOAD,
        }
        for i, users in enumerate(LEVELS)
    ]
    end_s = hold_s * len(LEVELS)
    return Story(
        scenario="breakpoint",
        title="Breakpoint: more devices until it gives way",
        duration_s=end_s,
        stages=tuple(
            (f"{users} users", "steady", i * hold_s, (i + 1) * hold_s, users, users)
            for i, users in enumerate(LEVELS)
        ),
        users=level,
        rps=lambda t: min(level(t) / 2.1, most_rps),
        slower=dict.fromkeys(SHARES, lambda t: slow_at(level(t)) * 0.75),
        failing=dict.fromkeys(SHARES, lambda t: 0.03 if level(t) > 200 else 0.0),
        meta={
            "ended": "limit found",
            "breakpoint": {
                "outcome": "found",
                "unit": "users",
                "limit": 165.0,
                "limit_users": 165.0,
                "bracket": [165.0, 172.0],
                "reason": f"{DOWNLOAD}: p95 of {p95_ms(172)} ms",
                "endpoint": DOWNLOAD,
                "at_s": 7.0 * hold_s,
                "holds": holds,
            },
        },
    )


def inconclusive() -> Story:
    """A load test whose generator could not keep up, and that lost a worker."""
    return Story(
        scenario="load",
        title="Load: two hundred devices for ten minutes",
        duration_s=300,
        stages=(("ramp-up", "ramp-up", 0, 60, 0, 200), ("hold", "steady", 60, 300, 200, 200)),
        users=lambda t: _ramped(t, 60, 200),
        rps=lambda t: _ramped(t, 60, 60),
        health=lambda t: (0.97, 140.0) if 100 <= t < 130 else (0.6, 3.0),
        meta={
            "rehearsal": {"time_scale": 0.5, "user_scale": 1.0},
            "faults": ["latency:ms=20"],
            "workers": [
                {"id": "a", "index": 0, "reports": 300, "users_max": 100, "gaps": 0},
                {"id": "b", "index": 1, "reports": 140, "users_max": 100, "gaps": 3, "lost": True},
            ],
        },
    )


TRACEBACK = """Traceback (most recent call last):
  File "locustfiles/devices/update_check.py", line 41, in check
    release = answer["release"]["version"]
TypeError: 'NoneType' object is not subscriptable
"""


def crashed() -> Story:
    """A smoke whose user class raised."""
    return Story(
        scenario="smoke",
        title="Smoke: ten devices for a minute",
        duration_s=25,
        stages=(("hold", "steady", 0, 60, 10, 10),),
        users=lambda _: 10,
        rps=lambda _: 5,
        meta={"crashes": {"count": 12, "first": TRACEBACK}, "planned": {"duration_s": 60.0}},
    )


def empty() -> Story:
    """A smoke that did not make a single request."""
    return Story(
        scenario="smoke",
        title="Smoke: ten devices for a minute",
        duration_s=60,
        stages=(("hold", "steady", 0, 60, 10, 10),),
        users=lambda _: 10,
        rps=lambda _: 0,
        meta={"hosts": {}},
    )


STORIES: Mapping[str, Callable[[], Story]] = {
    "smoke": smoke,
    "load": load,
    "soak": soak,
    "spike": spike,
    "breakpoint": breakpoint_search,
    "arrivals": arrivals,
    "inconclusive": inconclusive,
    "crashed": crashed,
    "empty": empty,
}
