"""Standard output as it is found: a pipe whose reader went away, a console without our letters."""

from __future__ import annotations

import io
import os
import sys


def write_any_letter() -> None:
    """Have letters that the console's encoding lacks written as question marks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def drop_output() -> None:
    """The reader of our output went away, as `| head` does: what is still written goes nowhere.

    Without that the interpreter would stumble over it once more at its end, and change the exit
    code.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
