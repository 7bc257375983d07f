"""The chart of a burst: p95 second by second, the baseline's band, and where it was back."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.quantities import Unit, format_quantity
from analysis.recovery import Recovery
from analysis.render.chart_style import (
    DASHES,
    GRID,
    INK,
    PASS,
    QUIET,
    SERIES,
    legend,
    log_axis,
    new_figure,
)

BEFORE_S, AFTER_S = 30.0, 60.0
"""How much is shown of the baseline, and at least of what follows the burst."""


def recovery_figure(recovery: Recovery) -> Figure:
    """Pooled 1-s p95 around the burst on a logarithmic scale; time counts from the burst's end."""
    burst, ends_s = recovery.burst, recovery.burst.ends_s
    figure, (axes,) = new_figure(3.3)
    t_s = np.zeros(0) if recovery.t_s is None else recovery.t_s - ends_s
    p95_ms = np.zeros(0) if recovery.p95_ms is None else recovery.p95_ms
    first, last = _shown(recovery)
    axes.axvspan(burst.held_from_s - ends_s, 0, color=GRID, alpha=0.5, linewidth=0, label="burst")
    axes.plot(t_s, p95_ms, color=SERIES[1], drawstyle="steps-post", label="p95")
    axes.axhline(recovery.band_ms, color=PASS, linewidth=1.1, linestyle=DASHES[1])
    place = axes.get_yaxis_transform()
    band = f"band {format_quantity(recovery.band_ms, Unit.MS)}"
    axes.text(1.01, recovery.band_ms, band, transform=place, va="center", fontsize=10)
    axes.axvline(
        burst.back_s - ends_s, color=QUIET, linewidth=1.0, linestyle=DASHES[2], label="load back"
    )
    if recovery.recovery_s is not None:
        axes.axvline(recovery.recovery_s, color=INK, linewidth=1.6, label="recovered")
    shown = p95_ms[(t_s >= first) & (t_s <= last) & np.isfinite(p95_ms) & (p95_ms > 0)]
    values = [*shown.tolist(), recovery.band_ms]
    _label(axes)
    axes.set_ylim(min(values) / 1.5, max(values) * 1.5)
    axes.set_xlim(first, last)
    legend(axes, columns=4)
    return figure


def _shown(recovery: Recovery) -> tuple[float, float]:
    """From when to when, counted from the burst's end."""
    burst = recovery.burst
    first = max(recovery.baseline_from_s, burst.begins_s - BEFORE_S) - burst.ends_s
    until = recovery.observed_s
    if recovery.recovery_s is not None:
        until = min(until, max(AFTER_S, 2 * recovery.recovery_s, 2 * (burst.back_s - burst.ends_s)))
    return first, max(until, 1.0)


def _label(axes: Axes) -> None:
    log_axis(axes, "p95")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 3, 5, 6, 10]))
    axes.set_xlabel("time after the end of the burst (s)")
