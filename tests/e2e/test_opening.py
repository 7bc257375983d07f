"""The index of all runs after real ones, and pages that are opened in a browser."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.e2e.running import Bench


def browser(folder: Path) -> tuple[str, Path]:
    """A browser that writes down what it is asked to open, and where it does so."""
    program, opened = folder / "browser", folder / "opened"
    program.write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{program} %s", opened


def test_each_judged_run_is_in_the_index_and_its_page_can_be_opened(otaload, bench: Bench) -> None:
    first = bench.run("smoke", "--time-scale", "0.05")
    index = bench.reports / "index.html"
    assert f"{first.path.name}/report.html" in index.read_text()
    second = bench.run("smoke", "--time-scale", "0.05")
    assert f"{first.path.name}/report.html" in index.read_text()
    assert f"{second.path.name}/report.html" in index.read_text()

    command, opened = browser(bench.folder)
    directory = ("--reports-dir", str(bench.reports))
    shown = otaload("report", "latest", *directory, "--open", env={"BROWSER": command})
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == f"{second.path / 'report.html'}\n"
    shown = otaload("index", *directory, "--open", env={"BROWSER": command})
    assert (shown.returncode, shown.stderr, shown.stdout) == (0, "", f"{index}\n")
    assert opened.read_text().split() == [
        (second.path / "report.html").as_uri(),
        index.as_uri(),
    ]


def test_without_a_browser_the_path_is_told_and_the_code_stays(otaload, bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.05")
    directory = ("--reports-dir", str(bench.reports))
    none = {"BROWSER": "/bin/false %s", "PATH": "/nonexistent", "DISPLAY": ""}
    shown = otaload("report", "latest", *directory, "--open", env=none)

    assert shown.returncode == 0
    assert shown.stdout == f"{ended.path / 'report.html'}\n"
    assert "no browser could be opened" in shown.stderr
    assert (ended.path / "report.html").as_uri() in shown.stderr
    assert "Traceback" not in shown.stderr


def test_an_index_that_cannot_be_written_changes_no_verdict(otaload, bench: Bench) -> None:
    bench.reports.mkdir()
    (bench.reports / "index.html").write_text("somebody's own")
    ended = bench.run("smoke", "--time-scale", "0.05")

    assert ended.code == 0, ended.output
    assert "the index of the runs is not up to date" in ended.output
    assert (bench.reports / "index.html").read_text() == "somebody's own"
    refused = otaload("index", "--reports-dir", str(bench.reports))
    assert refused.returncode == 104
    assert "move it away" in refused.stderr


def test_a_run_that_lies_elsewhere_leaves_no_index_there(otaload, bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.05")
    elsewhere = bench.folder / "downloads"
    elsewhere.mkdir()
    moved = ended.path.rename(elsewhere / ended.path.name)
    judged = otaload("judge", str(moved), "--reports-dir", str(bench.reports))

    assert judged.returncode == 0, judged.stderr
    assert [one.name for one in elsewhere.iterdir()] == [moved.name]
