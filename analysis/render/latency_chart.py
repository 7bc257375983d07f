"""Latency over time: percentiles with the tiers beside them, and all of it as a heatmap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from analysis.latency_bins import Heatmap
from analysis.limits import Limits, Tier
from analysis.meta import Stage
from analysis.quantities import Unit, format_limit
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    PASS,
    QUIET,
    SERIES,
    WARNING,
    legend,
    log_axis,
    new_figure,
    side_labels,
    time_axis,
)
from analysis.render.phase_marks import RAISED, name_phases, shade_phases

LATENCIES = ("p50", "p95", "p99")
MAX_COLOUR = QUIET
STRIP_WIDTH, STRIP_STEP = 0.02, 0.066
TIER_COLOURS = {Tier.PASS: PASS, Tier.WARNING: WARNING, Tier.FAIL: FAIL}
SHADES = (
    (0.0, "to 2 %", 0.42),
    (0.02, "to 5 %", 0.56),
    (0.05, "to 12 %", 0.7),
    (0.12, "to 30 %", 0.85),
    (0.30, "more", 1.0),
)
"""Of a bin's requests: above which share, what the legend calls it, and how dense it is drawn.

The first shade, of the few requests that are slow, is what a heatmap is looked at for.
"""


@dataclass(frozen=True)
class LimitLine:
    """A limit to draw: `p95 fail 2000 ms`, in the colour of its percentile."""

    label: str
    value_ms: float
    colour: str


@dataclass(frozen=True)
class TierBand:
    """The latencies of one tier of a percentile; it ends at infinity where nothing bounds it."""

    tier: Tier
    from_ms: float
    to_ms: float


def limit_lines(limits: Iterable[tuple[str, Limits]]) -> list[LimitLine]:
    """The lines for the limits of some percentiles; equal ones of a percentile share a line."""
    lines = []
    for metric, bounds in limits:
        if metric not in LATENCIES:
            continue
        colour = SERIES[LATENCIES.index(metric)]
        by_value: dict[float, list[str]] = {}
        named = (
            ("pass", bounds.pass_below),
            ("warning", bounds.warning_below),
            ("fail", bounds.fail_above),
        )
        for name, bound in named:
            if bound is not None:
                by_value.setdefault(bound.value, []).append(name)
        for value, names in by_value.items():
            shown = names[-1] if len(names) == 1 else f"{names[0]}, {names[-1]}"
            label = f"{metric} {shown} {format_limit(value, Unit.MS)}"
            lines.append(LimitLine(label, value, colour))
    return lines


def tier_bands(limits: Limits) -> tuple[TierBand, ...]:
    """The tiers of a percentile from the fastest latency on; the gap is part of the warning."""
    passing, failing = limits.pass_below.value, limits.fail_above.value
    bands = [TierBand(Tier.PASS, 0.0, passing)]
    if passing < failing:
        bands.append(TierBand(Tier.WARNING, passing, failing))
    return (*bands, TierBand(Tier.FAIL, failing, float("inf")))


def latency_figure(
    series: pd.DataFrame,
    limits: Sequence[tuple[str, Limits]],
    stages: Sequence[Stage],
    duration_s: float,
) -> Figure:
    """p50, p95, p99 and max over time on a logarithmic scale, with tiers and limits beside them."""
    figure, (axes,) = new_figure(3.4)
    lines = limit_lines(limits)
    for name, colour, dashes in zip(LATENCIES, SERIES, DASHES, strict=False):
        _line(axes, series["t_s"], series[f"{name}_ms"], colour=colour, dashes=dashes, label=name)
    axes.plot(
        series["t_s"],
        series["max_ms"],
        color=MAX_COLOUR,
        linestyle="none",
        marker="_",
        markersize=3.5,
        markeredgewidth=1.0,
        label="max",
        zorder=1.5,
    )
    drawn = series[[f"{name}_ms" for name in (*LATENCIES, "max")]].to_numpy(dtype=np.float64)
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    values = [*drawn.tolist(), *(line.value_ms for line in lines)] or [1.0, 100.0]
    log_axis(axes, "latency")
    axes.set_ylim(min(values) / 1.5, max(values) * 1.4)
    strips = _tier_strips(axes, limits)
    side_labels(axes, [(one.value_ms, one.label, one.colour) for one in lines], beyond=strips)
    shade_phases(axes, stages, duration_s)
    time_axis(axes, duration_s)
    named = name_phases(axes, stages, duration_s)
    legend(axes, raised=max(named, RAISED if strips else 0.0))
    return figure


def _line(
    axes: Axes, t_s: pd.Series, latency: pd.Series, *, colour: str, dashes: Any, label: str
) -> None:
    axes.plot(t_s, latency, color=colour, linestyle=dashes, label=label)
    alone = _alone(latency.to_numpy(dtype=np.float64))
    if alone.any():
        axes.plot(t_s[alone], latency[alone], color=colour, linestyle="none", marker="o", ms=4)


def _alone(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values have no neighbour that a line could lead to."""
    known = np.isfinite(values)
    padded = np.pad(known, 1)
    alone: NDArray[np.bool_] = known & ~padded[:-2] & ~padded[2:]
    return alone


