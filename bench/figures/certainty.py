"""How sure a figure is: percentiles of few requests, error rates, tiers and their proof."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.intervals import n_needed, quantile_levels, ratio_bounds
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    GRID,
    INK,
    PASS,
    QUIET,
    SERIES,
    WARNING,
    legend,
    new_figure,
)

SIGMA, MEDIAN_MS = 0.5, 100.0
TRUE_P99_MS = MEDIAN_MS * math.exp(SIGMA * 2.3263478740408408)


def percentile_interval() -> Figure:
    """Runs of three lengths on one service: what each measures as p99, and its bounds."""
    rng = np.random.default_rng(4)
    figure, (axes,) = new_figure(3.2)
    place = 0
    for n, colour in ((400, SERIES[0]), (4_000, SERIES[1]), (40_000, SERIES[2])):
        first = place
        for run in range(12):
            values = np.sort(MEDIAN_MS * np.exp(SIGMA * rng.standard_normal(n)))
            low, high = quantile_levels(0.99, n)
            assert low is not None
            assert high is not None
            bounds = values[math.ceil(low * n) - 1], values[math.ceil(high * n) - 1]
            axes.plot((place, place), bounds, color=colour, linewidth=2.2)
            label = f"n = {n:,}" if run == 0 else None
            p99 = values[math.ceil(0.99 * n) - 1]
            axes.plot(place, p99, color=colour, marker="o", markersize=4, label=label)
            place += 1
        axes.axvspan(first - 0.6, place - 0.4, color=GRID, alpha=0.25, linewidth=0)
        place += 2
    axes.axhline(TRUE_P99_MS, color=INK, linestyle=DASHES[1], linewidth=1.1, label="true p99")
    axes.set_xticks([])
    axes.set_xlabel("36 runs of the same service")
    axes.set_ylabel("p99 (ms)")
    axes.set_ylim(bottom=0)
    legend(axes)
    return figure


def errors_needed() -> Figure:
    """The upper bound of the error rate by the number of requests, for 0, 1 and 5 failures."""
    figure, (axes,) = new_figure(3.2)
    sizes = np.unique(np.geomspace(300, 300_000, 90).astype(int))
    for i, (failures, colour, dashes) in enumerate(zip((0, 1, 5), SERIES, DASHES, strict=False)):
        bounds = [100 * ratio_bounds(failures, int(n))[1] for n in sizes]
        label = f"{failures} {'failure' if failures == 1 else 'failures'}"
        axes.plot(sizes, bounds, color=colour, linestyle=dashes, label=label)
        needed = n_needed(failures, 1e-4)
        axes.plot(needed, 0.01, marker="o", color=colour)
        axes.annotate(
            f"{needed:,}",
            (needed, 0.01),
            xytext=(4, 5 + 13 * i),
            textcoords="offset points",
            fontsize=9.5,
        )
    axes.axhline(0.01, color=PASS, linestyle=(0, (2, 2)))
    axes.text(310, 0.0085, "pass limit: 0.01 %", fontsize=9.5, va="top")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda percent, _: f"{percent:g} %"))
    axes.set_xlabel("requests")
    axes.set_ylabel("error rate, at most")
    legend(axes)
    return figure


def tiers() -> Figure:
    """Values with their bounds on the scale of p95: proven, unproven, and in the gap."""
    figure, (axes,) = new_figure(2.9)
    bands = ((0, 800, PASS, "pass"), (800, 1500, WARNING, "warning"),
             (1500, 2000, WARNING, "gap: warning"), (2000, 2600, FAIL, "fail"))  # fmt: skip
    for low, high, colour, name in bands:
        axes.axvspan(low, high, color=colour, alpha=0.22 if "gap" not in name else 0.1, linewidth=0)
        axes.text((low + high) / 2, 5.35, name, ha="center", fontsize=9.5)
    cases = (
        (500, 430, 590, "pass, proven"),
        (700, 560, 930, "pass, unproven: more requests needed"),
        (1150, 1000, 1320, "warning, proven"),
        (1700, 1600, 1810, "in the gap: warning, proven"),
        (2150, 1850, 2420, "fail, unproven: it breaks the build all the same"),
    )
    for row, (value, low, high, text) in enumerate(reversed(cases)):
        axes.plot((low, high), (row, row), color=INK, linewidth=2.2)
        axes.plot(value, row, marker="o", color=INK)
        side, at = ("left", high + 30) if value < 1500 else ("right", low - 30)
        axes.text(at, row, text, ha=side, va="center", fontsize=9.5)
    axes.set_xlim(0, 2600)
    axes.set_ylim(-0.7, 6)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel("p95 (ms)")
    axes.tick_params(colors=QUIET)
    return figure
