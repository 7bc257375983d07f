"""Keeps what a run prints from being taken as a command by the CI system that reads its log.

GitHub takes a line that begins with `::` as one, and `##[` anywhere in a line. Names, failure texts
and exceptions come from the service under test, and Locust and the test code print them at will, in
any process of the run. The judge prints in a process of its own, which is not touched.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TextIO

from otaload.ci_job import in_github

MARGIN = "| "
"""Put before a line that begins with a colon, which then begins with none."""
_BEGIN = re.compile(r"([\r\n]\s*)(?=:)")
_FORMER = "##["
_BROKEN = "## ["


def defuse_output(environ: Mapping[str, str]) -> None:
    """Have this process print no command of a workflow; does nothing outside of one."""
    if not in_github(environ):
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not hasattr(stream, "otaload_defuses"):
            _defuse(stream)


class Defusing:
    """What is written piece by piece, with every command in it spoilt."""

    def __init__(self) -> None:
        self._at_begin = True
        self._tail = ""

    def defuse(self, text: str) -> str:
        """The next piece, as it is to be written."""
        before, told = ("\n" if self._at_begin else ""), text
        told = _BEGIN.sub(rf"\1{MARGIN}", before + told)[len(before) :]
        # The former spelling may be spread over several pieces.
        told = (self._tail + told).replace(_FORMER, _BROKEN)[len(self._tail) :]
        self._tail = (self._tail + told)[-len(_FORMER) + 1 :]
        line = re.split(r"[\r\n]", text)[-1]
        self._at_begin = not line.strip() and (self._at_begin or line != text)
        return told


def _defuse(stream: TextIO) -> None:
    # The object stays, since Locust's log handlers and others hold it already.
    write, defusing = stream.write, Defusing()

    def spoil(text: str) -> int:
        write(defusing.defuse(text))
        return len(text)

    stream.write = spoil  # type: ignore[method-assign]
    stream.otaload_defuses = True  # type: ignore[attr-defined]
