"""The verdict as Markdown: `summary.md`, and what a CI job shows on its page."""

from __future__ import annotations

import re

from analysis.limits import Tier
from analysis.quantities import format_count, printable
from analysis.render.console import about, limits_text, meaning, tier_text
from analysis.verdict import Check, Verdict

MARKS = {Tier.PASS: "✅", Tier.WARNING: "⚠️", Tier.FAIL: "❌", Tier.INCONCLUSIVE: "❔"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@])")


def markdown(verdict: Verdict) -> str:
    """The headline, a table of checks with the worst first, reasons and notes."""
    title = verdict.title or verdict.scenario
    lines = [f"## {MARKS[verdict.tier]} {escape(verdict.headline)}", ""]
    lines += [f"{escape(title)}  ", f"{escape(about(verdict))}  "]
    lines += [f"Exit code {verdict.exit_code}: {meaning(verdict)}", ""]
    if verdict.checks:
        lines.append("| Tier | Endpoint | Metric | Value | Pass, warning, fail | n | Proven |")
        lines.append("|---|---|---|--:|---|--:|---|")
        lines += [_row(check) for check in verdict.checks]
        lines.append("")
    for heading, sentences in (("Reasons", verdict.reasons), ("Notes", verdict.notes)):
        if sentences:
            lines += [f"### {heading}", "", *(f"- {escape(line)}" for line in sentences), ""]
    return "\n".join(lines)


def escape(content: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", printable(content))


def _row(check: Check) -> str:
    cells = (
        f"{MARKS[check.tier]} {tier_text(check)}",
        escape(check.endpoint),
        check.metric.name,
        check.value_text,
        escape(limits_text(check.limits, check.unit)),
        format_count(check.n),
        "yes" if check.proven else escape(check.proof),
    )
    return f"| {' | '.join(cells)} |"
