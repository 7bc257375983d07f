"""Fuzzing of everything that is read from outside: `python -m bench.fuzz_inputs --inputs 100000`.

Good examples of thresholds, targets, fault specs, workers' reports, run directories and verdicts of
past runs are damaged at random: bytes flipped, cut, repeated and swapped, numbers and nodes
replaced by what is known to hurt. Whatever comes of it is either read or refused with an error of
the project's own, in bounded time, and a damaged run is never a better verdict than the sound one
was. `bench/fuzz-results.md` tells of the last large run.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from analysis.thresholds import parse_thresholds
from bench.fuzz_damage import Findings, attempt, damaged
from bench.fuzz_runs import (
    START_S,
    fuzz_comparisons,
    fuzz_histories,
    fuzz_rendering,
    fuzz_runs,
    some_windows,
)
from bench.machine import head, table
from otaload.live.reports import Report, pack, unpack
from otaload.record.packing import pack_window
from otaload.targets import load_targets
from staging import fault_spec

ROOT = Path(__file__).resolve().parents[1]


def fuzz_thresholds(rng: random.Random, findings: Findings, _folder: Path) -> None:
    """A damaged thresholds file is read or refused."""
    text = damaged((ROOT / "thresholds.yaml").read_bytes(), rng).decode("utf-8", "replace")
    attempt(findings, "thresholds", text, lambda: parse_thresholds(text))


def fuzz_targets(rng: random.Random, findings: Findings, folder: Path) -> None:
    """A damaged targets file is read or refused."""
    path = folder / "targets.yaml"
    path.write_bytes(damaged((ROOT / "targets.yaml").read_bytes(), rng))
    environ = (
        {
            "API_BASE_URL": damaged(b"https://user@staging.example.com:8443/v1", rng).decode(
                "utf-8", "replace"
            )
        }
        if rng.random() < 0.3
        else {}
    )
    attempt(findings, "targets", (path.read_bytes(), environ), lambda: load_targets(path, environ))


def fuzz_fault_specs(rng: random.Random, findings: Findings, _folder: Path) -> None:
    """A damaged fault spec is read or refused."""
    examples = [kind.example for kind in fault_spec.KINDS.values() if kind.example]
    spec = ";".join(rng.sample(examples, k=min(len(examples), rng.randrange(1, 4))))
    text = damaged(spec.encode(), rng).decode("utf-8", "replace")
    attempt(findings, "fault spec", text, lambda: fault_spec.parse(text))


def fuzz_reports(rng: random.Random, findings: Findings, _folder: Path) -> None:
    """A damaged report of a worker is read or refused."""
    data = damaged(pack(a_report(rng)), rng)
    attempt(findings, "report", data, lambda: unpack(data))


FUZZERS: dict[str, tuple[Callable[[random.Random, Findings, Path], None], float]] = {
    "thresholds": (fuzz_thresholds, 0.25),
    "targets": (fuzz_targets, 0.2),
    "fault specs": (fuzz_fault_specs, 0.24),
    "reports": (fuzz_reports, 0.24),
    "histories": (fuzz_histories, 0.02),
    "runs": (fuzz_runs, 0.045),
    "comparisons": (fuzz_comparisons, 0.003),
    "reports of runs": (fuzz_rendering, 0.002),
}
"""Each kind with its share of the inputs; judging a run takes a hundred times as long."""


def a_report(rng: random.Random) -> Report:
    """A sound report with a few windows."""
    return Report(
        worker="w1",
        sequence=rng.randrange(1, 100),
        users=10,
        windows=[(key, pack_window(w)) for key, w in some_windows(rng, seconds=2)],
        health=[{"second": START_S, "process": "w1", "users": 10, "cpu": 0.2, "lag_ms": 1.0}],
        hosts={"127.0.0.1:8787": 12},
    )


def fuzz(inputs: int, seed: int) -> Findings:
    """Try so many inputs, each kind by its share; the same seed gives the same inputs."""
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        for name, (fuzzer, share) in FUZZERS.items():
            rng = random.Random(f"{seed}/{name}")
            for _ in range(round(inputs * share)):
                fuzzer(rng, findings, Path(folder))
    return findings


def report(findings: Findings, *, seed: int) -> str:
    """The findings as Markdown."""
    kinds = sorted({what.partition(": ")[0] for what in findings.outcomes})
    columns = ("read", "refused", "FAILED")
    rows: list[tuple[str, ...]] = [
        (kind, *(f"{findings.outcomes[f'{kind}: {column}']:,}" for column in columns))
        for kind in kinds
    ]
    inputs = sum(n for what, n in findings.outcomes.items() if not what.endswith("FAILED"))
    lines = head(
        "Fuzzing of what is read from outside",
        f"`python -m bench.fuzz_inputs --seed {seed}`: {inputs:,} damaged inputs, "
        f"{len(findings.failures):,} failures.",
        "A failure is a traceback, an error without a word, more than 2 s of CPU, or a failed run "
        "that turned green.",
    )
    return "\n".join(lines + table(("Input", "Read", "Refused", "Failures"), rows))


def main() -> None:
    """Fuzz, and print what came of it; exit 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--output", type=Path, help="Markdown file for the outcome")
    arguments = parser.parse_args()
    began = time.monotonic()
    findings = fuzz(arguments.inputs, arguments.seed)
    lines = [f"{count:8,}  {what}" for what, count in sorted(findings.outcomes.items())]
    lines.append(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s")
    sys.stdout.write("\n".join([*findings.failures[:20], *lines]) + "\n")
    if arguments.output is not None:
        arguments.output.write_text(report(findings, seed=arguments.seed))
    sys.exit(1 if findings.failures else 0)


if __name__ == "__main__":
    main()
