"""A comparison as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from analysis.compare import ERROR_RATE, P95, P99, Difference, Finding, latency_ms
from analysis.comparison import Comparison
from analysis.comparison_words import name_of
from analysis.limits import Metric
from analysis.quantities import Unit
from analysis.render.comparison_charts import change_figure, strip_figure
from analysis.render.comparison_rows import (
    FIGURE_COLUMNS,
    MEANINGS,
    RUN_COLUMNS,
    SYMBOLS,
    TIERS,
    about,
    figure_cells,
    left_out_lines,
    method_lines,
    run_cells,
)
from analysis.render.document import document
from analysis.render.figure_element import figure_element
from analysis.render.markup import Markup, bullets, element, joined, pairs, table
from analysis.run_groups import Group

DEFINITIONS = (
    (
        "A, B",
        "The baseline, and what is compared with it. A group's latency is the geometric mean of "
        "its runs' percentiles, its error rate the mean of theirs.",
    ),
    (
        "Change",
        "Of B from A: relative for latencies, in percentage points for error rates.",
    ),
    (
        "Interval",
        "Welch's t interval of the change, where the run is the unit: windows or requests of one "
        "run are not independent of each other, so their number proves nothing.",
    ),
    (
        "Regression, improvement",
        "The interval leaves out no change, and the change is at least 5 % of a latency or 0.01 "
        "points of an error rate. One regression makes the comparison one.",
    ),
    (
        "Small",
        "The interval leaves out no change, and the change is smaller than that.",
    ),
    (
        "Seen from",
        "About the smallest change that would have been shown in 4 of 5 such comparisons: how "
        "sharp the comparison is. No difference shown does not mean that there is none below it.",
    ),
)


def html(comparison: Comparison) -> str:
    """The whole page, from the finding down to what each of its numbers means."""
    parts = [
        _section("Figures", _figures(comparison)),
        _section("Charts", _charts(comparison)),
        _section("Runs", _runs(comparison)),
        _section("What the numbers mean", pairs(DEFINITIONS)),
    ]
    body = element(
        "body",
        element("header", element("h1", "Comparison of two groups of runs"), _banner(comparison)),
        element("main", *parts, element("footer", "Made by otaload from the runs' files.")),
    )
    return document(f"{SYMBOLS[comparison.finding]} {comparison.finding.value}", body)


def _section(title: str, content: Markup) -> Markup:
    return element("section", element("h2", title), content)


def _banner(comparison: Comparison) -> Markup:
    finding = comparison.finding
    sentence = comparison.headline.partition(": ")[2]
    facts = f"{about(comparison)} · exit code {comparison.exit_code} ({MEANINGS[finding]})"
    box = element(
        "div",
        element("div", f"{SYMBOLS[finding]} {finding.value.upper()}", class_="tier"),
        element("p", sentence, class_="headline"),
        element("p", facts, class_="quiet"),
        class_=f"banner {TIERS[finding].value}",
    )
    more = [box]
    for title, sentences in (
        ("Left out", left_out_lines(comparison)),
        ("Notes", [*comparison.notes, *method_lines(comparison)]),
    ):
        if sentences:
            more += [element("h3", title), bullets(sentences)]
    return joined(more)


def _figures(comparison: Comparison) -> Markup:
    rows = []
    for difference in comparison.differences.all:
        found, *others = figure_cells(difference)
        mark = f"{SYMBOLS[difference.finding]} {found}"
        is_plain = difference.finding is Finding.NO_DIFFERENCE
        tier = "" if is_plain else f" {TIERS[difference.finding].value}"
        rows.append((element("span", mark, class_=f"mark{tier}"), *others))
    return table(FIGURE_COLUMNS, rows, numeric=range(3, 8))


def _charts(comparison: Comparison) -> Markup:
    charts = []
    for number, difference in enumerate(comparison.differences.overall):
        if difference.metric == ERROR_RATE and not (difference.before or difference.after):
            continue
        charts.append(_strip(comparison, difference, f"runs{number}"))
    latencies = [d for d in comparison.differences.all if d.metric.unit is Unit.MS]

    def draw() -> Figure:
        return change_figure(latencies)

    text = "each latency with its interval; right of 0 is slower"
    charts.append(figure_element("changes", "Changes from A to B", text, draw))
    return element("div", *charts, class_="charts")


def _strip(comparison: Comparison, difference: Difference, name: str) -> Markup:
    metric = difference.metric
    groups = [
        (f"{group.label} ({len(group.runs)})", _values(group, metric))
        for group in (comparison.before, comparison.after)
    ]
    scale, unit = (100.0, "%") if metric == ERROR_RATE else (1.0, "ms")
    means = [
        None if mean is None else mean * scale for mean in (difference.before, difference.after)
    ]

    def draw() -> Figure:
        return strip_figure(groups, means, f"{name_of(metric)} of a run ({unit})")

    title = f"{name_of(metric)} of all requests"
    text = "one mark a run, the earliest on top; the line is the mean"
    return figure_element(name, title, text, draw)


def _values(group: Group, metric: Metric) -> Sequence[float]:
    figures = [run.figures.all_requests for run in group.runs]
    if metric in (P95, P99):
        found = [latency_ms(one, metric) for one in figures]
        return [value for value in found if value is not None]
    return [100 * one.failures / one.n for one in figures if one.n]


def _runs(comparison: Comparison) -> Markup:
    rows = [
        run_cells(group, run)
        for group in (comparison.before, comparison.after)
        for run in group.runs
    ]
    return table(RUN_COLUMNS, rows, numeric=range(2, 8), heading=1)
