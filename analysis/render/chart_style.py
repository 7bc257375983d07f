"""How charts look: matplotlib figures turned into inline SVG that follows the page's colours.

Colours are placeholders that become CSS variables, so that one chart serves light and dark; text
stays text, and every id carries the chart's name, so that many charts fit in one page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

INK, QUIET, GRID = "#010101", "#010102", "#010103"
PASS, WARNING, FAIL = "#010104", "#010105", "#010106"
SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115", "#010116")
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (1.4, 1.4)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (9, 3)),
)
"""Line styles in the order of `SERIES`: colour never tells two lines apart alone."""

_VARIABLES = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    GRID: "var(--grid)",
    PASS: "var(--pass)",
    WARNING: "var(--warning)",
    FAIL: "var(--fail)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES, start=1)},
}
_COLOUR = re.compile("|".join(_VARIABLES))
_DECIMALS = re.compile(r"(\.\d\d)\d+")
"""A hundredth of a point is finer than any screen; more digits would be a third of the page."""
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10.5,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "grid.color": GRID,
    "axes.grid": True,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "text.parse_math": False,
    "path.simplify": True,
}
WIDTH_IN = 6.0
LEGEND_LETTERS = 62
"""How many letters of a legend, with room for its lines, fit beside each other."""
LINE_LETTERS = 7
LABEL_GAP = 0.075
"""How far apart labels beside the axes must be, as a share of their height."""


def style(name: str) -> AbstractContextManager[None]:
    """The settings to make and draw a chart within; `name` makes its ids its own."""
    return mpl.rc_context({**_RC, "svg.hashsalt": name})


def new_figure(height_in: float, *, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with axes one above the other that share their time axis."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False)
    return figure, [row[0] for row in grid]


def time_axis(axes: Axes, duration_s: float) -> None:
    """Label the time axis in seconds, minutes or hours, whichever suits the run's length."""
    unit, seconds = ("s", 1) if duration_s <= 180 else ("min", 60)
    if duration_s > 3 * 3600:
        unit, seconds = "h", 3600
    axes.set_xlim(0, duration_s)
    locator = MaxNLocator(nbins=8, steps=[1, 2, 3, 5, 6, 10])
    ticks = [t * seconds for t in locator.tick_values(0, duration_s / seconds)]
    axes.set_xticks([t for t in ticks if 0 <= t <= duration_s])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t / seconds:g}"))
    axes.set_xlabel(f"time since the start ({unit})")


def log_axis(axes: Axes, what: str) -> None:
    """A logarithmic scale of milliseconds, with numbers at 1, 2 and 5."""
    axes.set_yscale("log")
    axes.set_ylabel(f"{what} (ms, log scale)")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    # Thirty small ticks an axis would take a tenth of the page's time.
    axes.yaxis.set_minor_locator(NullLocator())


def legend(
    axes: Axes, *, columns: int | None = None, raised: float = 0.0, swatch: float = 2.6
) -> None:
    """The legend above the axes, where it covers nothing, in as many columns as have room.

    `raised` leaves room below it, as a share of the axes' height; `swatch` is the length of what
    stands before a label, in letters.
    """
    labels = [str(label) for label in axes.get_legend_handles_labels()[1]]
    if not labels:
        return
    longest = max(len(label) for label in labels) + LINE_LETTERS
    room = max(1, min(LEGEND_LETTERS // longest, 6))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0 + raised),
        ncols=columns or room,
        borderpad=0.2,
        handlelength=swatch,
        columnspacing=1.4,
    )


def side_labels(
    axes: Axes, labels: Sequence[tuple[float, str, str]], *, beyond: float = 0.0
) -> None:
    """A dotted line at each value, and beside the axes its text, moved off its neighbours.

    `labels` are values, texts and colours; `beyond` leaves room between the axes and the texts.
    Call it when the axes have their final limits.
    """
    ordered = sorted(labels)
    scaled = axes.transScale.transform([(1.0, value) for value, _, _ in ordered] or [(1.0, 1.0)])
    wanted = [float(at) for _, at in axes.transLimits.transform(scaled)[: len(ordered)]]
    for (value, text, colour), at, label_at in zip(
        ordered, wanted, spread(wanted, LABEL_GAP), strict=True
    ):
        axes.axhline(value, color=colour, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            "",
            xy=(1.0 + beyond, at),
            xytext=(1.026 + beyond, label_at),
            xycoords="axes fraction",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        axes.text(1.03 + beyond, label_at, text, transform=axes.transAxes, fontsize=10, va="center")


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Rising positions moved apart to at least a gap, as little as that takes.

    Neighbours that are too close become a block that stays centred on where they wanted to be.
    """
    blocks: list[tuple[float, int]] = []  # the first position of a block, and its size
    for position in positions:
        first, size = position, 1
        while blocks and blocks[-1][0] + blocks[-1][1] * gap > first:
            before, count = blocks.pop()
            middle = before + (count - 1) * gap / 2
            own = first + (size - 1) * gap / 2
            total = count + size
            first = (middle * count + own * size) / total - (total - 1) * gap / 2
            size = total
        blocks.append((first, size))
    return [first + i * gap for first, size in blocks for i in range(size)]


def svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element to be put into a page; call it within `style(name)`."""
    buffer = io.StringIO()
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set(facecolor="none", edgecolor="none")
    # The same drawing as by savefig, which draws it once more beforehand to lay it out.
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # An inline SVG needs no namespaces, and its metadata would name other sites.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|\bhref="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", r"<svg \1>", text, count=1)
    text = re.sub(r"font: ([0-9.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;?\s*", "", text)
    text = re.sub(r' d="[^"]*"', lambda path: _short(path[0]), text)
    return _COLOUR.sub(lambda match: _VARIABLES[match[0]], text).strip()


def _short(path: str) -> str:
    """The outline of a path in as few characters as show the same."""
    return re.sub(r"\s*\n\s*", " ", _DECIMALS.sub(r"\1", path)).replace(' "', '"')
