"""A night in minutes: `python -m bench.longrun` records 8 hours at 500 requests/s and judges it.

The clock is the bench's own and everything else is what a run uses: each request is an event of
Locust's, counted by the recorder; each second is flushed to the live rules' memory, to Locust's
statistics and to the run directory, which is synced as often as a run syncs it. A few requests fail
with texts that are new each time, and some names are, since that is what memory must be safe from.
Every registration brings a new token, which must not be told, as from a service that signs none.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from locust import User
from locust.env import Environment

from analysis.runs import load_run
from bench.machine import head, table
from otaload.live.counting import Counting
from otaload.live.disk import SYNC_S
from otaload.live.tail import Tail
from otaload.record import RunDirectory
from otaload.redaction import Secrets

ROOT = Path(__file__).resolve().parents[1]
START_S = 1_795_000_000
WARM_S = 600
"""After them the live rules' memory is full, and what is allocated once has been."""
AIM_MB = 50.0
PASSED = 0
REGISTER = "/devices/register"
ENDPOINTS = (
    *(("POST", "/updates/check", 20.0),) * 7,
    *(("GET", "/bundles/download", 120.0),) * 2,
    ("POST", REGISTER, 40.0),
)
FAILURES = 0.00005
ODD_NAMES = 0.00005
"""Enough of either in a night that there are more texts and names than are kept."""


@dataclass(frozen=True)
class Night:
    """What a night came to: memory in MB at the end of each hour, above the start of recording."""

    requests: int
    seconds: int
    cpu_s: float
    hours_mb: list[float]
    warm_mb: float
    highest_mb: float
    syncs_ms: list[float]
    on_disk: tuple[int, int]
    judged: int
    judged_s: float
    files_mb: float


def record(parent: Path, *, seconds: int, rate: int) -> Night:
    """Record so many seconds of so many requests each, judge the run and read it back."""
    environment = Environment(user_classes=[User])
    environment.create_local_runner()
    secrets = Secrets(os.environ)
    counting, tail = Counting(environment, secrets), Tail()
    fire = _requests(environment, secrets, rate)
    memory = psutil.Process().memory_info
    began_mb = memory().rss / 1e6
    hours_mb, warm_mb, highest_mb, syncs_ms = [], 0.0, 0.0, []
    began_cpu_s = time.process_time()
    with _open_run(parent, seconds) as run:
        for t in range(seconds):
            fire(START_S + t)
            windows = counting.take(before_second=START_S + t + 1)
            tail.add(windows)
            run.append_windows(windows)
            run.append_users(_rows(START_S + t))
            if t % SYNC_S == 0:
                began_s = time.perf_counter()
                run.sync()
                syncs_ms.append((time.perf_counter() - began_s) * 1000)
            above_mb = memory().rss / 1e6 - began_mb
            highest_mb = max(highest_mb, above_mb)
            if t == WARM_S:
                warm_mb = above_mb
            if (t + 1) % 3600 == 0 or t + 1 == seconds:
                hours_mb.append(above_mb)
        cpu_s = time.process_time() - began_cpu_s
        run.write_meta(end=float(START_S + seconds), recorded=run.recorded, complete=True)
    code, judged_s = _judge(run.path)
    files = (path.stat().st_size for path in run.path.iterdir())
    return Night(
        requests=counting.recorder.recorded,
        seconds=seconds,
        cpu_s=cpu_s,
        hours_mb=hours_mb,
        warm_mb=warm_mb,
        highest_mb=highest_mb,
        syncs_ms=syncs_ms,
        on_disk=load_run(run.path).totals,
        judged=code,
        judged_s=judged_s,
        files_mb=sum(files) / 1e6,
    )


def _open_run(parent: Path, seconds: int) -> RunDirectory:
    meta = {
        "scenario": "load",
        "start": float(START_S),
        "planned": {"users_max": 100, "duration_s": seconds},
        "ended": "finished",
        "crashes": {"count": 0, "first": None},
    }
    thresholds = (ROOT / "thresholds.yaml").read_text()
    return RunDirectory.create(
        parent, scenario="longrun", start_s=START_S, meta=meta, thresholds=thresholds
    )


