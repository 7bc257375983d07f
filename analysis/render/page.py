"""`report.html`: one page that needs nothing but itself, neither a network nor a script."""

from __future__ import annotations

import re

from analysis.render.arrivals import arrivals
from analysis.render.banner import banner
from analysis.render.breakpoint_section import search
from analysis.render.checks_section import checks_section
from analysis.render.configuration import configuration
from analysis.render.console import SYMBOLS
from analysis.render.definitions import DEFINITIONS
from analysis.render.document import document
from analysis.render.drift_section import drift_section
from analysis.render.hosts_section import hosts_section
from analysis.render.latency_section import distribution_section, latency_section
from analysis.render.markup import Markup, element, joined, pairs
from analysis.render.omission_section import omission_section
from analysis.render.recovery_section import recovery_section
from analysis.render.section import section
from analysis.render.sections import connections, endpoints, failures, generator, load, stages
from analysis.runs import Run
from analysis.thresholds import Thresholds
from analysis.verdict import Verdict

_SECTION = re.compile(r'<section id="([a-z0-9-]+)"[^>]*><h2>(.*?)</h2>')


def html(run: Run, verdict: Verdict, thresholds: Thresholds) -> str:
    """The whole report, from the verdict down to what each of its numbers means."""
    parts = (
        section("First error of the test code", _crash(run)),
        section("Checks", checks_section(verdict)),
        drift_section(run, thresholds),
        recovery_section(verdict.recovery),
        search(run, thresholds),
        arrivals(run),
        section("Latency over time", latency_section(run, thresholds)),
        section("Latency by percentile", distribution_section(run)),
        section("Load and failures over time", load(run)),
        section("Failures by cause", failures(run)),
        section("Phases", stages(run, thresholds)),
        section("Endpoints", endpoints(run)),
        section("Connections", connections(run)),
        omission_section(verdict.omission),
        section("The generator's own health", generator(run, thresholds)),
        section("Where the load went", hosts_section(run)),
        section("Configuration", configuration(run, thresholds)),
        section("What the numbers mean", pairs(DEFINITIONS)),
    )
    main = joined(parts)
    header = element("header", element("h1", verdict.title or verdict.scenario))
    body = element(
        "body",
        header,
        element("main", banner(run, verdict), _contents(main), main),
        _footer(verdict),
    )
    return document(_title(verdict), body)


def _title(verdict: Verdict) -> str:
    mark = " (rehearsal)" if verdict.rehearsal else ""
    return f"{SYMBOLS[verdict.tier]} {verdict.outcome.value}{mark}: {verdict.run}"


def _contents(main: Markup) -> Markup:
    """A line of links to the sections that there are."""
    links = (
        element("li", element("a", Markup(title), href=f"#{name}"))
        for name, title in _SECTION.findall(main)
    )
    return element("nav", element("ul", joined(links)), aria_label="Contents", class_="contents")


def _crash(run: Run) -> Markup:
    """The traceback of the first error that the test code raised."""
    if not run.meta.first_crash:
        return Markup("")
    return element("pre", run.meta.first_crash, class_="traceback", tabindex="0")


def _footer(verdict: Verdict) -> Markup:
    text = f"Run {verdict.run}. Made by otaload from the files of the run's directory."
    return element("footer", element("p", text))
