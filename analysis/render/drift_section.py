"""The report's section on the drift of a soak: the windows, the two hours, and the diagnostics."""

from __future__ import annotations

from analysis.distribution import hour_curves
from analysis.drift import run_drift
from analysis.drift_course import levels_text
from analysis.judge import SOAK
from analysis.levels import Drift
from analysis.limits import DRIFT
from analysis.quantities import format_duration
from analysis.render.drift_chart import drift_figure
from analysis.render.figure_element import figure_element
from analysis.render.markup import Markup, element, joined, pairs
from analysis.render.percentile_chart import percentile_figure
from analysis.render.section import section
from analysis.runs import Run
from analysis.thresholds import Thresholds

CAVEAT = "One run cannot tell a leak from the time of day: a second run at another hour can."


def drift_section(run: Run, thresholds: Thresholds) -> Markup:
    """The p99 of every window of a soak, and what the diagnostics say; nothing for other runs."""
    if run.meta.scenario != SOAK or not run.endpoints:
        return Markup("")
    drift = run_drift(run)
    limits = thresholds.limits_of(None, DRIFT)
    text = f"p99 of all successful requests in windows of {format_duration(drift.window_s)}"
    charts = [
        figure_element(
            "drift",
            "p99 over the run",
            text,
            lambda: drift_figure(drift, limits, run.duration_s),
            alt=_told(drift),
        )
    ]
    hours = hour_curves(run, drift)
    if len(hours) > 1:
        charts.append(
            figure_element(
                "hours",
                "First and last laid over each other",
                "latency by percentile of all requests in the hours that the drift compares",
                lambda: percentile_figure(hours),
            )
        )
    notes = [CAVEAT, *([drift.disagreement] if drift.disagreement else [])]
    listed = joined(element("p", note) for note in notes)
    return section(
        "p99 drift", element("div", *charts, class_="charts"), pairs(_entries(drift)), listed
    )


def _told(drift: Drift) -> str:
    if drift.drift_ratio is None:
        return f"no estimate, insufficient data: {drift.insufficient}"
    return f"the level changed by {_percent(drift.drift_ratio)} ({_bounds(drift)})"


def _entries(drift: Drift) -> list[tuple[str, str]]:
    if drift.drift_ratio is None:
        return [("Judged", f"insufficient data: {drift.insufficient}")]
    step = f"{_percent(drift.step_ratio)} at {format_duration(drift.step_at_s or 0)}"
    return [
        ("Drift", f"{_percent(drift.drift_ratio)} ({_bounds(drift)})"),
        ("p99 level", levels_text(drift)),
        ("Theil–Sen line", f"{_percent(drift.slope_ratio)} over the same time"),
        ("Mann–Kendall", f"p = {drift.trend_p:.2g} that there is no trend"),
        ("Best single step", step),
        ("Indicative", "yes: shorter than 6.25 h" if drift.indicative else "no"),
    ]


def _bounds(drift: Drift) -> str:
    if drift.stopped_s is not None:
        return f"99 % sure of at least {_percent(drift.low_ratio)}, when it was stopped early"
    return f"95 % interval {_percent(drift.low_ratio)} to {_percent(drift.high_ratio)}"


def _percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{100 * ratio:+.1f} %"
