"""A run directory as a long soak leaves it: made up, but written by the run directory's own code.

Latencies are lognormal and wander a little over the night; a few requests fail, for causes that are
named; users and the generator's health have a row a second each.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.measured import Counts
from otaload.record import RunDirectory, Window, WindowKey

PROJECT = Path(__file__).resolve().parents[1]
START_S = 1_795_000_000
CHUNK_S = 300
CAUSES = ("status 503, expected 200", "connection reset by peer", "no answer within 10 s")
FAILING = 0.00005


@dataclass(frozen=True)
class Traffic:
    """An endpoint: requests in a second, the median of their latencies and its spread."""

    method: str
    endpoint: str
    rps: float
    median_ms: float
    sigma: float
    bytes_in: int


def traffic(rps: float) -> tuple[Traffic, ...]:
    """Four endpoints with so many requests a second each."""
    return (
        Traffic("POST", "/updates/check", rps, 25.0, 0.45, 190),
        Traffic("GET", "/bundles/download", rps, 180.0, 0.5, 2_097_152),
        Traffic("POST", "/devices/register", rps, 40.0, 0.4, 260),
        Traffic("GET", "/health", rps, 5.0, 0.3, 20),
    )


def write_soak(parent: Path, *, seconds: int, rps: float, seed: int = 1) -> Path:
    """Write a finished soak of so many seconds, with so many requests a second an endpoint."""
    rng = np.random.default_rng(seed)
    endpoints = traffic(rps)
    run = RunDirectory.create(
        parent, scenario="soak", start_s=START_S, meta=_meta(seconds, endpoints)
    )
    with run:
        for first in range(0, seconds, CHUNK_S):
            last = min(first + CHUNK_S, seconds)
            columns = [list(_windows(part, first, last, seconds, rng)) for part in endpoints]
            for row in zip(*columns, strict=True):
                run.append_windows([(key, window) for key, window in row if window.n])
            run.append_users(_rows(first, last, rng))
        run.write_meta(complete=True)
    shutil.copy(PROJECT / "thresholds.yaml", run.path / "thresholds.yaml")
    return run.path


def _windows(
    part: Traffic, first: int, last: int, seconds: int, rng: np.random.Generator
) -> Iterator[tuple[WindowKey, Window]]:
    """The windows of an endpoint, one a second from `first` to before `last`."""
    n = rng.poisson(part.rps, last - first)
    failed = rng.binomial(n, FAILING)
    level = part.median_ms * (1 + 0.05 * np.sin(2 * np.pi * np.arange(first, last) / seconds))
    values_us = np.repeat(level, n) * np.exp(part.sigma * rng.standard_normal(n.sum())) * 1000
    ends = np.cumsum(n)
    for i, end in enumerate(ends.tolist()):
        values = values_us[end - n[i] : end].astype(np.int64)
        good = len(values) - int(failed[i])
        yield (
            WindowKey(START_S + first + i, part.method, part.endpoint),
            window_of(values[:good], values[good:], part.bytes_in, str(rng.choice(CAUSES))),
        )


def window_of(successes: Counts, failures: Counts, bytes_in: int, cause: str) -> Window:
    """The window of some successes and failures, in whole microseconds, all of one cause."""
    window = Window()
    # bucket_index for many values at once.
    exponents = np.maximum(0, np.frexp(successes)[1] - 8)
    indices, counts = np.unique((exponents << 7) + (successes >> exponents), return_counts=True)
    if len(successes):
        histogram = window.successes
        histogram.counts = dict(zip(indices.tolist(), counts.tolist(), strict=True))
        histogram.n, histogram.sum_us = len(successes), int(successes.sum())
        histogram.min_us, histogram.max_us = int(successes.min()), int(successes.max())
    for value in failures.tolist():
        window.failures.record(value)
        window.causes[cause] = window.causes.get(cause, 0) + 1
    window.bytes_in = bytes_in * len(successes)
    return window


def _rows(first: int, last: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for t in range(first, last):
        second, users = START_S + t, min(100, t // 3 + 1)
        cpu, lag_ms = round(rng.uniform(0.2, 0.35), 3), round(rng.exponential(2.0), 2)
        rows.append({"second": second, "planned": users, "users": users})
        rows.append(
            {"second": second, "process": "local", "users": users, "cpu": cpu, "lag_ms": lag_ms}
        )
    return rows


def _meta(seconds: int, endpoints: tuple[Traffic, ...]) -> dict[str, Any]:
    ramp = {"name": "ramp-up", "start_s": 0, "end_s": 300, "users_from": 0, "users_to": 100}
    hold = {"name": "hold", "start_s": 300, "end_s": seconds, "users_from": 100, "users_to": 100}
    return {
        "scenario": "soak",
        "title": "Soak: a hundred devices through eight hours",
        "locustfile": "locustfiles/soak.py",
        "rehearsal": None,
        "planned": {"users_max": 100, "duration_s": float(seconds)},
        "stages": [ramp, hold],
        "mix": {"UpdateCheck": 70, "BundleDownload": 20, "DeviceRegister": 10},
        "exercises": [part.endpoint for part in endpoints],
        "target": {"base_url": "http://127.0.0.1:8123", "kind": "embedded", "source": "benchmark"},
        "hosts": {"127.0.0.1:8123": int(seconds * sum(part.rps for part in endpoints))},
        "faults": [],
        "seed": 1,
        "workers": [],
        "processes": 1,
        "start": START_S + 0.25,
        "end": START_S + seconds + 0.25,
        "ended": "finished",
        "interrupted": None,
        "crashes": {"count": 0, "first": None},
        "breakpoint": None,
        "notes": [],
        "complete": False,
    }
