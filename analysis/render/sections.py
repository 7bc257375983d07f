"""The report's sections below the checks: charts and tables of one run."""

from __future__ import annotations

from itertools import count

import pandas as pd
from matplotlib.figure import Figure

from analysis.drift import run_drift
from analysis.figures import Figures, endpoint_figures, failure_causes, stage_figures
from analysis.judge import SOAK
from analysis.limits import ALL_REQUESTS, DRIFT, Limits
from analysis.measured import Endpoint
from analysis.meta import Worker
from analysis.metrics import (
    cause_series,
    health_series,
    latency_series,
    rate_series,
    user_series,
)
from analysis.quantities import Unit, format_count, format_duration, format_quantity, plural
from analysis.render.charts import (
    causes_figure,
    drift_figure,
    health_figure,
    latency_figure,
    limit_lines,
    load_figure,
)
from analysis.render.figure import figure_of as _figure
from analysis.render.markup import Markup, element, joined, pairs, table
from analysis.render.rows import FIGURE_COLUMNS, figure_cells
from analysis.runs import Run
from analysis.thresholds import Thresholds

MOST_ENDPOINTS = 12
MOST_CAUSES = 50


def latency(run: Run, thresholds: Thresholds) -> Markup:
    """A chart for all requests and for each of the busiest endpoints."""
    if not run.endpoints:
        return element("p", "No request was recorded.")
    groups: list[tuple[str, list[Endpoint], list[tuple[str, Limits]]]] = []
    if len(run.endpoints) > 1:
        groups.append((ALL_REQUESTS, list(run.endpoints), _limits(thresholds, None)))
    for endpoint in run.endpoints[:MOST_ENDPOINTS]:
        written = [name for name in thresholds.endpoints if endpoint.answers_to(name)]
        limits = [limit for name in written for limit in _limits(thresholds, name)]
        groups.append((run.labels[endpoint], [endpoint], limits))
    figures = []
    for number, (label, endpoints_of, limits) in zip(count(1), groups, strict=False):
        series = latency_series(run, endpoints_of)
        lines = limit_lines(limits)

        def draw(series: pd.DataFrame = series, lines: list = lines) -> Figure:  # type: ignore[type-arg]
            return latency_figure(series, lines, run.meta.stages, run.duration_s)

        width, each = format_duration(series["t_s"].iloc[0] * 2), int(series["n"].median())
        about = f"about {format_count(each)}" if each else "fewer than one"
        text = f"bins of {width}, {about} successful {plural(max(1, each), 'request')} each"
        figures.append(_figure(f"latency{number}", label, text, draw))
    left_out = len(run.endpoints) - MOST_ENDPOINTS
    note = Markup("")
    if left_out > 0:
        verb = "endpoint has" if left_out == 1 else "endpoints have"
        note = element("p", f"{left_out} less busy {verb} no chart here.", class_="quiet")
    return joined((element("div", *figures, class_="charts"), note))


def p99_drift(run: Run, thresholds: Thresholds) -> Markup:
    """The p99 of every window of a soak, and what the diagnostics say; nothing for other runs."""
    if run.meta.scenario != SOAK or not run.endpoints:
        return Markup("")
    drift = run_drift(run)
    limits = thresholds.limits_of(None, DRIFT)
    text = f"p99 of all successful requests in windows of {format_duration(drift.window_s)}"
    chart = _figure("drift", "p99 drift", text, lambda: drift_figure(drift, limits, run.duration_s))
    entries = [("Judged", drift.insufficient and f"insufficient data: {drift.insufficient}")]
    if drift.drift_ratio is not None:
        low, high = _percent(drift.low_ratio), _percent(drift.high_ratio)
        step = f"{_percent(drift.step_ratio)} at {format_duration(drift.step_at_s or 0)}"
        entries = [
            ("Drift", f"{_percent(drift.drift_ratio)} (95 % interval {low} to {high})"),
            ("Theil–Sen line", f"{_percent(drift.slope_ratio)} over the same time"),
            ("Mann–Kendall", f"p = {drift.trend_p:.2g} that there is no trend"),
            ("Best single step", step),
            ("Indicative", "yes: shorter than 6.25 h" if drift.indicative else "no"),
        ]
    caveat = "One run cannot tell a leak from the time of day: a second run at another hour can."
    notes = [caveat, *([drift.disagreement] if drift.disagreement else [])]
    listed = joined(element("p", note) for note in notes)
    body = element("div", chart, element("div", pairs(entries), listed), class_="charts")
    return element("section", element("h2", "p99 drift"), body)


