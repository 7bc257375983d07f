"""The verdict as a table for a terminal or a CI log."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.figures import EndpointFigures
from analysis.limits import Limits, Tier
from analysis.quantities import (
    Unit,
    format_count,
    format_limit,
    plural,
    printable,
    shorten,
)
from analysis.render.rows import (
    FIGURE_COLUMNS,
    NO_REQUESTS,
    duration_text,
    failure_lines,
    figure_cells,
    unproven,
)
from analysis.render.terminal import WIDTH
from analysis.render.terminal import paint as _paint
from analysis.render.terminal import table as _table
from analysis.render.terminal import wrapped as _wrapped
from analysis.verdict import Check, Outcome, Verdict

SYMBOLS = {Tier.PASS: "✓", Tier.WARNING: "!", Tier.FAIL: "✗", Tier.INCONCLUSIVE: "?"}
_ENDPOINT_WIDTH, _FIGURES_ENDPOINT_WIDTH = 34, 28
UNPROVEN = "too few requests to be 95 % sure; the exit code does not change"


def text(verdict: Verdict, *, colour: bool = False) -> str:
    """The headline, the checks with the worst first, the endpoints, what failed, and notes."""
    symbol = SYMBOLS[verdict.tier]
    lines = _wrapped(f"{symbol} {verdict.headline}", "", "  ")
    lines = [_paint(line, verdict.tier, colour=colour, bold=True) for line in lines]
    lines += ["", *_wrapped(about(verdict), "  ", "  "), ""]
    if not verdict.requests:
        lines += [f"  {NO_REQUESTS}", ""]
    elif verdict.checks:
        lines += [*_checks(verdict.checks, colour=colour), ""]
    if verdict.endpoints:
        lines += [*_endpoints(verdict.endpoints), ""]
    for title, sentences in (
        ("Failures", failure_lines(verdict.causes)),
        ("Further reasons", verdict.further_reasons),
        ("Notes", (*verdict.caveats, *verdict.notes)),
    ):
        if sentences:
            lines.append(title)
            for sentence in sentences:
                lines += _wrapped(sentence, "  - ", "    ")
            lines.append("")
    lines += _unproven(verdict.checks)
    lines.append(f"Exit code {verdict.exit_code}: {meaning(verdict)}")
    return "\n".join(lines) + "\n"


def about(verdict: Verdict) -> str:
    """What was run, in one line."""
    parts = [verdict.scenario]
    for n, noun in ((verdict.requests, "request"), (verdict.failures, "failure")):
        parts.append(f"{format_count(n)} {plural(n, noun)}")
    parts.append(duration_text(verdict))
    if verdict.target.get("kind"):
        parts.append(f"{verdict.target['kind']} target")
    return printable(" · ".join([*parts, verdict.run]))


def meaning(verdict: Verdict) -> str:
    """What the exit code says, in a few words."""
    if verdict.outcome is Outcome.FAIL and verdict.aborted is not None:
        return "aborted by a rule"
    if verdict.outcome is Outcome.WARNING:
        return "a warning, and warnings fail" if verdict.exit_code else "a warning does not fail"
    return {
        Outcome.PASS: "passed",
        Outcome.FAIL: "a threshold failed",
        Outcome.INCONCLUSIVE: "inconclusive, neither pass nor fail",
        Outcome.INTERRUPTED: "interrupted",
        Outcome.CRASHED: "the test code raised",
        Outcome.REFUSED: "refused, the target may not get this load",
    }[verdict.outcome]


def limits_text(limits: Limits, unit: Unit) -> str:
    """The limits in one cell: `< 500 | < 1500 | > 2000 ms`."""
    shown = [format_limit(limits.pass_below.value, unit).rsplit(" ", 1)[0]]
    if limits.warning_below is not None:
        shown.append(format_limit(limits.warning_below.value, unit).rsplit(" ", 1)[0])
    fail, name = format_limit(limits.fail_above.value, unit).rsplit(" ", 1)
    return " | ".join(f"< {number}" for number in shown) + f" | > {fail} {name}"


def tier_text(check: Check) -> str:
    """The tier in words, with the marks that qualify it."""
    marks = [
        word for word, holds in (("gap", check.gap), ("indicative", check.indicative)) if holds
    ]
    marks += ["informational"] if check.informational else []
    return check.tier.value + (f" ({', '.join(marks)})" if marks else "")


def _checks(checks: Sequence[Check], *, colour: bool) -> list[str]:
    header = ("", "tier", "endpoint", "metric", "value", "pass | warning | fail", "n")
    rows = [
        (
            SYMBOLS[check.tier],
            tier_text(check),
            shorten(printable(check.endpoint), _ENDPOINT_WIDTH),
            check.metric_text,
            check.value_text,
            limits_text(check.limits, check.unit),
            format_count(check.n),
        )
        for check in checks
    ]
    lines = _table(header, rows, right=(4, 6))
    painted = [
        _paint(line, check.tier, colour=colour and check.tier is not Tier.PASS)
        for line, check in zip(lines[2:], checks, strict=True)
    ]
    return [*lines[:2], *painted]


def _endpoints(endpoints: Sequence[EndpointFigures]) -> list[str]:
    header = ("requests, latency in ms", *(name.lower() for name in FIGURE_COLUMNS))
    rows = [
        (
            shorten(printable(row.endpoint), _FIGURES_ENDPOINT_WIDTH),
            *figure_cells(row.figures, unit=False),
        )
        for row in endpoints
    ]
    return _table(header, rows, right=range(1, len(header)))


def _unproven(checks: Sequence[Check]) -> list[str]:
    """What unproven means, and a line of the checks that are."""
    names = [printable(shorten(name, WIDTH // 2)) for name in unproven(checks)]
    if not names:
        return []
    shown = [names[0]]
    for name in names[1:]:
        if len(", ".join([*shown, name])) > WIDTH - len("  , and 99 more"):
            break
        shown.append(name)
    more = len(names) - len(shown)
    line = f"  {', '.join(shown)}{f', and {more} more' if more else ''}"
    return [f"Unproven: {UNPROVEN}", line, ""]
