"""Standard output and error as they are found: no reader, a full disk, none of our letters.

What is said is never worth what is done: a run ends, and is judged, whoever still listens.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from otaload.errors import OutputError


def write_any_letter() -> None:
    """Have letters that the console's encoding lacks written as question marks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def write_output(text: str) -> None:
    """Write to standard output; where it takes nothing any more, all further text goes nowhere."""
    _write(sys.stdout, text)


def write_error(text: str) -> None:
    """Write to standard error, in the same way."""
    _write(sys.stderr, text)


def flush_output() -> None:
    """Have what was written by others arrive, or be dropped: the exit code is none of its business.

    The interpreter would stumble over it once more at its end, and change the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        _write(stream, "")


def print_answer(answer: str | bytes) -> None:
    """Write what a command was asked for; raises `OutputError` where it has no place to go."""
    try:
        if isinstance(answer, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(answer)
        else:
            sys.stdout.write(answer)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has seen enough
    except OSError as error:
        drop_output()
        raise OutputError(
            f"standard output cannot be written ({error.strerror}); "
            "free space there or send it elsewhere"
        ) from error


def drop_output(stream: TextIO | None = None) -> None:
    """The reader of a stream (standard output) went away: what is still written goes nowhere."""
    with contextlib.suppress(OSError, ValueError):  # it has no file, or a closed one
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (stream or sys.stdout).fileno())
        os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        drop_output(stream)  # as `| head` does; nobody need be told
    except (OSError, ValueError) as error:
        drop_output(stream)
        if stream is sys.stdout:
            reason = getattr(error, "strerror", None) or error
            write_error(f"otaload: warning: standard output cannot be written ({reason})\n")
