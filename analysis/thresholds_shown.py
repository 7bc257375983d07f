"""The limits as they will be applied, to be looked at: on the console and in the report."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.abort_rules import abort_lines
from analysis.limits import ALL_REQUESTS, Bound
from analysis.quantities import Unit, format_limit
from analysis.thresholds import Threshold, Thresholds
from analysis.thresholds_phases import scope_lines
from otaload.phase import Phase

RESOLVED_COLUMNS = ("endpoint", "metric", "pass", "warning", "fail", "gap (a warning)")
"""Those of `resolved_rows`."""


def resolved_table(thresholds: Thresholds) -> str:
    """Every limit that will be applied, where each comes from, and where a gap lies."""
    lines = [*_table(thresholds.rows), "", *scope_lines(thresholds)]
    for phase, own in limits_of_phases(thresholds):
        lines += ["", f"in {phase}, in place of those above:", *_table(own)]
    return "\n".join([*lines, "", *rule_lines(thresholds)]) + "\n"


def limits_of_phases(thresholds: Thresholds) -> list[tuple[Phase, list[Threshold]]]:
    """The limits that stand in place of the others in a phase, phase by phase."""
    return [
        (phase, [row for row in thresholds.phase_rows if row.phase is phase])
        for phase in dict.fromkeys(row.phase for row in thresholds.phase_rows)
        if phase is not None
    ]


def rule_lines(thresholds: Thresholds) -> list[str]:
    """When the generator makes a run inconclusive, and what aborts it."""
    g = thresholds.generator
    return [
        "generator: inconclusive from "
        f"{g.at_least} seconds that are more than {format_limit(g.seconds_ratio, Unit.RATIO)} "
        f"of a run, or {g.in_a_row} in a row, with a timer more than "
        f"{format_limit(g.lag_ms, Unit.MS)} late or more than "
        f"{format_limit(g.cpu_ratio, Unit.RATIO)} of a core in use",
        *abort_lines(thresholds.abort),
    ]


def resolved_rows(rows: Iterable[Threshold]) -> list[tuple[str, ...]]:
    """Limits as they will be applied, a row each, under `RESOLVED_COLUMNS`."""
    table: list[tuple[str, ...]] = []
    for row in rows:
        unit, limits = row.metric.unit, row.limits
        gap = "none"
        if limits.has_gap and limits.warning_below is not None:
            low, high = limits.warning_below.value, limits.fail_above.value
            gap = f"{format_limit(low, unit)} to {format_limit(high, unit)}"
        cells = [_cell("<", limits.pass_below, unit, row.endpoint)]
        warning = limits.warning_below
        cells.append(_cell("<", warning, unit, row.endpoint) if warning else "none")
        cells.append(_cell(">", limits.fail_above, unit, row.endpoint))
        table.append((row.endpoint or ALL_REQUESTS, row.metric.name, *cells, gap))
    return table


def _table(rows: Iterable[Threshold]) -> list[str]:
    table = [RESOLVED_COLUMNS, *resolved_rows(rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(RESOLVED_COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def _cell(sign: str, bound: Bound, unit: Unit, endpoint: str | None) -> str:
    text = f"{sign} {format_limit(bound.value, unit)}"
    return text if endpoint is None or bound.origin == "endpoint" else f"{text} ({bound.origin})"
