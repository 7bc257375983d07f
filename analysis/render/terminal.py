"""Tables and paragraphs of plain text, for a terminal or a CI log."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from analysis.limits import Tier
from analysis.quantities import printable

WIDTH = 110
_COLOURS = {Tier.PASS: 32, Tier.WARNING: 33, Tier.FAIL: 31, Tier.INCONCLUSIVE: 35}


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int]
) -> list[str]:
    """The header, a rule and the rows, in columns; those in `right` are flush right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    numeric = set(right)

    def line(cells: Sequence[str]) -> str:
        shown = [
            cell.rjust(width) if i in numeric else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return ("  " + "  ".join(shown)).rstrip()

    return [line(header), line(["-" * width for width in widths]), *(line(row) for row in rows)]


def wrapped(sentence: str, first: str, rest: str) -> list[str]:
    """A sentence in lines of at most `WIDTH`, the first and the others indented as given."""
    flat = printable(sentence)  # also keeps escape sequences of a run off the terminal
    return textwrap.wrap(flat, WIDTH, initial_indent=first, subsequent_indent=rest) or [first]


def paint(line: str, tier: Tier, *, colour: bool, bold: bool = False) -> str:
    """A line in the colour of a tier, where colour is wanted."""
    if not colour:
        return line
    return f"\x1b[{'1;' if bold else ''}{_COLOURS[tier]}m{line}\x1b[0m"
