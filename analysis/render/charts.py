"""What each chart draws; `chart_style` decides how it looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from analysis.levels import HOUR_WINDOWS, Drift
from analysis.limits import Limits
from analysis.meta import Stage
from analysis.quantities import Unit, format_limit, printable, shorten
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    GRID,
    INK,
    PASS,
    QUIET,
    SERIES,
    legend,
    new_figure,
    time_axis,
)
from analysis.thresholds import GeneratorLimits
from otaload.phase import Phase

LATENCIES = ("p50", "p95", "p99")
MOST_PROCESSES = 6
MOST_STAGES = 12
RAMPS = (Phase.RAMP_UP, Phase.RAMP_DOWN)


@dataclass(frozen=True)
class LimitLine:
    """A limit to draw: `p95 fail 2000 ms`, in the colour of its percentile."""

    label: str
    value_ms: float
    colour: str


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


def latency_figure(
    series: pd.DataFrame, lines: Sequence[LimitLine], stages: Sequence[Stage], duration_s: float
) -> Figure:
    """p50, p95 and p99 over time on a logarithmic scale, with the limits drawn in."""
    figure, (axes,) = new_figure(3.3)
    for name, colour, dashes in zip(LATENCIES, SERIES, DASHES, strict=False):
        latency = series[f"{name}_ms"]
        axes.plot(series["t_s"], latency, color=colour, linestyle=dashes, label=name)
        alone = _alone(latency.to_numpy(dtype=np.float64))
        if alone.any():
            times = series["t_s"][alone]
            axes.plot(times, latency[alone], color=colour, linestyle="none", marker="o", ms=4)
    drawn = np.concatenate([series[f"{name}_ms"].to_numpy() for name in LATENCIES])
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    values = [*drawn.tolist(), *(line.value_ms for line in lines)] or [1.0, 100.0]
    axes.set_yscale("log")
    axes.set_ylim(min(values) / 1.3, max(values) * 1.3)
    axes.set_ylabel("latency (ms, log scale)")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    _label_limits(axes, lines)
    _mark_stages(axes, stages)
    time_axis(axes, duration_s)
    legend(axes)
    return figure


def _alone(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values have no neighbour that a line could lead to."""
    known = np.isfinite(values)
    padded = np.pad(known, 1)
    alone: NDArray[np.bool_] = known & ~padded[:-2] & ~padded[2:]
    return alone


