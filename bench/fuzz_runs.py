"""Fuzzing of run directories: damaged ones are judged, reported, compared and listed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from analysis.comparison import compare_directories
from analysis.history import read_history
from analysis.outputs import judge_directory, report_directory
from analysis.render import comparison_json, comparison_text, past_runs
from analysis.verdict import Outcome
from bench.fuzz_damage import Findings, attempt, damaged, twisted
from otaload.record import RunDirectory, Window, WindowKey

ROOT = Path(__file__).resolve().parents[1]
START_S = 1_795_000_000


def fuzz_runs(rng: random.Random, findings: Findings, folder: Path) -> None:
    """A damaged run is refused, or judged no better than the sound one was."""
    with damaged_run(rng, folder) as (path, name, data):
        partial = rng.random() < 0.2
        kind = f"run, {name}{', partial' if partial else ''}"
        verdict = attempt(findings, kind, data, lambda: judge_directory(path, partial=partial))
        # The sound run fails for its errors; what was lost of them must not turn it green.
        if verdict is not None and verdict.outcome in {Outcome.PASS, Outcome.WARNING}:
            findings.fail(kind, f"a failed run became {verdict.outcome}", data)


def fuzz_rendering(rng: random.Random, findings: Findings, folder: Path) -> None:
    """A damaged run that can be judged can be reported, in every format."""
    with damaged_run(rng, folder) as (path, name, data):
        attempt(findings, f"report of a run, {name}", data, lambda: report_directory(path))


def fuzz_comparisons(rng: random.Random, findings: Findings, folder: Path) -> None:
    """A damaged run is compared with the sound one, or left out."""
    with damaged_run(rng, folder) as (path, name, data):

        def compare() -> None:
            found = compare_directories([folder / "sound"], [path], anyway=True, all_runs=True)
            comparison_text.text(found, colour=False)
            comparison_text.markdown(found)
            comparison_json.json(found)

        attempt(findings, f"comparison, {name}", data, compare)


def fuzz_histories(rng: random.Random, findings: Findings, folder: Path) -> None:
    """A past run whose verdict is damaged is listed, with its figures or without."""
    reports = folder / "reports"
    path = reports / "2026-11-25T00-00-00Z-load"
    if not path.exists():
        reports.mkdir()
        a_run(folder).rename(path)
        report_directory(path)
    name = rng.choice(("verdict.json", "verdict.json", "run.json"))
    sound = (path / name).read_bytes()
    data = damaged(sound, rng)
    if rng.random() < 0.5:
        data = orjson.dumps(twisted(orjson.loads(sound), rng))
    (path / name).write_bytes(data)

    def list_runs() -> None:
        found = read_history(reports, limit=10)
        for draw in (past_runs.text, past_runs.markdown, past_runs.json):
            draw(found)

    attempt(findings, f"history, {name}", data, list_runs)
    (path / name).write_bytes(sound)


@contextmanager
def damaged_run(rng: random.Random, folder: Path) -> Iterator[tuple[Path, str, bytes]]:
    """A run with one of its files damaged: its directory, the file, its content."""
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
    try:
        yield path, name, data
    finally:
        (path / name).write_bytes(sound)


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
