"""The fault matrix of `docs/reliability.md`: whole rows, and tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
COLUMNS = (
    "What is done to the run",
    "Left on disk",
    "Exit code",
    "Served and recorded",
    "Test",
)
FEWEST_ROWS = 60
EXIT_CODES = {"0", "90", "91", "92", "99", "104", "105", "107"}


class Row(NamedTuple):
    """A row of the matrix."""

    done: str
    left: str
    code: str
    counted: str
    test: str


def tables() -> list[list[list[str]]]:
    """Every table of the page, as rows of cells, its head included."""
    found: list[list[list[str]]] = [[]]
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def rows() -> list[Row]:
    """The rows of all fault matrices."""
    matrices = [table for table in tables() if "Test" in table[0]]
    return [Row(*cells) for table in matrices for cells in table[2:]]


def functions_of(path: Path) -> dict[str, str]:
    """The tests of a file, each with its source and that of its decorators."""
    source = path.read_text(encoding="utf-8")
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            found[node.name] = "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    return found


def test_every_matrix_has_the_same_columns_and_whole_rows() -> None:
    matrices = [table for table in tables() if "Test" in table[0]]
    assert matrices
    for table in matrices:
        assert tuple(table[0]) == COLUMNS
        for cells in table:
            assert len(cells) == len(COLUMNS), cells
            assert all(cells), cells


def test_there_are_as_many_rows_as_were_promised_and_none_twice() -> None:
    found = rows()
    assert len(found) >= FEWEST_ROWS
    assert len({row.done for row in found}) == len(found)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.done)
def test_a_row_names_a_test_that_exists_and_looks_for_processes_left(row: Row) -> None:
    named = re.fullmatch(r"`(test_\w+\.py)::(test_\w+)(\[[^]]+\])?`", row.test)
    assert named, row.test
    path = ROOT / "tests" / "e2e" / named[1]
    functions = functions_of(path)

    assert named[2] in functions, row.test
    case = (named[3] or "").strip("[]")
    assert case in path.read_text(encoding="utf-8")
    body = functions[named[2]]
    called = {name for name in re.findall(r"\b(\w+)\(", body) if name.startswith("assert_")}
    source = path.read_text(encoding="utf-8")
    shared = [re.search(rf"def {name}\(.*?(?=\n\n\n|\Z)", source, re.S) for name in called]
    text = "\n".join([body, *(found[0] for found in shared if found)])
    assert "assert_no_orphans" in text, f"{row.test} does not look for processes that are left"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.done)
def test_a_row_s_exit_codes_are_otaload_s(row: Row) -> None:
    codes = re.findall(r"\d+", row.code)
    assert codes
    assert set(codes) <= EXIT_CODES
