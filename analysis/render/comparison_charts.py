"""The charts of a comparison: the runs of both groups, and the changes with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.compare import LEAST_CHANGE, Difference, Finding
from analysis.comparison_words import name_of
from analysis.quantities import printable, shorten
from analysis.render.chart_style import FAIL, GRID, INK, PASS, QUIET, SERIES, new_figure

_MARKERS = ("o", "s")
_SPREAD = 0.28
"""By how much the runs of a group are set apart from each other, of the distance of the groups."""
_COLOURS = {
    Finding.REGRESSION: FAIL,
    Finding.IMPROVEMENT: PASS,
    Finding.NO_DIFFERENCE: QUIET,
    Finding.INDICATIVE: QUIET,
}


def strip_figure(
    groups: Sequence[tuple[str, Sequence[float]]], means: Sequence[float | None], unit: str
) -> Figure:
    """One figure of every run, a row a group, in the order of the runs; a line marks the mean."""
    figure, (axes,) = new_figure(1.9)
    for row, ((_, values), mean) in enumerate(zip(groups, means, strict=True)):
        offsets = np.linspace(-_SPREAD, _SPREAD, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(
            values,
            row + offsets[: len(values)],
            linestyle="none",
            marker=_MARKERS[row % 2],
            color=SERIES[row],
        )
        if mean is not None:
            axes.plot((mean, mean), (row - 0.4, row + 0.4), color=INK, linewidth=1.4)
    axes.set_yticks(range(len(groups)), [label for label, _ in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7))
    axes.set_xlabel(unit)
    return figure


def change_figure(differences: Sequence[Difference]) -> Figure:
    """The change of each latency with its interval, against none and against the least size."""
    figure, (axes,) = new_figure(1.1 + 0.32 * len(differences))
    for row, difference in enumerate(differences):
        colour = _COLOURS[difference.finding]
        if difference.low is not None and difference.high is not None:
            ends = (100 * difference.low, 100 * difference.high)
            axes.plot(ends, (row, row), color=colour, linewidth=2.2)
        if difference.change is not None:
            axes.plot(100 * difference.change, row, marker="D", markersize=5, color=colour)
    axes.axvline(0, color=INK, linewidth=1.2)
    for at in (-LEAST_CHANGE, LEAST_CHANGE):
        axes.axvline(100 * at, color=QUIET, linewidth=0.9, linestyle=(0, (2, 2)))
    labels = [f"{name_of(d.metric)} {shorten(printable(d.endpoint), 24)}" for d in differences]
    axes.set_yticks(range(len(differences)), labels)
    axes.set_ylim(len(differences) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    _percent_axis(axes)
    axes.spines["left"].set_color(GRID)
    return figure


def _percent_axis(axes: Axes) -> None:
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:+g}".replace("-", "−") if value else "0")
    )
    axes.set_xlabel("change from A to B (%); dashed: ±5 %")
