"""Spikes with known answers, as run directories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthetic_runs import REGISTER, START_S, Traffic, constant, lognormal, smoke_meta, write_run

BASELINE_S, SURGE_S, BURST_S, EBB_S, LENGTH_S = 120, 10, 40, 10, 400
BURST_END_S = BASELINE_S + SURGE_S + BURST_S
BAND_MS = 110


def stage(name: str, start_s: float, end_s: float, users: tuple[int, int]) -> dict[str, Any]:
    """A stage as `run.json` has it."""
    first, last = users
    return {
        "name": name,
        "start_s": start_s,
        "end_s": end_s,
        "users_from": first,
        "users_to": last,
    }


def spike_stages(length_s: float = LENGTH_S) -> list[dict[str, Any]]:
    """A baseline of 2 min, a burst of 40 s with ramps of 10 s around it, and the recovery."""
    return [
        stage("baseline", 0, 120, (30, 30)),
        stage("surge", 120, 130, (30, 500)),
        stage("burst", 130, 170, (500, 500)),
        stage("ebb", 170, 180, (500, 30)),
        stage("recovery", 180, length_s, (30, 30)),
    ]


def spike_meta(length_s: int = LENGTH_S, **changes: Any) -> dict[str, Any]:
    """A `run.json` of a finished spike."""
    content = {
        "scenario": "spike",
        "title": "Spike: the whole fleet at once",
        "planned": {"users_max": 500, "duration_s": float(length_s)},
        "stages": spike_stages(length_s),
        "exercises": [REGISTER],
        "start": float(START_S),
        "end": START_S + float(length_s),
    }
    return smoke_meta(**{**content, **changes})


def users_of(t: int) -> float:
    """The users of the spike, nearly."""
    return 500 if BASELINE_S + SURGE_S <= t < BURST_END_S else 30


def steady(level_ms: Callable[[int], float], sigma: float = 0.0) -> Traffic:
    """Twenty requests a second, around a level that time decides; none where that is 0."""

    def draw(t, n, rng):
        shape = lognormal(level_ms(t), sigma) if sigma else constant(level_ms(t))
        return shape(t, n if level_ms(t) else 0, rng)

    return Traffic(20, draw)


def spike_run(
    parent: Path,
    level_ms: Callable[[int], float],
    *,
    length_s: int = LENGTH_S,
    sigma: float = 0.0,
    failures: Mapping[int, Mapping[str, int]] | None = None,
    meta: Mapping[str, Any] | None = None,
    thresholds: str | None = None,
    seed: int = 1,
) -> Path:
    """A spike whose latency at each second is known."""
    traffic = steady(level_ms, sigma)
    if failures:
        traffic = Traffic(20, traffic.latencies, failures=failures)
    return write_run(
        parent,
        {REGISTER: traffic},
        duration_s=length_s,
        meta=spike_meta(length_s) if meta is None else meta,
        users=users_of,
        thresholds=thresholds,
        seed=seed,
    )


def slow_until(end_s: int, *, high_ms: float = 400) -> Callable[[int], float]:
    """100 ms, and more from the surge until some second."""
    return lambda t: high_ms if BASELINE_S <= t < end_s else 100
