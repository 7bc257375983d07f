"""The subcommand `otaload export`, to stdout and to a file, and what it refuses."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.analysis.synthetic_runs import write_run
from tests.e2e.running import ROOT


def exported(*arguments: str) -> bytes:
    """What the command writes to stdout, untranslated."""
    return subprocess.run(
        [sys.executable, "-m", "otaload", "export", *arguments],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("form", ["csv", "openmetrics"])
def test_stdout_and_a_file_get_the_same_bytes(tmp_path: Path, form: str) -> None:
    path = write_run(tmp_path)
    output = tmp_path / "output"

    shown = exported("latest", "--reports-dir", str(tmp_path), "--format", form)
    assert exported(str(path), "--format", form, "--output", str(output)) == b""

    assert output.read_bytes() == shown
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(shown.decode(), newline="")))
        assert len(rows) == 3 * 60
        assert shown.count(b"\r\n") == 3 * 60 + 1
    else:
        names = {family.name for family in text_string_to_metric_families(shown.decode())}
        assert {"otaload_outcome", "otaload_request_duration_seconds"} <= names
    assert not (path / "verdict.json").exists()  # a run is read, and nothing is written into it


def test_other_limits_judge_what_openmetrics_tells(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    limits = tmp_path / "strict.yaml"
    limits.write_text("global: {p95: {pass: 1 ms, fail: 2 ms}}\n")
    options = ("--format", "openmetrics")

    assert b"otaload_exit_code 0\n" in exported(str(path), *options)
    assert b"otaload_exit_code 99\n" in exported(str(path), *options, "--thresholds", str(limits))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("RUN", "--format", "xml"), "invalid choice: 'xml'"),
        (("RUN", "--thresholds", "thresholds.yaml"), "windows are not judged"),
        (("RUN", "--output", "/dev/null/file"), "--output /dev/null/file: cannot be written"),
        (("no-such-run",), "no-such-run: there is no such run"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path: Path, otaload, arguments, told: str) -> None:
    path = str(write_run(tmp_path))
    done = otaload("export", *(path if word == "RUN" else word for word in arguments))

    assert done.returncode == 104
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