def _label_limits(axes: Axes, lines: Sequence[LimitLine]) -> None:
    """Draw each limit, and its label beside the axes where it does not cover its neighbour."""
    low, high = np.log10(axes.get_ylim())
    ordered = sorted(lines, key=lambda line: line.value_ms)
    wanted = [(np.log10(line.value_ms) - low) / (high - low) for line in ordered]
    for line, at, label_at in zip(ordered, wanted, spread(wanted, 0.075), strict=True):
        axes.axhline(line.value_ms, color=line.colour, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.annotate(
            "",
            xy=(1.0, at),
            xytext=(1.026, label_at),
            xycoords="axes fraction",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": line.colour,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        place = axes.transAxes
        axes.text(1.03, label_at, line.label, transform=place, fontsize=9.5, va="center")


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


def load_figure(
    rates: pd.DataFrame,
    users: pd.DataFrame,
    stages: Sequence[Stage],
    duration_s: float,
    *,
    first_bad_s: float | None = None,
) -> Figure:
    """Requests and failures per second above planned and actual users, and the first bad slice."""
    figure, (above, below) = new_figure(4.2, rows=2)
    above.plot(rates["t_s"], rates["rps"], color=SERIES[0], label="requests/s")
    above.plot(
        rates["t_s"],
        rates["failures_per_s"],
        color=FAIL,
        linestyle=DASHES[1],
        label="failures/s",
    )
    above.set_ylim(bottom=0)
    above.set_ylabel("per second")
    legend(above)
    below.plot(
        users["t_s"], users["planned"], color=QUIET, linestyle=DASHES[2], label="planned users"
    )
    below.plot(users["t_s"], users["users"], color=SERIES[2], label="actual users")
    below.set_ylim(bottom=0)
    below.set_ylabel("users")
    below.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    legend(below)
    for axes in (above, below):
        _mark_stages(axes, stages)
        if first_bad_s is not None:
            axes.axvline(first_bad_s, color=INK, linewidth=1.2, linestyle=DASHES[1])
    if first_bad_s is not None:
        early = first_bad_s < duration_s / 4
        below.annotate(
            "first bad slice",
            xy=(first_bad_s, 0.06),
            xytext=(4 if early else -4, 0),
            xycoords=below.get_xaxis_transform(),
            textcoords="offset points",
            ha="left" if early else "right",
            fontsize=9.5,
        )
    time_axis(below, duration_s)
    return figure


def causes_figure(causes: pd.DataFrame, duration_s: float) -> Figure:
    """Failures per second, a line for each of the most frequent causes."""
    figure, (axes,) = new_figure(3.3)
    names = [name for name in causes.columns if name != "t_s"]
    for name, colour, dashes in zip(names, SERIES, DASHES, strict=False):
        label = shorten(printable(str(name)), 60)
        # A leading underscore would hide a line from the legend.
        shown = f"\u200b{label}" if label.startswith("_") else label
        axes.plot(causes["t_s"], causes[name], color=colour, linestyle=dashes, label=shown)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("failures per second")
    time_axis(axes, duration_s)
    legend(axes, columns=1)
    return figure


def health_figure(health: pd.DataFrame, limits: GeneratorLimits, duration_s: float) -> Figure:
    """CPU and timer lag of each generator process, with the limits of both."""
    figure, (above, below) = new_figure(4.2, rows=2)
    for name, part in _processes(health):
        i = len(above.lines) % len(SERIES)
        look: dict[str, Any] = {
            "color": SERIES[i],
            "linestyle": DASHES[i],
            "label": shorten(printable(name), 40),
        }
        above.plot(part["t_s"], part["cpu"] * 100, **look)
        below.plot(part["t_s"], part["lag_ms"], **look)
    above.axhline(limits.cpu_ratio * 100, color=FAIL, linewidth=0.9, linestyle=(0, (2, 2)))
    below.axhline(limits.lag_ms, color=FAIL, linewidth=0.9, linestyle=(0, (2, 2)))
    for axes, text, at in (
        (above, f"limit {limits.cpu_ratio * 100:g} %", limits.cpu_ratio * 100),
        (below, f"limit {limits.lag_ms:g} ms", limits.lag_ms),
    ):
        axes.text(1.01, at, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9.5)
        axes.set_ylim(0, max(axes.get_ylim()[1], at * 1.15))
    above.set_ylabel("CPU (% of a core)")
    below.set_ylabel("worst lag (ms)")
    legend(above, columns=3)
    time_axis(below, duration_s)
    return figure


def _processes(health: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The processes to draw; of too many, the worst of them in each bin."""
    groups = [(str(name), part) for name, part in health.groupby("process", sort=True)]
    if len(groups) <= MOST_PROCESSES:
        return groups
    worst = health.groupby("t_s")[["cpu", "lag_ms"]].max().reset_index()
    return [(f"worst of {len(groups)} processes", worst)]


def drift_figure(drift: Drift, limits: Limits | None, duration_s: float) -> Figure:
    """The p99 of each window, the levels of the first and last hour, and where the tiers begin."""
    figure, (axes,) = new_figure(3.3)
    times, values = drift.window_t_s, drift.window_p99_ms
    axes.plot(times, values, color=SERIES[2], linestyle="none", marker=".", label="p99 of a window")
    if drift.drift_ratio is not None:
        first = float(np.exp(np.nanmedian(np.log(values[:HOUR_WINDOWS]))))
        last = float(np.exp(np.nanmedian(np.log(values[-HOUR_WINDOWS:]))))
        for label, part, level, dashes in (
            ("first level", times[:HOUR_WINDOWS], first, DASHES[0]),
            ("last level", times[-HOUR_WINDOWS:], last, DASHES[1]),
        ):
            ends = (part[0] - drift.window_s / 2, part[-1] + drift.window_s / 2)
            axes.plot(ends, (level, level), color=INK, linewidth=2.6, linestyle=dashes, label=label)
        if limits is not None:
            named = (("pass", limits.pass_below, PASS), ("fail", limits.fail_above, FAIL))
            for name, bound, colour in named:
                at = first * (1 + bound.value)
                axes.axhline(at, color=colour, linewidth=0.9, linestyle=(0, (2, 2)))
                text = f"{name} +{format_limit(bound.value, Unit.RATIO)}"
                place = axes.get_yaxis_transform()
                axes.text(1.01, at, text, transform=place, va="center", fontsize=9.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("p99 (ms)")
    time_axis(axes, duration_s)
    legend(axes, columns=3)
    return figure


def _mark_stages(axes: Axes, stages: Sequence[Stage]) -> None:
    for stage in stages:
        if stage.phase in RAMPS and math.isfinite(stage.end_s):
            shade: dict[str, Any] = {"color": GRID, "alpha": 0.45, "linewidth": 0, "zorder": 0.1}
            axes.axvspan(stage.start_s, stage.end_s, **shade)
    for stage in stages[1:] if len(stages) <= MOST_STAGES else ():
        axes.axvline(stage.start_s, color=GRID, linewidth=1.6, zorder=0.5)
