"""The verdict as Markdown: `summary.md`, and what a CI job shows on its page."""

from __future__ import annotations

import re

from analysis.limits import Tier
from analysis.quantities import format_count, printable
from analysis.render.console import about, limits_text, meaning, tier_text
from analysis.render.rows import (
    FIGURE_COLUMNS,
    NO_REQUESTS,
    WHOLE_RUN,
    failure_lines,
    figure_cells,
)
from analysis.verdict import Check, Verdict

MARKS = {Tier.PASS: "✅", Tier.WARNING: "⚠️", Tier.FAIL: "❌", Tier.INCONCLUSIVE: "❔"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$])")
_LINK = re.compile(r"(?i)(?<=:)//|(?<=www)\.")
"""What GitHub makes a link of, without any markup."""
_LEADING = re.compile(r"^(\d+(?=\.(?:\s|$)))?(?=[-=.])")
"""What begins a list, or makes a heading of the line before."""


def markdown(verdict: Verdict) -> str:
    """The headline, the checks with the worst first, the endpoints, what failed, and notes."""
    title = verdict.title or verdict.scenario
    lines = [f"## {MARKS[verdict.tier]} {escape(verdict.headline)}", ""]
    lines += [f"{escape(title)}  ", f"{escape(about(verdict))}  "]
    lines += [f"Exit code {verdict.exit_code}: {meaning(verdict)}", ""]
    if not verdict.requests:
        lines += [f"{NO_REQUESTS[:1].upper()}{NO_REQUESTS[1:]}.", ""]
    elif verdict.checks:
        lines.append("| Tier | Endpoint | Metric | Value | Pass, warning, fail | n | Proven |")
        lines.append("|---|---|---|--:|---|--:|---|")
        lines += [_row(check) for check in verdict.checks]
        lines.append("")
    lines += _endpoints(verdict)
    for heading, sentences in (
        ("Failures", failure_lines(verdict.causes)),
        ("Further reasons", verdict.further_reasons),
        ("Notes", (*verdict.caveats, *verdict.notes)),
    ):
        if sentences:
            lines += [f"### {heading}", "", *(f"- {escape(line)}" for line in sentences), ""]
    return "\n".join(lines)


def escape(content: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    escaped = _SPECIAL.sub(r"\\\1", printable(content))
    escaped = _LINK.sub(lambda found: "".join(f"\\{c}" for c in found[0]), escaped)
    return _LEADING.sub(r"\1\\", escaped)


def _endpoints(verdict: Verdict) -> list[str]:
    if not verdict.endpoints:
        return []
    lines = [WHOLE_RUN, "", f"| Endpoint | {' | '.join(FIGURE_COLUMNS)} |"]
    lines.append(f"|---|{'--:|' * len(FIGURE_COLUMNS)}")
    for row in verdict.endpoints:
        cells = (escape(row.endpoint), *figure_cells(row.figures))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _row(check: Check) -> str:
    cells = (
        f"{MARKS[check.tier]} {tier_text(check)}",
        escape(check.endpoint),
        check.metric_text,
        check.value_text,
        escape(limits_text(check.limits, check.unit)),
        format_count(check.n),
        "yes" if check.proven else escape(check.proof),
    )
    return f"| {' | '.join(cells)} |"
