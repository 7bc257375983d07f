"""The one line of a traceback that says what was raised."""

from __future__ import annotations

_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_GROUP = "  | "
"""How each line of the traceback of a group of exceptions begins."""
_NO_EXCEPTION = (" ", "\t", "Traceback", "…")
"""How lines begin that are no exception: frames, their heading, and what was cut out."""


def exception_line(traceback: str) -> str:
    """The type of the exception that was raised last, and its message's first line.

    A message may have many lines, so that the last line of a traceback may be any of them.
    """
    lines = traceback.strip("\n").splitlines()
    begins = [number + 1 for number, line in enumerate(lines) if line in _CHAINED]
    lines = lines[begins[-1] :] if begins else lines
    in_group = [line.removeprefix(_GROUP) for line in lines if line.startswith(_GROUP)]
    for line in (*lines, *in_group):
        if line.strip() and not line.startswith(_NO_EXCEPTION):
            return line.strip()
    return lines[-1].strip() if lines else ""
