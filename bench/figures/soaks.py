"""The drift of a soak: levels against pooled hours, how often each is wrong, and an early stop."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.drift import estimate_drift
from analysis.early_stop import is_beyond, look, stopped_s
from analysis.looks import look_times_s
from analysis.quantiles import bin_quantiles_ms
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    INK,
    PASS,
    SERIES,
    legend,
    new_figure,
    time_axis,
)
from bench.verdicts.drift import FAILED, LIMITS, PLANNED_S, pooled
from bench.verdicts.soaks import Truth, soak

HOUR_S = 3600
RUNS = 300


def drift_levels() -> Figure:
    """A soak without drift, with an incident in its last hour: both estimates."""
    seed = next(seed for seed in range(500) if _misled(seed))
    windows = soak(Truth("none", 0.0), np.random.default_rng(seed))
    drift = estimate_drift(windows, end_s=PLANNED_S, planned_s=PLANNED_S)
    hours = windows.t_s
    bins = np.where((hours >= 900) & (hours < 4500), 0, np.where(hours >= 7 * HOUR_S, 1, -1))
    pool_ms = bin_quantiles_ms(windows.matrix(bins, 2), [0.99])[:, 0]
    levels = [
        float(np.nanmedian(part))
        for part in (drift.window_p99_ms[:12], drift.window_p99_ms[-12:])
    ]  # fmt: skip
    figure, (axes,) = new_figure(3.4)
    axes.plot(
        drift.window_t_s, drift.window_p99_ms, color=SERIES[2], linestyle="none", marker=".",
        label="p99 of 5 minutes",
    )  # fmt: skip
    ends = ((900, 4500), (7 * HOUR_S, 8 * HOUR_S))
    assert drift.drift_ratio is not None
    named = (
        (f"level: {drift.drift_ratio:+.0%}", levels, INK, DASHES[0]),
        (f"pooled: {pooled(windows):+.0%}", pool_ms, FAIL, DASHES[1]),
    )
    for label, values, colour, dashes in named:
        for i, (span, value) in enumerate(zip(ends, values, strict=True)):
            text = label if i == 0 else None
            axes.plot(
                span, (value, value), color=colour, linewidth=2.4, linestyle=dashes, label=text
            )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.set_ylabel("p99 (ms)")
    time_axis(axes, PLANNED_S)
    legend(axes)
    return figure


def drift_errors() -> Figure:
    """What both estimates say of many soaks without drift."""
    rng = np.random.default_rng(11)
    ours, hours = [], []
    for _ in range(RUNS):
        windows = soak(Truth("none", 0.0), rng)
        drift = estimate_drift(windows, end_s=PLANNED_S, planned_s=PLANNED_S)
        assert drift.drift_ratio is not None
        ours.append(drift.drift_ratio * 100)
        hours.append(pooled(windows) * 100)
    figure, axes = new_figure(3.6, rows=2)
    edges = np.arange(-75, 155, 5)
    parts = (("levels", ours, SERIES[0]), ("pooled hours", hours, SERIES[1]))
    for panel, (name, values, colour) in zip(axes, parts, strict=True):
        panel.hist(np.clip(values, edges[0], edges[-1]), bins=list(edges), color=colour, alpha=0.8)
        called, failed = np.mean(np.array(values) >= 15), np.mean(np.array(values) > 50)
        panel.text(
            1.0, 0.8, f"{name}: {called:.0%} called 15 % or more, {failed:.0%} above 50 %",
            transform=panel.transAxes, ha="right", fontsize=9.5,
        )  # fmt: skip
        panel.axvline(15, color=PASS, linestyle=(0, (2, 2)))
        panel.axvline(50, color=FAIL, linestyle=(0, (2, 2)))
        panel.set_ylabel("runs")
        panel.set_ylim(0, 130)
    axes[1].set_xlabel(f"drift called in {RUNS} soaks without drift (%; the ends hold all beyond)")
    return figure


def early_stop() -> Figure:
    """The looks at two soaks: one whose p99 triples, one without drift."""
    figure, (axes,) = new_figure(3.3)
    kinds = ((Truth("p99 triples", 2.0), SERIES[1], 3), (Truth("no drift", 0.0), SERIES[0], 2))
    for truth, colour, seed in kinds:
        windows = soak(truth, np.random.default_rng(seed))
        times = look_times_s(PLANNED_S)
        looks = [look(windows, at_s=at_s, planned_s=PLANNED_S) for at_s in times]
        pairs = list(zip(times, (is_beyond(one, LIMITS) for one in looks), strict=True))
        stop_s = stopped_s(pairs) or PLANNED_S
        shown = [(t, d) for t, d in zip(times, looks, strict=True) if t <= stop_s and d.low_ratio]
        xs = [t for t, _ in shown]
        drifts = [100 * (d.drift_ratio or 0.0) for _, d in shown]
        lows = [100 * (d.low_ratio or 0.0) for _, d in shown]
        axes.plot(xs, drifts, color=colour, marker="o", markersize=3.5, label=truth.name)
        axes.fill_between(xs, lows, drifts, color=colour, alpha=0.25, linewidth=0)
        if stop_s < PLANNED_S:
            axes.axvline(stop_s, color=colour, linestyle=DASHES[2])
            axes.text(stop_s + 200, 15, f"stopped at {stop_s / HOUR_S:g} h", fontsize=9.5)
    axes.axhline(FAILED * 100, color=FAIL, linestyle=(0, (2, 2)))
    axes.text(400, FAILED * 100 + 3, "fail limit: 50 %", fontsize=9.5)
    axes.set_ylabel("drift so far (%)")
    time_axis(axes, PLANNED_S)
    legend(axes)
    return figure


def _misled(seed: int) -> bool:
    """Whether the pooled hours of a soak call a fail where the levels see nothing."""
    windows = soak(Truth("none", 0.0), np.random.default_rng(seed))
    drift = estimate_drift(windows, end_s=PLANNED_S, planned_s=PLANNED_S)
    return pooled(windows) > 0.8 and abs(drift.drift_ratio or 1.0) < 0.05
