"""The report's section on a breakpoint run: the limit, saturation, and every hold."""

from __future__ import annotations

from analysis.breakpoint import Breakpoint, HoldFigures, breakpoint_figures
from analysis.holds import REST, Hold
from analysis.limits import Metric
from analysis.quantities import Unit, format_count, format_duration, format_quantity, format_rate
from analysis.render.breakpoint_chart import by_level, by_rate
from analysis.render.figure_element import figure_element
from analysis.render.markup import Markup, element, pairs, table
from analysis.render.section import section
from analysis.runs import Run
from analysis.saturation import Saturation
from analysis.thresholds import Thresholds

USERS = "users"
BUSY = ("Busy users", "Little's gap")
"""Told of users that think, and neither of arrivals nor of a pacing."""
COLUMNS = (
    "Stretch",
    "Time",
    "Level",
    "Requests/s",
    "p95",
    "Error rate",
    *BUSY,
    "Judged",
    "Why",
)
CAPTION = (
    "The figures are those of the part of each stretch that counts, once its load has settled; the "
    "table of phases has whole stages. A stretch is bad where any limit was broken, also one of a "
    "single endpoint."
)


def search(run: Run, thresholds: Thresholds) -> Markup:
    """What the search for a limit found and played; nothing for a run without one."""
    found = breakpoint_figures(run)
    if found is None:
        return Markup("")
    limits = thresholds.limits_of(None, Metric("p95"))
    fail_ms = None if limits is None or limits.fail_above is None else limits.fail_above.value
    parts = [pairs(_facts(found))]
    if any(one.figures.n and one.load for one in found.holds):
        parts.append(element("div", *_charts(found, fail_ms), class_="charts"))
    rows = [_row(one) for one in found.holds]
    is_told = any(one.busy_users is not None for one in found.holds)
    kept = [i for i, name in enumerate(COLUMNS) if is_told or name not in BUSY]
    shown = [tuple(row[i] for i in kept) for row in rows]
    columns, numeric = [COLUMNS[i] for i in kept], range(2, len(kept) - 2)
    parts.append(table(columns, shown, numeric=numeric, caption=CAPTION))
    return section("The search for the limit", *parts)


def _charts(found: Breakpoint, fail_ms: float | None) -> list[Markup]:
    """By level, and by the rate that was achieved; of arrivals the two would be the same."""
    saturates = "; shaded: where it saturates" if found.unit == USERS else ""
    charts = [
        figure_element(
            "levels",
            f"By {found.unit}",
            f"each mark is a step or a hold, bad where any limit was broken (see the table); "
            f"dashed: the limit{saturates}",
            lambda: by_level(found, fail_ms),
        )
    ]
    if found.unit == USERS:
        charts.append(
            figure_element(
                "rates",
                "By requests/s",
                "the same against the rate that was achieved; dotted: saturation",
                lambda: by_rate(found, fail_ms),
            )
        )
    return charts


def _facts(found: Breakpoint) -> list[tuple[str, str]]:
    unit = found.unit
    facts = [("Search", found.outcome or "not finished")]
    if found.limit is not None:
        bound = f"; {found.too_much:g} are too many" if found.too_much is not None else ""
        facts.append(("Limit", f"{found.limit:g} {unit}{bound}"))
    if found.limit_rps is not None:
        interval = ""
        if found.rps_low is not None and found.rps_high is not None:
            low, high = format_rate(found.rps_low), format_rate(found.rps_high)
            interval = f" (95 % interval {low} to {high})"
        facts.append(("At the limit", f"{format_rate(found.limit_rps)} requests/s{interval}"))
    if found.reason:
        where = f" (worst: {found.endpoint})" if found.endpoint not in found.reason else ""
        facts.append(("First to fail", f"{found.reason}{where}"))
    if unit == USERS:
        facts.append(("Saturation", _saturation(found.saturation, unit)))
    return facts


def _saturation(fit: Saturation | None, unit: str) -> str:
    if fit is None:
        return "not known: fewer than five levels of load"
    low, high = format_rate(fit.rps_low), format_rate(fit.rps_high)
    if not fit.reached:
        return f"not reached: throughput still grew, to {format_rate(fit.rps)} requests/s"
    text = (
        f"at {format_rate(fit.rps)} successful requests/s (95 % interval {low} to {high}), from "
        f"about {fit.load:.0f} {unit} on ({fit.load_low:.0f} to {fit.load_high:.0f}; "
        "this number is ill-determined)"
    )
    if fit.usl_rps is not None and fit.usl_peak_users is not None:
        text += f"; by the scalability law {format_rate(fit.usl_rps)} requests/s"
    return text


def _row(one: HoldFigures) -> tuple[str, ...]:
    hold, figures = one.hold, one.figures
    is_rest = hold.kind == REST
    # At rest, users that are on their way out still count for a moment.
    gap, busy = (None, None) if is_rest else (one.little_gap_ratio, one.busy_users)
    share = format_quantity(figures.failures / figures.n, Unit.RATIO) if figures.n else "–"
    return (
        hold.kind,
        f"{format_duration(hold.start_s)} – {format_duration(hold.end_s)}",
        f"{hold.level:g}",
        "–" if figures.rps is None else format_rate(figures.rps),
        "–" if figures.p95_ms is None else format_quantity(figures.p95_ms, Unit.MS),
        share,
        "–" if busy is None else format_count(round(busy)),
        "–" if gap is None else f"{100 * gap:.1f} %{' !' if one.idle else ''}",
        _judged(hold),
        f"in part: {hold.reason}" if hold.reason and hold.good is not False else hold.reason,
    )


def _judged(hold: Hold) -> str:
    if hold.kind == REST:
        return "recovered" if hold.good else "not recovered"
    return {True: "good", False: "bad", None: "undecided"}[hold.good]
