"""The report's section on what was run against what, with which versions and limits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from analysis.quantities import format_duration
from analysis.render.hosts_section import without_user
from analysis.render.markup import Markup, bullets, element, joined, pairs, table
from analysis.runs import Run
from analysis.thresholds import Threshold, Thresholds
from analysis.thresholds_phases import scope_lines
from analysis.thresholds_shown import (
    RESOLVED_COLUMNS,
    limits_of_phases,
    resolved_rows,
    rule_lines,
)


def configuration(run: Run, thresholds: Thresholds) -> Markup:
    """What was run against what, with which versions and limits."""
    meta = run.meta
    entries = [
        ("Scenario", meta.scenario),
        ("Locustfile", meta.locustfile),
        *((f"Target {key}", value) for key, value in meta.target.items()),
        ("Faults in the service", "; ".join(meta.faults) or "none known"),
        ("Planned", _planned(run)),
        ("Mix", _listed((name, f"{weight:g}") for name, weight in meta.mix.items())),
        ("Exercises", "unknown" if meta.exercises is None else ", ".join(meta.exercises)),
        ("Rehearsal", "no" if meta.rehearsal is None else str(meta.rehearsal)),
        ("Processes", "" if meta.processes is None else str(meta.processes)),
        ("Start", _clock(meta.start_s)),
        ("End", _clock(meta.end_s)),
        ("Ended", meta.ended),
        ("Seed", meta.seed),
        ("Git commit", meta.git_commit),
        ("Versions", _listed(meta.versions.items())),
        ("Options", _listed(meta.options.items())),
    ]
    cleaned = [(name, without_user(value)) for name, value in entries if value]
    return joined((pairs(cleaned), element("h3", "Thresholds"), _limits(thresholds)))


def _limits(thresholds: Thresholds) -> Markup:
    parts = [_limit_table(thresholds.rows)]
    for phase, own in limits_of_phases(thresholds):
        parts += [element("p", f"In {phase}, in place of those above:"), _limit_table(own)]
    lines = [*scope_lines(thresholds), *rule_lines(thresholds)]
    return joined((*parts, bullets(line for line in lines if line)))


def _limit_table(rows: Iterable[Threshold]) -> Markup:
    columns = [column.capitalize() for column in RESOLVED_COLUMNS]
    return table(columns, resolved_rows(rows))


def _listed(entries: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in entries)


def _planned(run: Run) -> str:
    users, seconds = run.meta.planned_users, run.meta.planned_s
    parts = [f"{users:g} users"] if users is not None else []
    parts += [format_duration(seconds)] if seconds is not None else []
    return ", ".join(parts)


def _clock(time_s: float | None) -> str:
    if time_s is None:
        return ""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
