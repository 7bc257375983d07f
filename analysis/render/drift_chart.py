"""The chart of a soak: the p99 of each window, its change through the run, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from analysis.levels import HOUR_WINDOWS, Drift
from analysis.limits import Limits
from analysis.quantities import Unit, format_limit
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    INK,
    PASS,
    SERIES,
    WARNING,
    legend,
    new_figure,
    side_labels,
    time_axis,
)


@dataclass(frozen=True)
class DriftLine:
    """From the middle of the first hour to that of the last: the level, and its bounds there.

    `first_s` and `last_s` are those middles; an upper bound that there is none of is None.
    """

    first_s: float
    last_s: float
    first_ms: float
    last_ms: float
    low_ms: float | None
    high_ms: float | None


def drift_line(drift: Drift) -> DriftLine | None:
    """The line that the drift draws through the windows; None where it has no estimate."""
    if drift.drift_ratio is None:
        return None
    times, first_ms = drift.window_t_s, drift.first_ms

    def after(ratio: float | None) -> float | None:
        return None if ratio is None else first_ms * (1 + ratio)

    return DriftLine(
        first_s=float(times[:HOUR_WINDOWS].mean()),
        last_s=float(times[-HOUR_WINDOWS:].mean()),
        first_ms=first_ms,
        last_ms=drift.last_ms,
        low_ms=after(drift.low_ratio),
        high_ms=after(drift.high_ratio),
    )


def drift_figure(drift: Drift, limits: Limits | None, duration_s: float) -> Figure:
    """The windows, the levels of the first and last hour, the drift with its bounds, the tiers."""
    figure, (axes,) = new_figure(3.4)
    times, values = drift.window_t_s, drift.window_p99_ms
    axes.plot(times, values, color=SERIES[0], linestyle="none", marker=".", label="p99 of a window")
    line, labels = drift_line(drift), []
    if line is not None:
        half = drift.window_s / 2
        for name, part, level, dashes in (
            ("first level", times[:HOUR_WINDOWS], line.first_ms, DASHES[0]),
            ("last level", times[-HOUR_WINDOWS:], line.last_ms, DASHES[1]),
        ):
            ends = (part[0] - half, part[-1] + half)
            axes.plot(ends, (level, level), color=INK, linewidth=2.6, linestyle=dashes, label=name)
        span = (line.first_s, line.last_s)
        axes.plot(
            span, (line.first_ms, line.last_ms), color=SERIES[1], linestyle=DASHES[3], label="drift"
        )
        low = line.last_ms if line.low_ms is None else line.low_ms
        high = line.last_ms if line.high_ms is None else line.high_ms
        axes.fill_between(
            span,
            (line.first_ms, low),
            (line.first_ms, high),
            color=SERIES[1],
            alpha=0.2,
            linewidth=0,
            label="95 % interval" if line.high_ms is not None else "99 % bound",
        )
        labels = _tiers(limits, line.first_ms)
    known = [*values[np.isfinite(values)].tolist(), *(value for value, _, _ in labels)]
    axes.set_ylim(0, 1.08 * max(known, default=1.0))
    side_labels(axes, labels)
    axes.set_ylabel("p99 (ms)")
    time_axis(axes, duration_s)
    legend(axes, columns=3)
    return figure


def _tiers(limits: Limits | None, first_ms: float) -> list[tuple[float, str, str]]:
    if limits is None:
        return []
    named = (
        ("pass", limits.pass_below, PASS),
        ("warning", limits.warning_below, WARNING),
        ("fail", limits.fail_above, FAIL),
    )
    return [
        (
            first_ms * (1 + bound.value),
            f"{name} +{format_limit(bound.value, Unit.RATIO)}",
            colour,
        )
        for name, bound, colour in named
        if bound is not None
    ]
