"""The chart of a breakpoint run: what each level of load did, with limit and saturation marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.breakpoint import Breakpoint, HoldFigures
from analysis.render.chart_style import DASHES, FAIL, INK, PASS, QUIET, SERIES, legend, new_figure

HOLD = "hold"
Load = Callable[[HoldFigures], float]


def by_level(found: Breakpoint, fail_p95_ms: float | None) -> Figure:
    """Throughput and p95 against the level of load."""
    figure, (above, middle, below) = new_figure(5.6, rows=3)
    holds = _loaded(found)
    _points(above, holds, _load, lambda one: one.goodput_rps)
    above.set_ylabel("requests/s")
    fit = found.saturation
    if fit is not None:
        last = max(_load(one) for one in holds)
        above.plot(
            (0, fit.load, last),
            (0, fit.rps, fit.rps),
            color=SERIES[2],
            linestyle=DASHES[1],
            label="hinge",
            zorder=1,
        )
        if fit.reached:
            above.axvspan(fit.load_low, fit.load_high, color=SERIES[2], alpha=0.15, linewidth=0)
    legend(above, columns=4)
    _latency_and_errors(middle, below, holds, _load, fail_p95_ms)
    for axes in (above, middle, below):
        _mark(axes, found.limit)
    _name_limit(above, found.limit, f"limit {found.limit:g}" if found.limit else "")
    below.set_xlabel(found.unit)
    below.set_xlim(0, below.get_xlim()[1] * 1.03)
    return figure


def by_rate(found: Breakpoint, fail_p95_ms: float | None) -> Figure:
    """p95 and failures against the requests/s that were achieved."""
    figure, (above, below) = new_figure(4.0, rows=2)
    holds = _loaded(found)
    _latency_and_errors(above, below, holds, _rate, fail_p95_ms)
    for axes in (above, below):
        _mark(axes, found.limit_rps)
        if found.saturation is not None and found.saturation.reached:
            axes.axvline(
                found.saturation.rps, color=SERIES[2], linewidth=1.2, linestyle=DASHES[2], zorder=1
            )
    legend(above, columns=4)
    if found.limit_rps is not None:
        _name_limit(above, found.limit_rps, f"limit {found.limit_rps:.1f}")
    below.set_xlabel("completed requests per second")
    below.set_xlim(0, below.get_xlim()[1] * 1.03)
    return figure


def _loaded(found: Breakpoint) -> list[HoldFigures]:
    used = [one for one in found.holds if one.hold.kind != "rest" and one.figures.n and one.load]
    return sorted(used, key=_load)


def _load(one: HoldFigures) -> float:
    return one.load or 0.0


def _rate(one: HoldFigures) -> float:
    return one.figures.rps or 0.0


def _latency_and_errors(
    above: Axes, below: Axes, holds: Sequence[HoldFigures], load: Load, fail_p95_ms: float | None
) -> None:
    answered = [one for one in holds if one.figures.p95_ms is not None]
    _points(above, answered, load, lambda one: one.figures.p95_ms or 0.0)
    if fail_p95_ms is not None:
        above.axhline(fail_p95_ms, color=FAIL, linewidth=0.9, linestyle=(0, (2, 2)))
        place = above.get_yaxis_transform()
        above.text(1.01, fail_p95_ms, f"fail {fail_p95_ms:g} ms", transform=place, va="center")
    above.set_ylabel("p95 of all\nrequests (ms)")
    _points(below, holds, load, lambda one: 100 * one.figures.failures / one.figures.n)
    below.set_ylabel("failed (%)")
    above.set_ylim(bottom=0)
    highest = max(1.0, below.get_ylim()[1])
    # A mark at 0 is seen whole.
    below.set_ylim(-0.05 * highest, highest)


def _points(
    axes: Axes, holds: Sequence[HoldFigures], load: Load, value: Callable[[HoldFigures], float]
) -> None:
    """A mark for each stretch by what became of it, with a ring around those of the bisection."""
    for label, good, colour, marker in (
        ("good", True, PASS, "o"),
        ("bad", False, FAIL, "X"),
        ("undecided", None, QUIET, "s"),
    ):
        kept = [one for one in holds if one.hold.good is good]
        if kept:
            axes.plot(
                [load(one) for one in kept],
                [value(one) for one in kept],
                color=colour,
                linestyle="none",
                marker=marker,
                markersize=5.5,
                label=label,
            )
    bisected = [one for one in holds if one.hold.kind == HOLD]
    if bisected:
        axes.plot(
            [load(one) for one in bisected],
            [value(one) for one in bisected],
            color=INK,
            linestyle="none",
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgewidth=0.9,
            label="hold of the bisection",
        )


def _mark(axes: Axes, at: float | None) -> None:
    if at is not None:
        axes.axvline(at, color=INK, linewidth=1.2, linestyle=DASHES[1], zorder=1)


def _name_limit(axes: Axes, at: float | None, text: str) -> None:
    if at is None:
        return
    axes.annotate(
        text,
        xy=(at, 0.08),
        xytext=(-4, 0),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="right",
        fontsize=10,
    )
