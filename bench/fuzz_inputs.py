"""Fuzzing of everything that is read from outside: `python -m bench.fuzz_inputs --inputs 100000`.

Good examples of thresholds, targets, fault specs, workers' reports and run directories are damaged
at random: bytes flipped, cut, repeated and swapped, numbers and nodes replaced by what is known to
hurt. Whatever comes of it is either read or refused with an error of the project's own, in bounded
time, and a damaged run is never a better verdict than the sound one was.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from analysis.outputs import judge_directory
from analysis.thresholds import parse_thresholds
from analysis.verdict import Outcome
from otaload.errors import OtaloadError
from otaload.live.reports import MalformedReportError, Report, pack, unpack
from otaload.record import RunDirectory, Window, WindowKey
from otaload.record.packing import pack_window
from otaload.targets import load_targets
from staging import fault_spec
from staging.errors import StagingError

ROOT = Path(__file__).resolve().parents[1]
SLOW_S = 2.0
START_S = 1_795_000_000

NASTY_TEXT = (
    *(b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"nan", b"-inf", b"1e999", b"-1", b"0x10"),
    *(b"99999999999999999999999", b"null", b"true", b"[]", b"{}", b"{", b"]", b'"', b"'", b"\n\n"),
    *(b"*a", b"&a", b"!!python/object/apply:os.system [x]", b"<<: *a", b"\t", b": :", b"- - -"),
    *(b"%", b" ms", b"800 ms", b"0 %", b";", b"@", b"=", b"e" * 3000, b"[" * 500, b"\xe2\x80\xa8"),
)
NASTY_NODES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 0.5, 1e308, -0.0),
    *("", "x" * 5000, "\u2028", "<script>", [], {}, [[]], {"a": {}}, [None] * 3, ["counts", 1]),
)


@dataclass
class Findings:
    """What came of the inputs: how often each outcome, and every failure with its input."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def note(self, kind: str, outcome: str) -> None:
        """Count an outcome."""
        self.outcomes[f"{kind}: {outcome}"] += 1

    def fail(self, kind: str, what: str, data: object) -> None:
        """Keep a failure."""
        self.outcomes[f"{kind}: FAILED"] += 1
        self.failures.append(f"{kind}: {what}\n  input: {data!r:.600}")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes with one to four places damaged."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, width = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(7):
            case 0:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + width :]
            case 2:
                data = data[:at] + rng.choice(NASTY_TEXT) + data[at:]
            case 3:
                data = data[:at] + rng.choice(NASTY_TEXT) + data[at + width :]
            case 4:
                data = data[:at]
            case 5:
                data = data[:at] + data[at : at + width] * rng.choice((2, 3, 50)) + data[at:]
            case _:
                lines = data.splitlines(keepends=True)
                rng.shuffle(lines)
                data = b"".join(lines[: rng.randrange(1, len(lines) + 2)])
    return data


