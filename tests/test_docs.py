"""Docs cannot drift: pages that are written by a program are up to date, links lead somewhere, and
every command in a console block is one that exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from analysis import render
from analysis.outputs import judge_directory
from otaload.cli import SCENARIOS, build_parser
from tests.analysis.synthetic_runs import write_run

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z]+(?: [a-z]+)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MAKE = {name for names in TARGETS for name in names.split()}
OTALOAD = {"run", "judge", "report", "check", "seed", "staging"}
OTALOAD |= {"compare", "history", "index", "early-stop", "export"}


def load_builder():
    """The module that writes the command line's page."""
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_lines_page_is_up_to_date() -> None:
    builder = load_builder()

    assert builder.PAGE.read_text(encoding="utf-8") == builder.page(), "run `make docs`"


def test_every_subcommand_is_listed_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()

    assert [name for name in OTALOAD if f"otaload {name}" not in text] == []
    assert build_parser().format_help().count("otaload") > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / link).exists(), link


def console_commands(page: Path) -> list[str]:
    """The commands of a page's console blocks."""
    blocks = re.findall(r"```(?:console|sh)\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist(page: Path) -> None:
    for command in console_commands(page):
        words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
        if not words or words[0] in {"git", "gh", "cd", "export", "source", "."}:
            continue
        program = words[0].rpartition("/")[2]
        if program == "make":
            assert words[1] in MAKE, command
        elif program == "otaload":
            assert words[1] in OTALOAD, command
            if words[1] == "run":
                assert words[2] in SCENARIOS or words[2].endswith(".py"), command
        elif program == "locust":
            assert "-f" in words, command
        else:
            raise AssertionError(f"{page.name} has a command that nobody checks: {command}")


def test_every_module_says_what_it_is() -> None:
    for room in ("otaload", "analysis", "staging", "locustfiles"):
        for path in (ROOT / room).rglob("*.py"):
            assert path.read_text().lstrip().startswith('"""'), path


def shape_of(line: str) -> str:
    """A line of a verdict without its numbers and the widths of its columns."""
    shape = re.sub(r"\d[\d.,]*", "#", line.replace(" MB", " kB"))
    return re.sub(r"-+", "-", " ".join(shape.split()))


def test_the_sample_of_the_readme_is_what_a_smoke_prints(tmp_path: Path) -> None:
    printed = {
        shape_of(line) for line in render.text(judge_directory(write_run(tmp_path))).split("\n")
    }
    after = (ROOT / "README.md").read_text().partition("A smoke ends like this:\n\n```\n")[2]
    sample = after.partition("\n```\n")[0].split("\n")
    assert len(sample) > 10
    # What was run, and which checks are unproven, is each run's own.
    shown = [line for line in sample if not re.search(r"·|…| more$", line)]
    assert [line for line in shown if shape_of(line) not in printed] == []
