"""Runs of every format that there has been are read and judged as they were then.

A fixture is never changed: when the format is raised, a new one joins it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analysis.history import read_history
from analysis.outputs import judge_directory, report_directory
from otaload.record import FORMAT_VERSION

HERE = Path(__file__).parent
FIXTURES = {1: HERE / "format_1_run"}
"""A smoke of a few seconds against the embedded service, of which a fifth failed."""


def test_there_is_a_fixture_of_every_format() -> None:
    assert sorted(FIXTURES) == list(range(1, FORMAT_VERSION + 1))


@pytest.mark.parametrize("version", FIXTURES)
def test_a_run_of_an_old_format_is_judged_as_it_was(version: int) -> None:
    path = FIXTURES[version]
    told = json.loads((path / "verdict.json").read_text())
    verdict = judge_directory(path)

    assert json.loads((path / "run.json").read_text())["format"] == version
    assert verdict.exit_code == told["exit_code"] == 99
    assert (verdict.requests, verdict.failures) == (told["requests"], told["failures"]) == (60, 11)
    figures = {row.endpoint: (row.figures.n, row.figures.failures) for row in verdict.endpoints}
    assert figures == {row["endpoint"]: (row["n"], row["failures"]) for row in told["endpoints"]}
    assert not verdict.reasons[0].startswith("damaged")


@pytest.mark.parametrize("version", FIXTURES)
def test_a_run_of_an_old_format_is_reported_and_listed(version: int, tmp_path: Path) -> None:
    path = tmp_path / FIXTURES[version].name
    shutil.copytree(FIXTURES[version], path)
    report_directory(path)

    assert "INJECTED_FAULT" in (path / "report.html").read_text()
    (run,) = read_history(tmp_path, limit=1).runs
    assert run.judgement is not None
    assert run.judgement.requests == 60
