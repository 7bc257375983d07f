"""Nothing that a run prints is a command to GitHub, in however many pieces it is written."""

from __future__ import annotations

import io
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.live.defusing import Defusing, defuse_output

IN_GITHUB = {"GITHUB_ACTIONS": "true"}


def written(*pieces: str) -> str:
    """What pieces come to."""
    defusing = Defusing()
    return "".join(defusing.defuse(piece) for piece in pieces)


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        (["::error ::x\n"], "| ::error ::x\n"),
        (["boom\n::add-mask::x"], "boom\n| ::add-mask::x"),
        (["boom\r::add-mask::x"], "boom\r| ::add-mask::x"),
        (["boom\n", "  ", "\t", ":", ":error::x\n"], "boom\n  \t| ::error::x\n"),
        (["a [time] ##[error]x\n"], "a [time] ## [error]x\n"),
        (["a #", "#", "[error]x\n"], "a ## [error]x\n"),
        (["boom at ::1 and a::b\n", "x", "::y\n"], "boom at ::1 and a::b\nx::y\n"),
        (["", "\n", ""], "\n"),
    ],
)
def test_commands_are_spoilt_and_all_else_stays(pieces: list[str], told: str) -> None:
    assert written(*pieces) == told


@given(st.lists(st.text(alphabet=":#[ \r\n\tx", max_size=6), max_size=12))
def test_no_pieces_come_to_a_command(pieces: list[str]) -> None:
    told = written(*pieces)

    assert "##[" not in told
    assert not [line for line in re.split(r"[\r\n]", told) if line.strip().startswith("::")]
    assert told.replace("| ", "").replace("## [", "##[") == "".join(pieces).replace("## [", "##[")


def test_streams_are_defused_once_and_in_a_workflow_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment, told in (({}, "::x\n"), (IN_GITHUB, "| ::x\n")):
        holder = io.TextIOWrapper(io.BytesIO(), write_through=True)
        monkeypatch.setattr(sys, "stdout", holder)
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))
        defuse_output(environment)
        defuse_output(environment)
        sys.stdout.write("::x\n")
        assert holder.buffer.getvalue().decode() == told  # type: ignore[attr-defined]