def _tier_strips(axes: Axes, limits: Sequence[tuple[str, Limits]]) -> float:
    """A strip of the tiers of each percentile beside the axes; how far they reach beyond them."""
    low, high = axes.get_ylim()
    place = axes.get_yaxis_transform()
    judged = [(metric, bounds) for metric, bounds in limits if metric in LATENCIES]
    for number, (metric, bounds) in enumerate(judged):
        left = 1.018 + number * STRIP_STEP
        for band in tier_bands(bounds):
            bottom, top = max(band.from_ms, low), min(band.to_ms, high)
            if bottom < top:
                strip = Rectangle(
                    (left, bottom),
                    STRIP_WIDTH,
                    top - bottom,
                    transform=place,
                    facecolor=TIER_COLOURS[band.tier],
                    linewidth=0,
                    clip_on=False,
                )
                axes.add_patch(strip)
        axes.text(
            left + STRIP_WIDTH / 2,
            1.015,
            metric.removeprefix("p"),
            transform=axes.transAxes,
            ha="center",
            fontsize=10,
            color=SERIES[LATENCIES.index(metric)],
        )
    return len(judged) * STRIP_STEP if judged else 0.0


def heatmap_figure(found: Heatmap, stages: Sequence[Stage], duration_s: float) -> Figure:
    """How the requests of each bin are spread over latency: the denser, the more of them."""
    figure, (axes,) = new_figure(3.4)
    for (above, label, alpha), up_to in zip(
        SHADES, (*(share for share, _, _ in SHADES[1:]), 2.0), strict=True
    ):
        cells = (found.share_ratio > above) & (found.share_ratio <= up_to)
        outline = _outline(cells, found.edges_ms, found.width_s)
        look = {"facecolor": SERIES[0], "alpha": alpha, "linewidth": 0}
        drawn = PathPatch(outline, label=label, gid=f"cells-{len(axes.patches)}", **look)
        # add_patch would look at every corner for limits that are set below.
        axes.add_artist(drawn)
    log_axis(axes, "latency")
    axes.set_ylim(float(found.edges_ms[0]), float(found.edges_ms[-1]))
    axes.grid(visible=False)
    for stage in stages[1:] if len(stages) <= len(DASHES) else ():
        axes.axvline(stage.start_s, color=QUIET, linewidth=0.8, linestyle=DASHES[2])
    time_axis(axes, duration_s)
    legend(axes, columns=5, swatch=1.3, raised=name_phases(axes, stages, duration_s))
    return figure


def _outline(cells: NDArray[np.bool_], edges_ms: NDArray[np.float64], width_s: int) -> Outline:
    """Rectangles around the cells, those beside each other in a row joined to one."""
    corners: list[tuple[float, float]] = []
    for row, filled in enumerate(cells):
        ends = np.flatnonzero(np.diff(np.pad(filled.astype(np.int8), 1)))
        low, high = float(edges_ms[row]), float(edges_ms[row + 1])
        for first, last in ends.reshape(-1, 2):
            left, right = float(first * width_s), float(last * width_s)
            corners += [(left, low), (right, low), (right, high), (left, high), (left, low)]
    steps = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY]
    if not corners:
        return Outline(np.zeros((0, 2)))
    return Outline(np.array(corners), steps * (len(corners) // 5))
