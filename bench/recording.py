"""What recording costs a live process: time for a request, and memory through a night.

A night is played at once: the clock is the bench's own, the recorder, the live rules' memory and
the run directory are the real ones, and each second is flushed as a run flushes it.
"""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from bench.soak_run import START_S, Traffic, traffic
from otaload.live.tail import Tail
from otaload.record import Histogram, Recorder, RunDirectory

SAMPLE_S = 300
"""Simulated seconds between two looks at the memory."""
WARM_S = 600
"""After them the live rules' two minutes are full, and what is allocated once has been."""
LATENCIES = 100_000


@dataclass(frozen=True)
class Night:
    """A night as it was recorded; memory of the whole process in MB, after each stretch."""

    requests: int
    seconds: int
    cpu_s: float
    file_mb: float
    rss_mb: list[float]

    @property
    def grown_mb(self) -> float:
        """By how much the memory differs at most from what it was once warm."""
        return max(abs(mb - self.rss_mb[0]) for mb in self.rss_mb)


def record_night(parent: Path, *, seconds: int, rps: float) -> Night:
    """Record so many seconds of four endpoints with so many requests a second each."""
    process = psutil.Process()
    rng = np.random.default_rng(1)
    drawn = [(part, _latencies_ms(part, rng)) for part in traffic(rps)]
    recorder, tail, requests = Recorder(), Tail(), 0
    run = RunDirectory.create(parent, scenario="night", start_s=START_S, meta={})
    rss_mb = []
    began_s = time.process_time()
    with run:
        for t in range(seconds):
            for part, latencies_ms in drawn:
                n = int((t + 1) * rps) - int(t * rps)
                begin = int(t * rps) % (LATENCIES - n)
                for latency_ms in latencies_ms[begin : begin + n]:
                    start_s = START_S + t + 0.5
                    recorder.record(
                        part.method, part.endpoint, start_s, latency_ms, part.bytes_in, None
                    )
                requests += n
            windows = recorder.take(before_second=START_S + t + 1)
            tail.add(windows)
            run.append_windows(windows)
            if t >= WARM_S and t % SAMPLE_S == 0:
                rss_mb.append(process.memory_info().rss / 1e6)
        cpu_s = time.process_time() - began_s
    size = (run.path / "windows.jsonl").stat().st_size
    return Night(requests, seconds, cpu_s, size / 1e6, rss_mb)


def record_us(repeats: int = 7) -> dict[str, float]:
    """The microseconds that one request costs the histogram, and the recorder as a whole.

    The best of some repeats, since whatever else runs on the machine only adds.
    """
    rng = np.random.default_rng(1)
    parts = traffic(1.0)
    latencies_ms = _latencies_ms(parts[0], rng)
    values_us = [int(latency_ms * 1000) for latency_ms in latencies_ms]
    turns = [parts[i] for i in rng.integers(len(parts), size=LATENCIES).tolist()]
    rows = [(p.method, p.endpoint, START_S + i / 2000) for i, p in enumerate(turns)]

    def histogram() -> None:
        record = Histogram().record
        for value_us in values_us:
            record(value_us)

    def recorder() -> None:
        record = Recorder().record
        for (method, endpoint, start_s), latency_ms in zip(rows, latencies_ms, strict=True):
            record(method, endpoint, start_s, latency_ms, 300, None, retry=False)

    best = {}
    for name, run in (("Histogram.record", histogram), ("Recorder.record", recorder)):
        spent_s = []
        for _ in range(repeats):
            began_s = time.perf_counter()
            run()
            spent_s.append(time.perf_counter() - began_s)
        best[name] = min(spent_s) / LATENCIES * 1e6
    return best


def describe(night: Night, costs_us: dict[str, float]) -> list[tuple[str, str, str]]:
    """The rows of a table: what, measured, aim."""
    level_mb = statistics.median(night.rss_mb)
    return [
        (
            f"memory through {night.seconds / 3600:g} h, {night.requests:,} requests",
            f"{level_mb:.0f} MB, never {night.grown_mb:.1f} MB off its start",
            "flat within 5 MB",
        ),
        ("CPU of recording and writing it", f"{night.cpu_s:.0f} s", ""),
        ("windows.jsonl", f"{night.file_mb:.0f} MB", ""),
        *((f"`{name}`", f"{us:.2f} µs a request", "") for name, us in costs_us.items()),
    ]


def _latencies_ms(part: Traffic, rng: np.random.Generator) -> list[float]:
    values = part.median_ms * np.exp(part.sigma * rng.standard_normal(LATENCIES))
    drawn: list[float] = values.tolist()
    return drawn
