"""The chart of whole distributions: latency by percentile, the axis drawn out towards the tail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.distribution import PercentileCurve
from analysis.limits import ALL_REQUESTS
from analysis.quantities import format_count, printable, shorten
from analysis.render.chart_style import DASHES, INK, SERIES, legend, log_axis, new_figure

TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
LONGEST_NAME = 34


def percentile_figure(curves: Sequence[PercentileCurve]) -> Figure:
    """A line for each distribution; all requests together are the strong one."""
    figure, (axes,) = new_figure(3.4)
    for number, curve in enumerate(curves):
        together = curve.label == ALL_REQUESTS
        name = shorten(printable(curve.label), LONGEST_NAME)
        label = f"{name} ({format_count(curve.n)})"
        axes.plot(
            slower(curve.quantiles),
            curve.latency_ms,
            color=INK if together else SERIES[number % len(SERIES)],
            linestyle=DASHES[number % len(DASHES)],
            linewidth=2.2 if together else 1.6,
            marker="o" if len(curve.quantiles) == 1 else "",
            # A leading underscore would hide a line from the legend.
            label=f"\u200b{label}" if label.startswith("_") else label,
        )
    end = max((float(slower(curve.quantiles).max()) for curve in curves), default=2.0)
    shown = [q for q in TICKS if float(slower(np.array([q]))[0]) <= max(end, 1.0) + 1e-9]
    axes.set_xticks(slower(np.array(shown)), [f"{100 * q:.6g}" for q in shown])
    axes.set_xlim(0, max(end, 1.0) * 1.02)
    log_axis(axes, "latency")
    axes.set_xlabel("percentile (%)")
    legend(axes)
    return figure


def slower(quantiles: np.ndarray) -> np.ndarray:
    """Where a quantile lies on the axis: the decimal logarithm of 1 / (1 − q)."""
    return np.asarray(-np.log10(1 - quantiles))
