"""`report.html`: one page that needs nothing but itself, neither a network nor a script."""

from __future__ import annotations

from datetime import UTC, datetime

from analysis.limits import Tier
from analysis.quantities import format_count, plural
from analysis.render.arrivals import arrivals
from analysis.render.breakpoint_section import search
from analysis.render.configuration import configuration
from analysis.render.console import SYMBOLS, limits_text, meaning, tier_text
from analysis.render.definitions import DEFINITIONS
from analysis.render.document import document
from analysis.render.markup import Markup, bullets, element, joined, pairs, table
from analysis.render.omission_section import omission_section
from analysis.render.recovery_section import recovery_section
from analysis.render.rows import NO_REQUESTS, duration_text, failure_lines
from analysis.render.sections import (
    connections,
    endpoints,
    failures,
    generator,
    latency,
    load,
    p99_drift,
    stages,
)
from analysis.runs import Run
from analysis.thresholds import Thresholds
from analysis.verdict import Check, Outcome, Verdict


def html(run: Run, verdict: Verdict, thresholds: Thresholds) -> str:
    """The whole report, from the verdict down to what each of its numbers means."""
    title = verdict.title or verdict.scenario
    parts = (
        _section("Checks", _checks(verdict)),
        _section("Latency over time", latency(run, thresholds)),
        p99_drift(run, thresholds),
        recovery_section(verdict.recovery),
        search(run, thresholds),
        _section("Load", load(run)),
        arrivals(run),
        _section("Failures", failures(run)),
        _section("Phases", stages(run, thresholds)),
        _section("Endpoints", endpoints(run)),
        connections(run),
        omission_section(verdict.omission),
        _section("The generator's own health", generator(run, thresholds)),
        _section("Configuration", configuration(run, thresholds)),
        _section("What the numbers mean", pairs(DEFINITIONS)),
    )
    body = element(
        "body",
        element("header", element("h1", title), _banner(verdict)),
        element("main", *(part for part in parts if part), _footer(verdict)),
    )
    return document(_title(verdict), body)


def _title(verdict: Verdict) -> str:
    mark = " (rehearsal)" if verdict.rehearsal else ""
    return f"{SYMBOLS[verdict.tier]} {verdict.outcome.value}{mark}: {verdict.run}"


def _section(title: str, content: Markup) -> Markup:
    return element("section", element("h2", title), content)


def _banner(verdict: Verdict) -> Markup:
    badges = []
    if verdict.rehearsal:
        badges.append(f"Rehearsal: {verdict.rehearsal}; not the real load")
    if verdict.partial:
        badges.append("Partial: judged on what there is")
    if verdict.aborted is not None:
        badges.append("Aborted by a rule: the load was not run to its end")
    if verdict.outcome in (Outcome.INTERRUPTED, Outcome.CRASHED):
        badges.append(f"{verdict.outcome.value.capitalize()}: no verdict on the service")
    if verdict.tier is Tier.INCONCLUSIVE:
        badges.append("Inconclusive: neither pass nor fail")
    badges += [f"Fault active in the service: {fault}" for fault in verdict.faults]
    started = datetime.fromtimestamp(verdict.start_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = [
        verdict.scenario,
        f"{format_count(verdict.requests)} {plural(verdict.requests, 'request')}",
        f"{format_count(verdict.failures)} {plural(verdict.failures, 'failure')}",
        duration_text(verdict),
        f"started {started}",
        f"exit code {verdict.exit_code}",
    ]
    if verdict.outcome is Outcome.WARNING:
        facts[-1] += f" ({meaning(verdict)})"
    word = f"{SYMBOLS[verdict.tier]} {verdict.outcome.value.upper()}"
    pieces = [element("div", word, class_="tier")]
    # The headline's first word is the one that stands above it.
    sentence = verdict.headline.partition(": ")[2] or verdict.headline
    pieces.append(element("p", f"{sentence[:1].upper()}{sentence[1:]}", class_="headline"))
    if badges:
        shown = joined(element("span", badge, class_="badge") for badge in badges)
        pieces.append(element("div", shown, class_="badges"))
    pieces.append(element("p", " · ".join(facts), class_="quiet"))
    box = element("div", *pieces, class_=f"banner {verdict.tier.value}")
    more = [box]
    # Rehearsal and faults stand in the banner's boxes.
    for title, sentences in (
        ("Failures", failure_lines(verdict.causes)),
        ("Further reasons", verdict.further_reasons),
        ("Notes", verdict.notes),
    ):
        if sentences:
            more += [element("h3", title), bullets(sentences)]
    return joined(more)


def _checks(verdict: Verdict) -> Markup:
    if not verdict.requests:
        return element("p", f"{NO_REQUESTS[:1].upper()}{NO_REQUESTS[1:]}.")
    if not verdict.checks:
        return element("p", "No threshold applies to this run.")
    columns = ("Tier", "Endpoint", "Metric", "Value", "Pass | warning | fail", "n", "Why")
    rows = [_check_row(check) for check in verdict.checks]
    shown = table(columns, rows, numeric=(3, 5), caption="The worst first.")
    return element("div", shown, class_="checks")


def _check_row(check: Check) -> tuple[str, ...]:
    mark = f"{SYMBOLS[check.tier]} {tier_text(check)}"
    interval = check.interval_text
    why = f"{check.reason}. {check.proof[:1].upper()}{check.proof[1:]}."
    if interval:
        why += f" 95 % bounds: {interval}."
    if check.phases:
        why += f" Judged in {', '.join(check.phases)}."
    return (
        element("span", mark, class_=f"mark {check.tier.value}"),
        check.endpoint,
        check.metric_text,
        check.value_text,
        limits_text(check.limits, check.unit),
        format_count(check.n),
        f"{why[:1].upper()}{why[1:]}",
    )


def _footer(verdict: Verdict) -> Markup:
    text = f"Run {verdict.run}. Made by otaload from the files of the run's directory."
    return element("footer", text)
