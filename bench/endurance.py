"""Half an hour at a constant rate: does the generator's memory stay flat, and its descriptors?

`python -m bench.endurance --minutes 30 --rate 500` runs the devices as `otaload run` does, headless
and recording, against the embedded service. Memory and descriptors are read from outside, once a
second. The aim is a resident size that moves by at most 2 MB once warmed up.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from otaload.record import window_from_json
from staging.launch import StagingProcess, start

ROOT = Path(__file__).resolve().parent.parent
WARM_UP_S = 300.0
AIM_MB = 2.0
# The first seconds and the last belong to starting and ending users.
_EDGE_S = 15.0
_END_GRACE_S = 120.0


@dataclass(frozen=True)
class Sample:
    """The generator at one moment; seconds since it began to send."""

    at_s: float
    rss_bytes: int
    fds: int
    cpu_s: float


@dataclass(frozen=True)
class Endured:
    """A finished run: its samples, its run.json and what the service counted."""

    samples: tuple[Sample, ...]
    meta: dict[str, Any]
    requests: int
    failures: int
    served: int
    exit_code: int


@dataclass(frozen=True)
class Flatness:
    """How far memory moved after the warm-up, from medians of a minute each."""

    minutes_mb: tuple[float, ...]
    warm_minute: int
    fds_min: int
    fds_max: int

    @property
    def after_mb(self) -> tuple[float, ...]:
        """The medians after the warm-up."""
        return self.minutes_mb[self.warm_minute :]

    @property
    def change_mb(self) -> float:
        """The last minute less the first after the warm-up."""
        return self.after_mb[-1] - self.after_mb[0]

    @property
    def range_mb(self) -> float:
        """The highest minute less the lowest, after the warm-up."""
        return max(self.after_mb) - min(self.after_mb)


def measure(samples: Sequence[Sample], *, warm_up_s: float) -> Flatness:
    """The flatness of a run's samples; raises `ValueError` for too few of them."""
    end_s = samples[-1].at_s - _EDGE_S if samples else 0.0
    minutes: dict[int, list[int]] = {}
    for sample in samples:
        if sample.at_s <= end_s:
            minutes.setdefault(int(sample.at_s // 60), []).append(sample.rss_bytes)
    # A last minute of a few samples is no minute.
    whole = [values for _, values in sorted(minutes.items()) if len(values) >= 20]
    warm_minute = int(warm_up_s // 60)
    fds = [s.fds for s in samples if warm_up_s <= s.at_s <= end_s]
    if len(whole) < warm_minute + 2 or not fds:
        raise ValueError(
            f"{samples[-1].at_s if samples else 0:.0f} s are too short for a warm-up of "
            f"{warm_up_s:g} s and two minutes after it; give more --minutes"
        )
    medians = tuple(statistics.median(values) / 1e6 for values in whole)
    return Flatness(medians, warm_minute, min(fds), max(fds))


def endure(*, rate: float, minutes: float, bundle_bytes: int) -> Endured:
    """Run the load to its end and sample it."""
    with (
        tempfile.TemporaryDirectory(prefix="endurance-") as folder,
        start(faults="", bundle_bytes=bundle_bytes) as service,
    ):
        reports, log = Path(folder) / "reports", Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "otaload", "run", "bench/steady_load.py"),
                    *("--reports-dir", str(reports)),
                ],
                cwd=ROOT,
                env=environment(service, rate=rate, minutes=minutes),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            samples = watch(process, reports, limit_s=minutes * 60 + _END_GRACE_S)
            exit_code = process.wait(_END_GRACE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        runs = sorted(reports.glob("2*/run.json"))
        if not runs:
            raise RuntimeError(f"the generator left no run: {log.read_text()[-2000:]}")
        requests, failures = totals(runs[-1].parent)
        counted = service.counters()["endpoints"]
        served = sum(entry["requests"] for entry in counted.values())
        meta = orjson.loads(runs[-1].read_bytes())
        return Endured(tuple(samples), meta, requests, failures, served, exit_code)


def environment(service: StagingProcess, *, rate: float, minutes: float) -> dict[str, str]:
    """The caller's environment without anything that steers a run, aimed at the service."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOCUST_", "OTALOAD_", "LOAD_TEST_", "API_BASE_URL"))
    }
    return {
        **kept,
        "API_BASE_URL": service.base_url,
        "LOAD_TEST_API_KEY": service.api_key,
        "LOAD_TEST_APP_ID": service.app_id,
        "LOAD_TEST_RELEASE_ID": service.release_id,
        "BENCH_RATE": str(rate),
        "BENCH_MINUTES": str(minutes),
    }


def watch(process: "subprocess.Popen[bytes]", reports: Path, *, limit_s: float) -> list[Sample]:
    """Sample the generator once a second until it ends, from the moment that it records."""
    generator = psutil.Process(process.pid)
    samples: list[Sample] = []
    began: float | None = None
    give_up = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < give_up:
        time.sleep(1.0)
        if began is None:
            if any(file.stat().st_size for file in reports.glob("2*/windows.jsonl")):
                began = time.monotonic()
            continue
        try:
            rss, fds = generator.memory_info().rss, generator.num_fds()
            used = generator.cpu_times()
        except psutil.Error:  # it has just ended
            break
        samples.append(Sample(time.monotonic() - began, rss, fds, used.user + used.system))
        if len(samples) % 60 == 0:
            say(f"minute {len(samples) // 60}: {rss / 1e6:.1f} MB, {fds} descriptors")
    return samples


def totals(run: Path) -> tuple[int, int]:
    """Recorded requests and failures of a run."""
    requests = failures = 0
    with (run / "windows.jsonl").open("rb") as lines:
        for line in lines:
            window = window_from_json(orjson.loads(line))[1]
            requests += window.n
            failures += window.failures.n
    return requests, failures


def report(endured: Endured, flat: Flatness, *, rate: float, minutes: float) -> str:
    """The result in Markdown."""
    samples = endured.samples
    planned_s = minutes * 60
    busy = (samples[-1].cpu_s - samples[0].cpu_s) / (samples[-1].at_s - samples[0].at_s)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    rows = [
        ("requests recorded", f"{endured.requests:,} ({endured.requests / planned_s:,.0f}/s)", ""),
        ("requests that the service counted", f"{endured.served:,}", "the same"),
        ("failures", f"{endured.failures:,}", "0"),
        ("generator's CPU", f"{busy:.0%} of a core", ""),
        ("memory after the warm-up", f"{flat.after_mb[0]:.2f} MB", ""),
        ("memory at the end", f"{flat.after_mb[-1]:.2f} MB", ""),
        ("change", f"{flat.change_mb:+.2f} MB", f"within {AIM_MB:g} MB"),
        ("highest less lowest minute", f"{flat.range_mb:.2f} MB", f"≤ {AIM_MB:g} MB"),
        ("descriptors, least and most", f"{flat.fds_min} / {flat.fds_max}", "the same"),
    ]
    return "\n".join(
        [
            "# Endurance",
            "",
            f"Measured {when}: {minutes:g} minutes at {rate:g} requests/s against the embedded "
            f"service, one process, recording as `otaload run` does.",
            f"Memory is the resident size, read from outside once a second; a minute is the median "
            f"of its samples; the warm-up is {flat.warm_minute} minutes.",
            "",
            "| | Measured | Aim |",
            "|---|---|---|",
            *(f"| {what} | {measured} | {aim} |" for what, measured, aim in rows),
            "",
            "Memory of each minute, in MB: " + " ".join(f"{mb:.1f}" for mb in flat.minutes_mb),
            "",
        ]
    )


def misses(endured: Endured, flat: Flatness) -> list[str]:
    """What of the aims was missed."""
    found = []
    if endured.failures or not endured.requests or endured.served != endured.requests:
        found.append("requests")
    if abs(flat.change_mb) > AIM_MB or flat.range_mb > AIM_MB:
        found.append("memory")
    if flat.fds_max != flat.fds_min:
        found.append("descriptors")
    return found


def say(text: str) -> None:
    """Progress, apart from the report."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """The command line; 1 when an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="length (30)")
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second (500)")
    parser.add_argument(
        "--warm-up", type=float, default=WARM_UP_S, help="seconds that do not count (300)"
    )
    parser.add_argument(
        "--bundle-bytes", type=int, default=64 * 1024, help="size of a bundle (65536)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("bench/endurance-results.md"), help="Markdown file"
    )
    given = parser.parse_args()
    if given.minutes * 60 < given.warm_up + 150 or given.rate < 10:
        parser.error("--minutes must leave 2.5 minutes after --warm-up, and --rate be at least 10")
    endured = endure(rate=given.rate, minutes=given.minutes, bundle_bytes=given.bundle_bytes)
    flat = measure(endured.samples, warm_up_s=given.warm_up)
    text = report(endured, flat, rate=given.rate, minutes=given.minutes)
    print(text)
    given.output.write_text(text)
    missed = misses(endured, flat)
    if missed:
        say(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
