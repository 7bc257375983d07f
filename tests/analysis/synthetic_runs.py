"""Run directories with known answers, written through otaload.record's own RunDirectory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otaload.record import Histogram, RunDirectory, Window, WindowKey, bucket_index

PROJECT = Path(__file__).parents[2]
START_S = 1_795_000_000  # 2026-11-18, a fixed day so that names and golden files never change

CHECK, DOWNLOAD, REGISTER = "/updates/check", "/bundles/download", "/devices/register"

SMOKE_STAGE = {"start_s": 0, "end_s": 60, "users_from": 10, "users_to": 10, "phase": "steady"}
"""All of a smoke is judged, its first seconds too."""

Latencies = Callable[[int, int, np.random.Generator], NDArray[np.float64]]
"""The latencies in ms of n requests in a second: (second, n, generator) -> values."""


def constant(ms: float) -> Latencies:
    """Every request takes the same time."""
    return lambda t, n, rng: np.full(n, ms)


def lognormal(median_ms: float, sigma: float = 0.35, *, drift_an_hour: float = 0.0) -> Latencies:
    """Latencies around a median that may grow by a ratio each hour."""
    return lambda t, n, rng: (
        median_ms * (1 + drift_an_hour * t / 3600) * np.exp(sigma * rng.standard_normal(n))
    )


@dataclass(frozen=True)
class Traffic:
    """What one endpoint gets: requests a second, their latencies, and how many of them fail."""

    rps: float = 3
    latencies: Latencies = field(default_factory=lambda: constant(20))
    method: str = "POST"
    error_ratio: float = 0.0
    failures: Mapping[int, Mapping[str, int]] | None = None
    bytes_in: int = 300
    from_s: int = 0
    to_s: int = 10**9


def normal_traffic() -> dict[str, Traffic]:
    """The mission's three endpoints, fast and without failures."""
    return {
        CHECK: Traffic(7, lognormal(25)),
        DOWNLOAD: Traffic(2, lognormal(180), method="GET", bytes_in=2_000_000),
        REGISTER: Traffic(1, lognormal(40)),
    }


def window_of(
    latencies_ms: Sequence[float] | NDArray[np.float64], causes: Mapping[str, int]
) -> Window:
    """A window with these successes, and failures of 5 ms each."""
    window = Window()
    window.successes = Histogram.of(int(ms * 1000) for ms in latencies_ms)
    for cause, n in causes.items():
        window.causes[cause] = n
        for _ in range(n):
            window.failures.record(5000)
    return window


def quick_window(latencies_ms: NDArray[np.float64]) -> Window:
    """The same window of successes, made by the thousand."""
    window = Window()
    values = (latencies_ms * 1000).astype(np.int64)
    exponents = np.maximum(0, np.floor(np.log2(np.maximum(values, 1))).astype(np.int64) - 7)
    indices, counts = np.unique((exponents << 7) + (values >> exponents), return_counts=True)
    successes = window.successes
    successes.counts = dict(zip(indices.tolist(), counts.tolist(), strict=True))
    successes.n, successes.sum_us = len(values), int(values.sum())
    successes.min_us, successes.max_us = int(values.min()), int(values.max())
    return window


def smoke_meta(**changes: Any) -> dict[str, Any]:
    """A `run.json` of a finished smoke run of a minute."""
    meta = {
        "scenario": "smoke",
        "title": "Smoke: ten users for a minute",
        "locustfile": "locustfiles/smoke.py",
        "rehearsal": None,
        "planned": {"users_max": 10, "duration_s": 60.0},
        "stages": [
            SMOKE_STAGE | {"name": "ramp-up", "end_s": 10, "users_from": 0},
            SMOKE_STAGE | {"name": "hold", "start_s": 10},
        ],
        "mix": {"UpdateCheck": 70, "BundleDownload": 20, "DeviceRegister": 10},
        "exercises": [CHECK, DOWNLOAD, REGISTER],
        "target": {
            "base_url": "127.0.0.1:8123/v1",
            "origin": "127.0.0.1:8123",
            "kind": "embedded",
            "source": "embedded service",
        },
        "hosts": {"127.0.0.1:8123": 600},
        "faults": [],
        "git_commit": "0123456789abcdef",
        "versions": {"otaload": "0.1.0", "locust": "2.47.0", "python": "3.11.9"},
        "seed": 1,
        "options": {"users": 10},
        "workers": [],
        "processes": 1,
        "start": START_S + 0.25,
        "end": START_S + 60.25,
        "ended": "finished",
        "interrupted": None,
        "crashes": {"count": 0, "first": None},
        "breakpoint": None,
        "notes": [],
        "complete": True,
    }
    return {**meta, **changes}


def write_run(
    parent: Path,
    traffic: Mapping[str, Traffic] | None = None,
    *,
    duration_s: int = 60,
    meta: Mapping[str, Any] | None = None,
    users: Callable[[int], float] = lambda t: min(10, t + 1),
    health: Callable[[int], tuple[float, float]] | None = lambda t: (0.2, 1.5),
    processes: Sequence[str] = ("local",),
    thresholds: str | None = None,
    seed: int = 1,
    start_s: int = START_S,
) -> Path:
    """Write a run; `health` gives cores used and lag in ms of each process in a second."""
    rng = np.random.default_rng(seed)
    times = {"start": start_s + 0.25, "end": start_s + duration_s + 0.25}
    content = smoke_meta(**times) if meta is None else dict(meta)
    run = RunDirectory.create(
        parent, scenario=str(content.get("scenario", "run")), start_s=start_s, meta=content
    )
    with run:
        for endpoint, part in (normal_traffic() if traffic is None else traffic).items():
            run.append_windows(_windows(endpoint, part, duration_s, rng, start_s))
        rows: list[dict[str, Any]] = []
        for t in range(duration_s):
            n = int(users(t))
            rows.append({"second": start_s + t, "planned": n, "users": n})
            if health is not None:
                cpu, lag_ms = health(t)
                rows += [
                    {"second": start_s + t, "process": p, "users": n, "cpu": cpu, "lag_ms": lag_ms}
                    for p in processes
                ]
        run.append_users(rows)
        run.write_meta(complete=content.get("complete", False))
    if thresholds is None:
        shutil.copy(PROJECT / "thresholds.yaml", run.path / "thresholds.yaml")
    else:
        (run.path / "thresholds.yaml").write_text(thresholds)
    return run.path


def _windows(
    endpoint: str, part: Traffic, duration_s: int, rng: np.random.Generator, start_s: int
) -> list[tuple[WindowKey, Window]]:
    windows = []
    for t in range(part.from_s, min(duration_s, part.to_s)):
        n = int((t + 1) * part.rps) - int(t * part.rps)
        failed = int(rng.binomial(n, part.error_ratio)) if part.error_ratio else 0
        causes = dict(part.failures.get(t, {})) if part.failures else {}
        if failed:
            causes["status 503, expected 200"] = failed
        values = part.latencies(t, n - failed, rng)
        window = quick_window(values) if len(values) else Window()
        if causes:
            window += window_of([], causes)
        window.bytes_in = part.bytes_in * len(values)
        if window.n:
            windows.append((WindowKey(start_s + t, part.method, endpoint), window))
    return windows


assert bucket_index(25_000) == (7 << 7) + (25_000 >> 7)  # the mapping that quick_window writes out