def _requests(environment: Environment, secrets: Secrets, rate: int) -> Callable[[int], None]:
    """A function that fires the requests of one second."""
    rng = random.Random(1)
    fire: Callable[..., None] = environment.events.request.fire
    drawn = [(*rng.choice(ENDPOINTS), rng.lognormvariate(0, 0.4)) for _ in range(100_000)]
    at = 0

    def second(start_s: int) -> None:
        nonlocal at
        for n in range(rate):
            method, name, median_ms, factor = drawn[at]
            at = (at + 1) % len(drawn)
            if name == REGISTER:
                secrets.add_token(rng.randbytes(24).hex())
            odd, failed = rng.random() < ODD_NAMES, rng.random() < FAILURES
            fire(
                request_type=method,
                name=f"/odd/{start_s}/{n}" * 1000 if odd else name,
                response_time=median_ms * factor,
                response_length=300,
                exception=RuntimeError(f"failure {start_s}.{n}" * 100) if failed else None,
                context={},
                start_time=start_s + n / rate,
                url=f"http://host{n % 3}:80{name}",
            )

    return second


def _rows(second: int) -> list[dict[str, Any]]:
    return [
        {"second": second, "planned": 100, "users": 100},
        {"second": second, "process": "local", "users": 100, "cpu": 0.2, "lag_ms": 1.5},
    ]


def _judge(path: Path) -> tuple[int, float]:
    began_s = time.perf_counter()
    command = [sys.executable, "-m", "otaload", "judge", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return done.returncode, time.perf_counter() - began_s


def misses(night: Night, *, aim_mb: float = AIM_MB) -> list[str]:
    """What of the aims was missed."""
    found = []
    if night.on_disk[0] != night.requests:
        found.append(f"{night.requests - night.on_disk[0]} requests are not on disk")
    if night.highest_mb > aim_mb:
        found.append(f"memory rose by {night.highest_mb:.1f} MB")
    if night.judged != PASSED:
        found.append(f"judging ended with {night.judged}")
    return found


def report(night: Night, *, rate: int) -> str:
    """The night as Markdown."""
    syncs = sorted(night.syncs_ms)
    hours = " ".join(f"{mb:.1f}" for mb in night.hours_mb)
    rows: list[tuple[str, ...]] = [
        ("requests recorded", f"{night.requests:,}", ""),
        ("requests on disk", f"{night.on_disk[0]:,}", "the same"),
        ("failures on disk", f"{night.on_disk[1]:,}", ""),
        ("memory after 10 min, above the start", f"{night.warm_mb:.1f} MB", ""),
        ("highest memory, above the start", f"{night.highest_mb:.1f} MB", f"≤ {AIM_MB:g} MB"),
        ("CPU of a request, from its event to the disk", _each_us(night), ""),
        ("a sync: median, slowest", f"{syncs[len(syncs) // 2]:.1f} ms, {syncs[-1]:.0f} ms", ""),
        ("the run's files", f"{night.files_mb:.0f} MB", ""),
        ("judging and reporting", f"{night.judged_s:.1f} s", ""),
        ("exit code of judging", str(night.judged), str(PASSED)),
    ]
    lines = head(
        "A night in minutes",
        f"`python -m bench.longrun`: {night.seconds / 3600:g} hours at {rate} requests/s, "
        "the clock injected.",
        "Memory is the resident size of the whole process, Locust's own statistics included.",
    )
    lines += table(("", "Measured", "Aim"), rows)
    lines.append(f"Memory above the start at the end of each hour, in MB: {hours}")
    return "\n".join(lines) + "\n"


def _each_us(night: Night) -> str:
    return f"{night.cpu_s / max(1, night.requests) * 1e6:.1f} µs"


def main() -> int:
    """The command line; 1 when an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.longrun", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="length of the night (8)")
    parser.add_argument("--rate", type=int, default=500, help="requests a second (500)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/longrun-results.md"), help="Markdown file"
    )
    given = parser.parse_args()
    if given.hours * 3600 <= WARM_S or given.rate < 1:
        parser.error("--hours must be more than 10 minutes, and --rate at least 1")
    with tempfile.TemporaryDirectory() as folder:
        night = record(Path(folder), seconds=round(given.hours * 3600), rate=given.rate)
    text = report(night, rate=given.rate)
    print(text)
    given.output.write_text(text)
    missed = misses(night)
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