def load(run: Run) -> Markup:
    """Requests and failures per second against planned and actual users."""
    found = run.meta.breakpoint
    figure = _figure(
        "load",
        "Requests and users",
        "completed requests per second, by the second in which they started",
        lambda: load_figure(
            rate_series(run),
            user_series(run),
            run.meta.stages,
            run.duration_s,
            first_bad_s=found.at_s if found else None,
        ),
    )
    return element("div", figure, class_="charts")


def failures(run: Run) -> Markup:
    """Failures by cause: a table, and when they happened."""
    causes = failure_causes(run)
    if not causes:
        return element("p", "No request failed.")
    total = sum(cause.count for cause in causes)
    rows = [
        (
            cause.cause,
            cause.endpoint,
            format_count(cause.count),
            format_quantity(cause.count / total, Unit.RATIO),
            format_duration(cause.first_s),
            format_duration(cause.last_s),
        )
        for cause in causes[:MOST_CAUSES]
    ]
    columns = ("Cause", "Endpoint", "Failures", "Share", "First at", "Last at")
    more = len(causes) - MOST_CAUSES
    caption = f"and {more} rarer {plural(more, 'one')}" if more > 0 else ""
    chart = _figure(
        "causes",
        "Failures over time",
        "by cause",
        lambda: causes_figure(cause_series(run), run.duration_s),
    )
    shown = table(columns, rows, numeric=(2, 3, 4, 5), caption=caption)
    return joined((shown, element("div", chart, class_="charts")))


def stages(run: Run) -> Markup:
    """The stages of the profile that the run reached and what was measured in each."""
    reached = stage_figures(run)
    if not reached:
        return element("p", "The run has no stages.")
    rows = [
        (
            stage.name,
            f"{format_duration(stage.start_s)} – {format_duration(stage.end_s)}",
            f"{stage.users_from:g} → {stage.users_to:g}",
            *_figures(stage.figures),
        )
        for stage in reached
    ]
    columns = ("Stage", "Time", "Users", *_COLUMNS)
    shown = table(columns, rows, numeric=range(3, len(columns)))
    later = len(run.meta.stages) - len(reached)
    if not later:
        return shown
    verb = "was" if later == 1 else "were"
    note = f"{later} later {plural(later, 'stage')} {verb} not reached."
    return joined((shown, element("p", note, class_="quiet")))


def endpoints(run: Run) -> Markup:
    """Every endpoint's figures over the whole run."""
    if not run.endpoints:
        return element("p", "No request was recorded.")
    rows = [(row.endpoint, *_figures(row.figures)) for row in endpoint_figures(run)]
    columns = ("Endpoint", *_COLUMNS)
    shown = table(columns, rows, numeric=range(1, len(columns)))
    retries = int(run.windows.retries.sum())
    if not retries:
        return shown
    verb = "request repeated one" if retries == 1 else "requests repeated ones"
    text = f"{format_count(retries)} {verb} that had failed."
    return joined((shown, element("p", text)))


def generator(run: Run, thresholds: Thresholds) -> Markup:
    """CPU and timer lag of every process, and how faithfully workers reported."""
    if len(run.health):
        shown = _figure(
            "health",
            "CPU and timer lag",
            "mean CPU and worst lag of each bin",
            lambda: health_figure(health_series(run), thresholds.generator, run.duration_s),
        )
        content = element("div", shown, class_="charts")
    else:
        content = element("p", "The generator's own health was not recorded.")
    if not run.meta.workers:
        return content
    rows = [
        (
            worker.name,
            format_count(worker.users_max),
            "–" if worker.reports is None else format_count(worker.reports),
            format_count(worker.gaps),
            _stayed(worker),
        )
        for worker in run.meta.workers
    ]
    columns = ("Process", "Users, at most", "Reports", "Missing reports", "Stayed")
    return joined((content, table(columns, rows, numeric=(1, 2, 3))))


def _stayed(worker: Worker) -> str:
    if worker.reports == 0:
        return "never reported"
    if worker.left_early:
        return "left early"
    return "lost" if worker.lost else "to the end"


_COLUMNS = (*FIGURE_COLUMNS[:2], "Error rate", *FIGURE_COLUMNS[2:])


def _figures(figures: Figures) -> tuple[str, ...]:
    n, failed, *others = figure_cells(figures)
    share = format_quantity(figures.failures / figures.n, Unit.RATIO) if figures.n else "–"
    return (n, failed, share, *others)


def _limits(thresholds: Thresholds, endpoint: str | None) -> list[tuple[str, Limits]]:
    rows = (row for row in thresholds.rows if row.endpoint == endpoint)
    return [(row.metric.name, row.limits) for row in rows]


def _percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:+.1%}"
