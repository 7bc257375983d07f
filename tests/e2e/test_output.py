"""Output that nobody reads, or that a console cannot show, changes no verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, TIMEOUT_S, Bench, Ended, assert_reconciled

FAILING = ("smoke", "--time-scale", "0.05", "--faults", "error:p=1")


def code_without_reader(bench: Bench, *arguments: str) -> tuple[int, str]:
    """Exit code and error stream of a command whose output goes into a pipe without an end."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "otaload", *arguments],
            cwd=ROOT,
            env=bench.environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        os.close(writing)
    return ended.returncode, ended.stderr


def test_a_failed_run_fails_though_nobody_reads_it(bench: Bench) -> None:
    options = [*bench.options("smoke")[3:], *FAILING[1:]]
    code, errors = code_without_reader(bench, "run", "smoke", *options)
    assert code == 99, errors
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors

    (path,) = bench.reports.glob("2*")
    code, errors = code_without_reader(bench, "judge", str(path))
    assert (code, errors) == (99, "")
    code, errors = code_without_reader(bench, "history", "--reports-dir", str(bench.reports))
    assert (code, errors) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_console_without_our_letters_gets_others(bench: Bench, encoding: str) -> None:
    options = ("--time-scale", "0.2", "--faults", "error:p=1")
    ended = bench.run("smoke", *options, env={"PYTHONIOENCODING": encoding})

    assert ended.code == 99, ended.output
    assert "Traceback" not in ended.output
    assert "? Failed" in ended.output
    assert Path(ended.path / "report.html").exists()


def on_full_disk(bench: Bench, *arguments: str, env=None) -> tuple[int, str]:
    """Exit code and error stream of a command whose output goes to a disk without room."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "otaload", *arguments],
            cwd=ROOT,
            env=bench.environment(env),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    return ended.returncode, ended.stderr


def test_a_run_and_its_verdict_stand_though_the_disk_of_their_log_is_full(
    bench: Bench, tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here, so no disk can be made full")
    summary = tmp_path / "step-summary.md"
    code, errors = on_full_disk(bench, "run", "smoke", *bench.options("smoke")[3:], *FAILING[1:])
    assert code == 99, errors
    assert "standard output cannot be written (No space left on device)" in errors
    assert "Traceback" not in errors

    (path,) = bench.reports.glob("2*")
    assert_reconciled(Ended(code, errors, path))
    bench.assert_no_orphans()
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    code, errors = on_full_disk(bench, "judge", str(path), env=env)
    assert code == 99, errors
    assert "Traceback" not in errors
    assert "Failed" in summary.read_text()
    # What is asked for its text alone has failed without it.
    code, errors = on_full_disk(bench, "history", "--reports-dir", str(bench.reports))
    assert code == 104
    assert errors == (
        "otaload: error: standard output cannot be written (No space left on device); "
        "free space there or send it elsewhere\n"
    )
