"""The report's section on arrivals: what was planned, started and missed, and who was at work."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.arrivals import ArrivalFigures, arrival_figures, arrival_series
from analysis.latency_bins import bin_width_s
from analysis.quantities import Unit, format_count, format_quantity
from analysis.render.chart_style import (
    DASHES,
    FAIL,
    QUIET,
    SERIES,
    legend,
    new_figure,
    time_axis,
)
from analysis.render.figure_element import figure_element
from analysis.render.markup import Markup, element, pairs
from analysis.render.section import section
from analysis.runs import Run


def arrivals(run: Run) -> Markup:
    """A chart and the totals; nothing for a run whose load was planned in users."""
    figures = arrival_figures(run)
    if figures is None:
        return Markup("")
    chart = figure_element(
        "arrivals",
        "Arrivals and users at work",
        "per second, by the second in which they were due",
        lambda: arrivals_figure(run, figures),
        alt=figures.sentence,
    )
    body = element("div", chart, element("div", pairs(_totals(figures))), class_="charts")
    return section("Arrivals", body)


def arrivals_figure(run: Run, figures: ArrivalFigures) -> Figure:
    """Planned, started and missed arrivals per second above the users that were at work."""
    series = arrival_series(run, bin_width_s(run.duration_s))
    figure, (above, below) = new_figure(4.2, rows=2)
    for name, colour, dashes in (
        ("planned", QUIET, DASHES[2]),
        ("started", SERIES[0], DASHES[0]),
        ("missed", FAIL, DASHES[1]),
    ):
        above.plot(series["t_s"], series[name], color=colour, linestyle=dashes, label=name)
    above.set_ylim(bottom=0)
    above.set_ylabel("arrivals per second")
    legend(above)
    below.plot(series["t_s"], series["busy"], color=SERIES[2], label="users at work, at most")
    below.axhline(figures.users, color=QUIET, linestyle=DASHES[2], label="users that stand ready")
    below.set_ylim(bottom=0)
    below.set_ylabel("users")
    below.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    legend(below)
    time_axis(below, run.duration_s)
    return figure


def _totals(figures: ArrivalFigures) -> list[tuple[str, str]]:
    share = format_quantity(figures.missed_ratio, Unit.RATIO)
    mean, worst = (
        format_quantity(lag_ms, Unit.MS) for lag_ms in (figures.lag_mean_ms, figures.lag_max_ms)
    )
    by_class = ", ".join(f"{name}: {format_count(n)}" for name, n in figures.missed_by.items())
    busy, users = format_count(figures.busy_max), format_count(figures.users)
    return [
        ("Planned", format_count(figures.planned)),
        ("Started", format_count(figures.started)),
        ("Missed", f"{format_count(figures.missed)} ({share}): no user was free"),
        *([("Missed by class", by_class)] if by_class else []),
        ("Started late", f"{mean} on average, {worst} at most: the generator's own lag"),
        ("Users at work", f"at most {busy} of {users}"),
    ]
