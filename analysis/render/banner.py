"""The top of the report: the verdict, its reason in one sentence, and what was run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import islice

from analysis.drift import run_drift
from analysis.drift_course import drift_told
from analysis.episodes import find_episodes, told
from analysis.finding import check_sentence
from analysis.limits import DRIFT, Tier
from analysis.quantities import format_count
from analysis.render.checks_section import proven_sentence
from analysis.render.console import SYMBOLS, meaning
from analysis.render.hosts_section import production_sentence, without_user
from analysis.render.markup import Markup, bullets, element, joined
from analysis.render.rows import duration_text, failure_lines
from analysis.render.wording import sentence, spoken
from analysis.runs import Run
from analysis.verdict import Check, Outcome, Verdict

MOST_OPEN_NOTES = 4
MOST_EPISODES = 4
COMMIT_LETTERS = 12
_UNPROVEN = re.compile(r"; [0-9]+ of them (?:is|are) unproven")
"""What the sentence below the headline says at more length."""


def banner(run: Run, verdict: Verdict) -> Markup:
    """The verdict in a box, and below it what failed, further reasons and notes."""
    word = f"{SYMBOLS[verdict.tier]} {verdict.outcome.value.upper()}"
    reason, so_far = _headline(verdict)
    pieces = [
        element("p", word, class_="tier"),
        element("p", sentence(reason), class_="headline"),
    ]
    beside = f"So far: {spoken(so_far)}" if so_far else proven_sentence(verdict)
    if beside:
        pieces.append(element("p", beside, class_="proven"))
    badges = _badges(verdict)
    if badges:
        items = joined(element("li", badge) for badge in badges)
        pieces.append(element("ul", items, class_="badges"))
    pieces.append(_facts(run, verdict))
    box = element("div", *pieces, class_=f"banner {verdict.tier.value}")
    return joined((box, _beneath(run, verdict)))


def _headline(verdict: Verdict) -> tuple[str, str]:
    """The reason in one sentence, and what the checks of a run that does not count come to."""
    # The headline's first word is the one that stands above it.
    reason = verdict.headline.partition(": ")[2] or verdict.headline
    reason, _, so_far = reason.partition("; so far: ")
    if proven_sentence(verdict):
        reason = _UNPROVEN.sub("", reason)
    # Of several troubles the worst is the sentence; the others are listed below it.
    return (verdict.reasons[0] if _in_trouble(verdict) else reason), so_far


def _in_trouble(verdict: Verdict) -> bool:
    return verdict.tier is Tier.INCONCLUSIVE and bool(verdict.reasons)


def _badges(verdict: Verdict) -> list[str]:
    """All that limits the verdict, each in a box."""
    badges = []
    if verdict.rehearsal:
        badges.append(f"Rehearsal: {verdict.rehearsal}; not the real load")
    if verdict.partial:
        badges.append("Partial: judged on what there is")
    if verdict.aborted is not None:
        badges.append("Aborted by a rule: the load was not run to its end")
    if verdict.outcome in (Outcome.REFUSED, Outcome.INTERRUPTED, Outcome.CRASHED):
        badges.append(f"{verdict.outcome.value.capitalize()}: no verdict on the service")
    elif verdict.tier is Tier.INCONCLUSIVE:
        badges.append("Inconclusive: neither pass nor fail")
    return badges + [f"Fault active in the service: {fault}" for fault in verdict.faults]


def _facts(run: Run, verdict: Verdict) -> Markup:
    started = datetime.fromtimestamp(verdict.start_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    target, kind = run.meta.target.get("base_url", ""), run.meta.target.get("kind", "")
    code = str(verdict.exit_code)
    if verdict.outcome is Outcome.WARNING:
        code += f" ({meaning(verdict)})"
    facts = [
        ("Scenario", verdict.scenario),
        ("Target", " · ".join(part for part in (without_user(target), kind) if part)),
        ("Started", started),
        ("Duration", duration_text(verdict)),
        ("Requests", format_count(verdict.requests)),
        ("Failures", format_count(verdict.failures)),
        ("Git commit", run.meta.git_commit[:COMMIT_LETTERS] or "unknown"),
        ("Exit code", code),
        ("Production", production_sentence(run)),
    ]
    shown = (
        element("div", element("dt", name), element("dd", value)) for name, value in facts if value
    )
    return element("dl", joined(shown), class_="facts")


def _beneath(run: Run, verdict: Verdict) -> Markup:
    """When limits were broken, what failed, further reasons and notes, beside each other."""
    # Rehearsal and faults stand in the banner's boxes.
    parts = [
        element("div", element("h2", title), bullets(spoken(line) for line in sentences))
        for title, sentences in (
            ("When limits were broken", _when(run, verdict)),
            ("What failed", failure_lines(verdict.causes)),
            ("Further reasons", _reasons_beside_checks(verdict)),
        )
        if sentences
    ]
    if verdict.notes:
        listed = bullets(spoken(note) for note in verdict.notes)
        parts.append(_notes(listed, len(verdict.notes)))
    return element("div", *parts, class_="beneath") if parts else Markup("")


def _when(run: Run, verdict: Verdict) -> list[str]:
    """When the checks that made the verdict were beyond their limits, the worst first."""
    checks = [
        check for check in verdict.checks if check.tier is verdict.tier and not check.informational
    ]
    lines = (line for check in checks if (line := _course(run, check)))
    return list(islice(lines, MOST_EPISODES))


def _course(run: Run, check: Check) -> str:
    if check.metric == DRIFT:
        return drift_told(check, run_drift(run))
    episodes = find_episodes(run, check)
    return told(check, episodes) if episodes is not None else ""


def _reasons_beside_checks(verdict: Verdict) -> list[str]:
    """The reasons that neither the headline gives nor the table of checks, which comes next."""
    in_table = {check_sentence(check) for check in verdict.checks}
    reasons = verdict.reasons[1:] if _in_trouble(verdict) else verdict.further_reasons
    return [reason for reason in reasons if reason not in in_table]


def _notes(listed: Markup, count: int) -> Markup:
    heading = element("h2", "Notes")
    if count <= MOST_OPEN_NOTES:
        return element("div", heading, listed)
    summary = element("summary", f"{count} things to know besides")
    return element("div", heading, element("details", summary, listed))
