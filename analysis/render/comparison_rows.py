"""A comparison as rows of text, which console, Markdown and page show alike."""

from __future__ import annotations

from analysis.compare import LEAST_CHANGE, Difference, Finding
from analysis.comparison import Comparison
from analysis.comparison_words import (
    change_text,
    finding_text,
    interval_text,
    level_text,
    name_of,
    smallest_text,
    value_text,
)
from analysis.limits import Tier
from analysis.quantities import Unit, format_count, format_quantity, format_rate, plural
from analysis.run_groups import ComparedRun, Group

FIGURE_COLUMNS = ("Finding", "Of", "Figure", "A", "B", "Change", "Interval", "Seen from")
RUN_COLUMNS = ("Group", "Run", "Requests", "Requests/s", "p50", "p95", "p99", "Error rate")
TIERS = {
    Finding.REGRESSION: Tier.FAIL,
    Finding.IMPROVEMENT: Tier.PASS,
    Finding.NO_DIFFERENCE: Tier.PASS,
    Finding.INDICATIVE: Tier.INCONCLUSIVE,
}
"""The tier in whose colour a finding is shown."""
SYMBOLS = {
    Finding.REGRESSION: "✗",
    Finding.IMPROVEMENT: "✓",
    Finding.NO_DIFFERENCE: "=",
    Finding.INDICATIVE: "?",
}
MEANINGS = {
    Finding.REGRESSION: "a regression",
    Finding.IMPROVEMENT: "an improvement",
    Finding.NO_DIFFERENCE: "no difference shown",
    Finding.INDICATIVE: "too few runs for a verdict",
}


def figure_cells(difference: Difference) -> tuple[str, ...]:
    """The cells below `FIGURE_COLUMNS`."""
    metric = difference.metric
    interval = interval_text(difference)
    return (
        finding_text(difference),
        difference.endpoint,
        name_of(metric),
        value_text(difference.before, metric),
        value_text(difference.after, metric),
        change_text(difference),
        interval or "–",
        smallest_text(difference),
    )


def run_cells(group: Group, run: ComparedRun) -> tuple[str, ...]:
    """The cells below `RUN_COLUMNS`."""
    figures = run.figures.all_requests
    latencies = (figures.p50_ms, figures.p95_ms, figures.p99_ms)
    return (
        group.label,
        run.name,
        format_count(figures.n),
        "–" if figures.rps is None else format_rate(figures.rps),
        *("–" if ms is None else format_quantity(ms, Unit.MS) for ms in latencies),
        format_quantity(figures.failures / figures.n, Unit.RATIO) if figures.n else "–",
    )


def about(comparison: Comparison) -> str:
    """What was compared, in one line."""
    groups = (comparison.before, comparison.after)
    counts = [
        f"{group.label}: {len(group.runs)} {plural(len(group.runs), 'run')}" for group in groups
    ]
    scenarios = sorted({run.meta.scenario for group in groups for run in group.runs})
    kinds = {run.meta.target.get("kind", "unknown") for group in groups for run in group.runs}
    parts = [" and ".join(scenarios), *counts, f"{' and '.join(sorted(kinds))} target"]
    scales = {run.meta.rehearsal for group in groups for run in group.runs}
    parts += sorted(f"rehearsal ({scale})" for scale in scales if scale is not None)
    return " · ".join(parts)


def left_out_lines(comparison: Comparison) -> list[str]:
    """The runs that were named and are not compared, with the reasons."""
    return [
        f"{group.label}: {run.name}: {run.reason}"
        for group in (comparison.before, comparison.after)
        for run in group.left_out
    ]


def method_lines(comparison: Comparison) -> list[str]:
    """What the intervals hold with, and what "seen from" means; nothing where there are none."""
    overall, endpoints = comparison.differences.overall, comparison.differences.endpoints
    if all(difference.low is None for difference in comparison.differences.all):
        return []
    told = ", ".join(f"{level_text(d)} for the {name_of(d.metric)}" for d in overall)
    if endpoints:
        told += f", {level_text(endpoints[0])} for each figure of an endpoint"
    return [
        f"intervals of {told}: together they call two equal groups different in 6 % of "
        "comparisons at most",
        "seen from: about the smallest change that would have been shown in 4 of 5 such "
        f"comparisons; for less, compare more runs or quieter ones; under {100 * LEAST_CHANGE:g} % "
        "no change of a latency is called one",
    ]
