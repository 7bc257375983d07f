"""A real scenario on our client against the same scenario on FastHttpUser's.

`python -m bench.scenario` runs the devices of `locustfiles/load.py`, headless and recording as
`otaload run` does, against the embedded service. Only the client is another. The generator is on
core 0, the service on core 1, rounds are interleaved. The figure is requests per CPU second of the
generator, read from its own run directory: requests of whole seconds over the CPU of those seconds.
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.http import GENERATOR_CORE, TARGET_CORE, pinned
from bench.target import on_path
from otaload.record import window_from_json
from staging.launch import StagingProcess, start

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = {"lean": "**LeanHttpUser**", "fast": "FastHttpUser"}
USERS = 50
# Users start, connect and make their devices.
SKIPPED_S = 3
_RUN_GRACE_S = 120.0


@dataclass(frozen=True)
class Result:
    """One run."""

    requests: int
    failures: int
    bytes_in: int
    cpu_s: float
    wall_s: float

    @property
    def per_cpu_s(self) -> float:
        """Requests per CPU second."""
        return self.requests / self.cpu_s


@dataclass
class Case:
    """One table."""

    title: str
    mix: str
    bundle_bytes: int
    results: dict[str, list[Result]] = field(default_factory=lambda: {name: [] for name in CLIENTS})


def cases() -> list[Case]:
    """What is compared."""
    return [
        Case("The mix of load.py, bundles of 2 MiB", "load", 2 * 1024 * 1024),
        Case("The mix of load.py, bundles of 64 KiB", "load", 64 * 1024),
        Case("Update checks only", "checks", 64 * 1024),
    ]


def benchmark(*, rounds: int, seconds: float) -> list[Case]:
    """Run everything, rounds interleaved."""
    made = cases()
    for number in range(rounds):
        for case in made:
            for client in CLIENTS:
                result = run(case, client, seconds)
                case.results[client].append(result)
                say(
                    f"round {number + 1}: {case.title}: {client}: {result.per_cpu_s:,.0f} per CPU "
                    f"second, {result.failures} failures"
                )
    return made


def run(case: Case, client: str, seconds: float) -> Result:
    """One run in processes of its own, against a service of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="scenario-") as folder,
        start(faults="", bundle_bytes=case.bundle_bytes) as service,
    ):
        psutil.Process(service.pid).cpu_affinity([TARGET_CORE])
        done = subprocess.run(
            pinned(
                [
                    *(sys.executable, "-m", "otaload", "run", "bench/scenario_load.py"),
                    *("--reports-dir", folder),
                ]
            ),
            cwd=ROOT,
            env=environment(service, case, client, seconds),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + _RUN_GRACE_S,
        )
        runs = sorted(Path(folder).glob("2*"))
        if not runs:
            raise RuntimeError(f"the generator left no run: {done.stderr[-2000:]}")
        result = read_run(runs[-1])
        if not result.requests:
            raise RuntimeError(f"no requests were recorded: {done.stderr[-2000:]}")
        return result


def environment(service: StagingProcess, case: Case, client: str, seconds: float) -> dict[str, str]:
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
        "BENCH_CLIENT": client,
        "BENCH_MIX": case.mix,
        "BENCH_USERS": str(USERS),
        "BENCH_SECONDS": str(seconds + SKIPPED_S + 1),
    }


def read_run(path: Path) -> Result:
    """The requests and the CPU of a run's seconds in the middle."""
    rows = [orjson.loads(line) for line in (path / "users.jsonl").read_bytes().splitlines()]
    health = {row["second"]: row["cpu"] for row in rows if "cpu" in row}
    seconds = sorted(health)[SKIPPED_S:-1]
    cpu_s = sum(health[second] for second in seconds)
    requests = failures = bytes_in = 0
    wanted = set(seconds)
    for line in (path / "windows.jsonl").read_bytes().splitlines():
        key, window = window_from_json(orjson.loads(line))
        failures += window.failures.n
        if key.second in wanted:
            requests += window.n
            bytes_in += window.bytes_in
    return Result(requests, failures, bytes_in, cpu_s, float(len(seconds)))


def table(case: Case) -> str:
    """One case in Markdown."""
    base = [result.per_cpu_s for result in case.results["fast"]]
    lines = [
        f"## {case.title}",
        "",
        "| Client | requests per CPU second | MB per CPU second | ratio, median of rounds (range) "
        "| core busy | failures |",
        "|---|---|---|---|---|---|",
    ]
    for client, name in CLIENTS.items():
        results = case.results[client]
        ratios = [r.per_cpu_s / b for r, b in zip(results, base, strict=True)]
        lines.append(
            f"| {name} | {median(results, 'per_cpu_s'):,.0f} "
            f"| {statistics.median(r.bytes_in / r.cpu_s / 1e6 for r in results):,.0f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}) "
            f"| {min(r.cpu_s / r.wall_s for r in results):.0%} "
            f"| {sum(r.failures for r in results)} |"
        )
    return "\n".join([*lines, ""])


def median(results: Sequence[Result], attribute: str) -> float:
    """The median of one figure."""
    return statistics.median(float(getattr(result, attribute)) for result in results)


def report(made: Sequence[Case], *, rounds: int, seconds: float) -> str:
    """The result in Markdown."""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    load = os.getloadavg()[0]
    return "\n".join(
        [
            "# Scenario benchmark",
            "",
            f"Measured {when} on {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
            f"load average {load:.1f} at the end: {rounds} rounds of {seconds:g} s, {USERS} users "
            "without thought.",
            f"Generator pinned to core {GENERATOR_CORE}, the embedded service to core "
            f"{TARGET_CORE}.",
            "The devices, their checks, the plugin and Locust are the same; the client is not.",
            f"SHA-256 alone hashes {sha256_mb_per_cpu_s():,.0f} MB in a CPU second here: "
            "no client that verifies bundles can take more.",
            "Ratios compare; absolute figures belong to this machine and minute.",
            "`core busy` is the least of the rounds: below 100 %, the service held the generator "
            "up, and each wake-up then costs it more.",
            "",
            *map(table, made),
        ]
    )


def sha256_mb_per_cpu_s() -> float:
    """How fast bundles could be verified if nothing else had to be done."""
    piece, pieces = bytes(256 * 1024), 800
    verified = hashlib.sha256()
    began_s = time.process_time()
    for _ in range(pieces):
        verified.update(piece)
    return pieces * len(piece) / 1e6 / (time.process_time() - began_s)


def say(text: str) -> None:
    """Progress, apart from the report."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scenario", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repetitions (3)")
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of each run (8)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/scenario-results.md"), help="Markdown file"
    )
    given = parser.parse_args(arguments)
    if not on_path("taskset"):
        parser.error("taskset is not installed: the generator and the service need cores apart")
    if given.rounds < 1 or given.seconds < 2:
        parser.error("--rounds must be at least 1 and --seconds at least 2")
    made = benchmark(rounds=given.rounds, seconds=given.seconds)
    text = report(made, rounds=given.rounds, seconds=given.seconds)
    print(text)
    given.output.write_text(text)


if __name__ == "__main__":
    main()
