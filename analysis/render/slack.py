"""The verdict as a Slack message: Block Kit with a fallback text, within Slack's limits.

What comes from the run stands in `plain_text` blocks, where nothing is formatted, linked or turned
into a mention; `&`, `<` and `>` are escaped in them all the same, as they are in the fallback text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from analysis.finding import badness, check_sentence
from analysis.limits import Tier
from analysis.quantities import format_count, plural, printable
from analysis.render.console import about, meaning
from analysis.render.rows import failure_lines
from analysis.render.summary import MARKS
from analysis.verdict import Verdict

LONGEST_HEADER, LONGEST_TEXT, LONGEST_FALLBACK = 150, 3000, 4000
"""Characters that Slack takes in a header, in a text object, and in a message's text."""
MOST_CHECKS = 10
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def slack(verdict: Verdict, *, link: str = "") -> str:
    """The JSON that an incoming webhook takes; `link` is the page of the CI job, where there is."""
    outcome = f"{verdict.outcome.value}{_mark(verdict)}"
    blocks = [
        _header(verdict.tier, verdict.scenario, outcome),
        _section([verdict.headline]),
        *_checks(verdict),
    ]
    for heading, lines in (
        ("Failures", failure_lines(verdict.causes)),
        ("Beware", verdict.caveats),
    ):
        if lines:
            blocks.append(_section([heading, *(f"• {line}" for line in lines)]))
    blocks += _link_sections(link)
    ending = f"exit code {verdict.exit_code}: {meaning(verdict)}"
    context = _plain([f"{about(verdict)} · {ending}"], LONGEST_TEXT)
    blocks.append({"type": "context", "elements": [context]})
    return _message(f"{MARKS[verdict.tier]} {verdict.scenario}: {verdict.headline}", blocks)


def unjudged(run: str, told: str, reason: str, *, link: str = "") -> str:
    """The message that a run has no verdict: what became of it, and why."""
    tier = Tier.INCONCLUSIVE
    blocks = [_header(tier, run, told), _section([reason]), *_link_sections(link)]
    return _message(f"{MARKS[tier]} {run}: {told}: {reason}", blocks)


def _message(fallback: str, blocks: Sequence[dict[str, Any]]) -> str:
    text = _clipped(escape(fallback), LONGEST_FALLBACK)
    message = {"text": text, "mrkdwn": False, "blocks": blocks}
    return orjson.dumps(message, option=orjson.OPT_INDENT_2).decode() + "\n"


def escape(content: str) -> str:
    """A text on one line that Slack shows as it is: no mention, no link, no control character."""
    return "".join(_ENTITIES.get(c, c) for c in printable(content))


def _mark(verdict: Verdict) -> str:
    marks = [word for word, holds in _marks(verdict) if holds]
    return f" ({', '.join(marks)})" if marks else ""


def _marks(verdict: Verdict) -> Iterable[tuple[str, bool]]:
    return ("rehearsal", bool(verdict.rehearsal)), ("partial", verdict.partial)


def _checks(verdict: Verdict) -> list[dict[str, Any]]:
    """A section of the checks that do not pass, the worst first."""
    bad = [check for check in verdict.checks if check.tier is not Tier.PASS]
    bad = sorted((check for check in bad if not check.informational), key=badness)
    if not bad or not verdict.requests:
        return []
    lines = [f"{MARKS[check.tier]} {check_sentence(check)}" for check in bad[:MOST_CHECKS]]
    rest = len(bad) - MOST_CHECKS
    if rest > 0:
        lines.append(f"and {format_count(rest)} more {plural(rest, 'check')} that do not pass")
    return [_section(lines)]


def _header(tier: Tier, name: str, told: str) -> dict[str, Any]:
    """The first line; a name too long for it is cut, and never what is told."""
    ending = f": {told}"
    begin = f"{MARKS[tier]} {escape(name)}"
    text = f"{_clipped(begin, LONGEST_HEADER - len(ending))}{ending}"
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _section(lines: Sequence[str]) -> dict[str, Any]:
    return {"type": "section", "text": _plain(lines, LONGEST_TEXT)}


def _link_sections(link: str) -> list[dict[str, Any]]:
    if not link:
        return []
    target = escape(link).replace("|", "%7C")
    text = f"<{target}|The job, with report.html among its artifacts>"
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}]


def _plain(lines: Sequence[str], longest: int) -> dict[str, Any]:
    text = _clipped("\n".join(escape(line) for line in lines), longest)
    return {"type": "plain_text", "text": text, "emoji": False}


def _clipped(escaped: str, longest: int) -> str:
    """An escaped text cut to a length, never in the middle of an entity."""
    if len(escaped) <= longest:
        return escaped
    cut = escaped[: longest - 1]
    entity = cut.rfind("&")
    if entity >= 0 and ";" not in cut[entity:]:
        cut = cut[:entity]
    return f"{cut}…"