def twisted(value: Any, rng: random.Random) -> Any:
    """A JSON value with one node somewhere in it replaced, renamed or left out."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        match rng.randrange(6):
            case 0:
                return rest
            case 1:
                return {**rest, key + rng.choice(("", "x", " ", "\u0000")): value[key]}
            case _:
                return {**value, key: twisted(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], twisted(value[at], rng), *value[at + 1 :]]
    return rng.choice(NASTY_NODES)


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


def fuzz_runs(rng: random.Random, findings: Findings, folder: Path) -> None:
    """A damaged run is refused, or judged no better than the sound one was."""
    path = folder / "run"
    if not path.exists():
        a_run(folder).rename(path)
        (folder / "sound").mkdir()
        for file in path.iterdir():
            shutil.copy(file, folder / "sound" / file.name)
    name = rng.choice(("run.json", "windows.jsonl", "windows.jsonl", "users.jsonl"))
    sound = (folder / "sound" / name).read_bytes()
    data = damaged(sound, rng)
    if rng.random() < 0.5:
        if name == "run.json":
            data = orjson.dumps(twisted(orjson.loads(sound), rng))
        else:
            lines = sound.splitlines(keepends=True)
            at = rng.randrange(len(lines))
            lines[at] = orjson.dumps(twisted(orjson.loads(lines[at]), rng)) + b"\n"
            data = b"".join(lines)
    (path / name).write_bytes(data)
    verdict = attempt(findings, f"run, {name}", data, lambda: judge_directory(path))
    # The sound run fails for its errors; what was lost of them must not turn it green.
    if verdict is not None and verdict.outcome in {Outcome.PASS, Outcome.WARNING}:
        findings.fail(f"run, {name}", f"a failed run became {verdict.outcome}", data)
    (path / name).write_bytes(sound)


FUZZERS: dict[str, tuple[Callable[[random.Random, Findings, Path], None], float]] = {
    "thresholds": (fuzz_thresholds, 0.25),
    "targets": (fuzz_targets, 0.2),
    "fault specs": (fuzz_fault_specs, 0.25),
    "reports": (fuzz_reports, 0.25),
    "runs": (fuzz_runs, 0.05),
}
"""Each kind with its share of the inputs; judging a run takes a hundred times as long."""


def attempt(findings: Findings, kind: str, data: object, read: Callable[[], Any]) -> Any:
    """Read an input; None where it was refused, or failed."""
    began = time.perf_counter()
    try:
        result = read()
    except (OtaloadError, StagingError, MalformedReportError) as error:
        findings.note(kind, "refused")
        if not str(error).strip():
            findings.fail(kind, f"{type(error).__name__} without a word", data)
        return None
    except Exception:
        findings.fail(kind, traceback.format_exc(limit=-4), data)
        return None
    finally:
        took_s = time.perf_counter() - began
        if took_s > SLOW_S:
            findings.fail(kind, f"took {took_s:.1f} s", data)
    findings.note(kind, "read")
    return result


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


def some_windows(rng: random.Random, *, seconds: int) -> list[tuple[WindowKey, Window]]:
    """Windows of two endpoints, every fifth request a failure."""
    windows = []
    for second in range(seconds):
        for endpoint in ("/updates/check", "/bundles/download"):
            window = Window()
            for n in range(20):
                failed = n % 5 == 0
                (window.failures if failed else window.successes).record(rng.randrange(10**6))
                if failed:
                    window.causes["status 500"] = window.causes.get("status 500", 0) + 1
            windows.append((WindowKey(START_S + second, "POST", endpoint), window))
    return windows


def a_run(folder: Path) -> Path:
    """A sound run that fails, since every fifth of its requests did."""
    meta = {
        "scenario": "load",
        "start": float(START_S),
        "end": START_S + 20.0,
        "planned": {"users_max": 10, "duration_s": 20},
        "stages": [{"name": "steady", "start_s": 0, "end_s": 20, "users_from": 10, "users_to": 10}],
        "exercises": ["/updates/check", "/bundles/download"],
        "ended": "finished",
        "crashes": {"count": 0, "first": None},
        "workers": [{"id": "w1", "index": 0, "reports": 20, "gaps": 0, "users_max": 10}],
    }
    thresholds = (ROOT / "thresholds.yaml").read_text()
    with RunDirectory.create(
        folder, scenario="load", start_s=START_S, meta=meta, thresholds=thresholds
    ) as run:
        run.append_windows(some_windows(random.Random(1), seconds=20))
        run.append_users(
            row
            for second in range(START_S, START_S + 20)
            for row in (
                {"second": second, "planned": 10, "users": 10},
                {"second": second, "process": "w1", "users": 10, "cpu": 0.2, "lag_ms": 1.0},
            )
        )
        run.write_meta(recorded=run.recorded, complete=True)
    return run.path


def fuzz(inputs: int, seed: int) -> Findings:
    """Try so many inputs, each kind by its share; the same seed gives the same inputs."""
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        for name, (fuzzer, share) in FUZZERS.items():
            rng = random.Random(f"{seed}/{name}")
            for _ in range(round(inputs * share)):
                fuzzer(rng, findings, Path(folder))
    return findings


def main() -> None:
    """Fuzz, and print what came of it; exit 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    arguments = parser.parse_args()
    began = time.monotonic()
    findings = fuzz(arguments.inputs, arguments.seed)
    lines = [f"{count:8,}  {what}" for what, count in sorted(findings.outcomes.items())]
    lines.append(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s")
    sys.stdout.write("\n".join([*findings.failures[:20], *lines]) + "\n")
    sys.exit(1 if findings.failures else 0)


if __name__ == "__main__":
    main()
