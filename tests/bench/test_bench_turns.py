"""Processes that take turns: each has its time, none runs in another's, and none is left."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from bench.turns import TURN_S, take_turns

WORKS = """
import json, os, signal, sys, time
over = []
signal.signal(signal.SIGUSR1, lambda *_: over.append(True))
os.kill(os.getpid(), signal.SIGSTOP)
seen = []
while not over:
    seen.append(time.monotonic())
    time.sleep(0.01)
open(sys.argv[1], "w").write(json.dumps(seen))
print(json.dumps({"ticks": len(seen)}))
"""


FAILS = "raise SystemExit('no such target')"
STOPS = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"


def command(source: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", source, *arguments]


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_each_has_its_turns_and_none_works_in_those_of_another(tmp_path: Path) -> None:
    before = children()
    files = {name: tmp_path / name for name in ("one", "two")}
    commands = {name: command(WORKS, str(path)) for name, path in files.items()}
    results = take_turns(commands, 3 * TURN_S - 0.1)

    assert list(results) == ["one", "two"]
    assert {result["wall_s"] for result in results.values()} == {3 * TURN_S}
    assert all(result["ticks"] > 10 for result in results.values())
    seen = sorted(
        (float(moment), name)
        for name, path in files.items()
        for moment in path.read_text().strip("[]").split(", ")
    )
    changes = sum(a[1] != b[1] for a, b in pairwise(seen))
    # one two, two one, one two, and the last moments of each; ticks in between would be hundreds.
    assert 3 <= changes <= 6
    assert children() == before


@pytest.mark.parametrize(
    "source",
    [FAILS, f"{STOPS}\n{FAILS}"],
    ids=["before it is warm", "in its turn"],
)
def test_one_that_fails_is_an_error_with_its_own_words(tmp_path: Path, source: str) -> None:
    before = children()
    commands = {"sound": command(WORKS, str(tmp_path / "x")), "broken": command(source)}

    with pytest.raises(RuntimeError, match="broken failed: no such target"):
        take_turns(commands, TURN_S)
    assert children() == before
