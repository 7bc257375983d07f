"""A comparison as tables for a terminal or a CI log, and as Markdown."""

from __future__ import annotations

from analysis.comparison import Comparison
from analysis.quantities import printable, shorten
from analysis.render.comparison_rows import (
    FIGURE_COLUMNS,
    MEANINGS,
    RUN_COLUMNS,
    SYMBOLS,
    TIERS,
    about,
    figure_cells,
    left_out_lines,
    method_lines,
    run_cells,
)
from analysis.render.summary import MARKS, escape
from analysis.render.terminal import paint, table, wrapped

_ENDPOINT_WIDTH = 22


def text(comparison: Comparison, *, colour: bool = False) -> str:
    """The finding, each figure of both groups, the runs, and what to know about them."""
    finding = comparison.finding
    lines = [
        paint(line, TIERS[finding], colour=colour, bold=True)
        for line in wrapped(f"{SYMBOLS[finding]} {comparison.headline}", "", "  ")
    ]
    lines += ["", *wrapped(about(comparison), "  ", "  "), ""]
    rows = []
    for difference in comparison.differences.all:
        found, endpoint, *others = figure_cells(difference)
        shown = shorten(printable(endpoint), _ENDPOINT_WIDTH)
        rows.append((SYMBOLS[difference.finding], found, shown, *others))
    header = ("", *(name.lower() if len(name) > 1 else name for name in FIGURE_COLUMNS))
    lines += [*table(header, rows, right=(4, 5, 6, 7, 8)), ""]
    runs = [
        tuple(printable(cell) for cell in run_cells(group, run))
        for group in (comparison.before, comparison.after)
        for run in group.runs
    ]
    lines += [*table([name.lower() for name in RUN_COLUMNS], runs, right=range(2, 8)), ""]
    for title, sentences in _lists(comparison):
        lines.append(title)
        for sentence in sentences:
            lines += wrapped(sentence, "  - ", "    ")
        lines.append("")
    lines.append(f"Exit code {comparison.exit_code}: {MEANINGS[finding]}")
    return "\n".join(lines) + "\n"


def markdown(comparison: Comparison) -> str:
    """The same as Markdown."""
    mark = MARKS[TIERS[comparison.finding]]
    lines = [f"## {mark} {escape(comparison.headline)}", "", escape(about(comparison)), ""]
    lines += [f"| {' | '.join(FIGURE_COLUMNS)} |", "|---|---|---|--:|--:|--:|--:|--:|"]
    for difference in comparison.differences.all:
        lines.append(f"| {' | '.join(escape(cell) for cell in figure_cells(difference))} |")
    lines += ["", f"| {' | '.join(RUN_COLUMNS)} |", "|---|---|--:|--:|--:|--:|--:|--:|"]
    for group in (comparison.before, comparison.after):
        for run in group.runs:
            lines.append(f"| {' | '.join(escape(cell) for cell in run_cells(group, run))} |")
    lines.append("")
    for title, sentences in _lists(comparison):
        lines += [f"### {title}", "", *(f"- {escape(line)}" for line in sentences), ""]
    return "\n".join(lines)


def _lists(comparison: Comparison) -> list[tuple[str, list[str]]]:
    found = (
        ("Left out", left_out_lines(comparison)),
        ("Notes", [*comparison.notes, *method_lines(comparison)]),
    )
    return [(title, sentences) for title, sentences in found if sentences]
