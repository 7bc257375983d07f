"""Figures and failures as rows of text, which console, Markdown and page show alike."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.figures import FailureCause, Figures
from analysis.quantities import (
    Unit,
    format_bytes,
    format_count,
    format_duration,
    format_quantity,
    format_rate,
    plural,
)
from analysis.verdict import Check, Verdict

FIGURE_COLUMNS = (
    "n",
    "Failures",
    "p50",
    "p90",
    "p95",
    "p99",
    "Max",
    "Bytes",
    "Requests/s",
)
WHOLE_RUN = "Over the whole run, warm-up included; the checks count the judged phases only."
"""Of the figures of endpoints, whose percentiles need not be those of the checks."""
MOST_CAUSES = 5
NO_REQUESTS = "not one request was recorded"


def figure_cells(figures: Figures, *, unit: bool = True) -> tuple[str, ...]:
    """The cells below `FIGURE_COLUMNS`; without `unit`, latencies are bare milliseconds."""
    latencies = (figures.p50_ms, figures.p90_ms, figures.p95_ms, figures.p99_ms, figures.max_ms)
    shown = ["–" if ms is None else format_quantity(ms, Unit.MS) for ms in latencies]
    return (
        format_count(figures.n),
        format_count(figures.failures),
        *(cell if unit else cell.removesuffix(" ms") for cell in shown),
        format_bytes(figures.bytes_in),
        "–" if figures.rps is None else format_rate(figures.rps),
    )


def failure_lines(causes: Sequence[FailureCause]) -> list[str]:
    """The most frequent causes, `13 × /bundles/download: status 401 (first at 1 s)`, and a rest."""
    lines = [
        f"{format_count(cause.count)} × {cause.endpoint}: {cause.cause} "
        f"(first at {format_duration(cause.first_s)})"
        for cause in causes[:MOST_CAUSES]
    ]
    rest = causes[MOST_CAUSES:]
    if rest:
        n = sum(cause.count for cause in rest)
        lines.append(
            f"and {format_count(len(rest))} more {plural(len(rest), 'cause')} with "
            f"{format_count(n)} {plural(n, 'failure')}"
        )
    return lines


def unproven(checks: Sequence[Check]) -> list[str]:
    """The checks whose bounds leave their tier: `p99 /devices/register (29 of 299)`."""
    found = []
    for check in checks:
        if check.proven or check.value is None:
            continue
        name = f"{check.metric_text} {check.endpoint}"
        if check.n_needed is not None:
            name += f" ({format_count(check.n)} of {format_count(check.n_needed)})"
        found.append(name)
    return found


def duration_text(verdict: Verdict) -> str:
    """How long requests were started, and how long the last answers then took."""
    text = format_duration(verdict.duration_s)
    if verdict.drain_s >= 2:
        text += f" and {format_duration(verdict.drain_s)} for the last answers"
    return text
