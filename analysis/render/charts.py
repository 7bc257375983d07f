"""What each chart draws; `chart_style` decides how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.meta import Stage
from analysis.quantiles import Values
from analysis.quantities import format_duration, printable, shorten
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    INK,
    QUIET,
    SERIES,
    legend,
    new_figure,
    time_axis,
)
from analysis.render.phase_marks import name_phases, shade_phases
from analysis.thresholds import GeneratorLimits

MOST_PROCESSES = 6


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
    legend(above, raised=name_phases(above, stages, duration_s))
    below.plot(
        users["t_s"], users["planned"], color=QUIET, linestyle=DASHES[2], label="planned users"
    )
    below.plot(users["t_s"], users["users"], color=SERIES[2], label="actual users")
    below.set_ylim(bottom=0)
    below.set_ylabel("users")
    below.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    legend(below)
    for axes in (above, below):
        shade_phases(axes, stages, duration_s)
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
            fontsize=10,
        )
    time_axis(below, duration_s)
    return figure


@dataclass(frozen=True)
class CauseBand:
    """The failures per second of one cause, on top of those of the more frequent ones."""

    label: str
    from_per_s: Values
    to_per_s: Values


def cause_bands(causes: pd.DataFrame) -> tuple[CauseBand, ...]:
    """The causes stacked up, the most frequent at the bottom."""
    bands: list[CauseBand] = []
    floor: Values = np.zeros(len(causes))
    for name in causes.columns:
        if name == "t_s":
            continue
        top: Values = floor + causes[name].to_numpy(dtype=np.float64)
        bands.append(CauseBand(str(name), floor, top))
        floor = top
    return tuple(bands)


def causes_figure(causes: pd.DataFrame, stages: Sequence[Stage], duration_s: float) -> Figure:
    """Failures per second, or of a bin where they are rare, one cause on top of the other."""
    figure, (axes,) = new_figure(3.4)
    t_s = causes["t_s"].to_numpy(dtype=np.float64)
    bands = cause_bands(causes)
    times, label_y = _cause_scale(bands, t_s, duration_s)
    for band, colour, dashes in zip(bands, SERIES, DASHES, strict=False):
        low, high = band.from_per_s * times, band.to_per_s * times
        label = shorten(printable(band.label), 60)
        # A leading underscore would hide a line from the legend.
        shown = f"\u200b{label}" if label.startswith("_") else label
        axes.fill_between(t_s, low, high, step="mid", color=colour, alpha=0.3, linewidth=0)
        edge = np.where(high > low, high, np.nan)
        look: dict[str, Any] = {"color": colour, "linestyle": dashes, "label": shown}
        axes.plot(t_s, edge, drawstyle="steps-mid", linewidth=1.2, **look)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label_y)
    # Failures of a bin are counted: there is no half of one.
    axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=bool((times != 1).any())))
    shade_phases(axes, stages, duration_s)
    time_axis(axes, duration_s)
    legend(axes, columns=1, raised=name_phases(axes, stages, duration_s))
    return figure


def _cause_scale(bands: Sequence[CauseBand], t_s: Values, duration_s: float) -> tuple[Values, str]:
    """What to multiply each bin's failures per second with, and what the axis then shows."""
    peak_per_s = max((float(band.to_per_s.max(initial=0)) for band in bands), default=0.0)
    width_s = 2 * float(t_s[0]) if len(t_s) else 1.0
    if peak_per_s >= 1 or width_s <= 1:
        return np.ones(len(t_s)), "failures/s, stacked"
    seconds = np.full(len(t_s), width_s)
    seconds[-1] = duration_s - (len(t_s) - 1) * width_s
    return seconds, f"failures in {format_duration(width_s)}, stacked"


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
        axes.text(1.01, at, text, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
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
