"""The report's sections below the checks: charts and tables of one run."""

from __future__ import annotations

from analysis.arrivals import has_arrivals, load_text
from analysis.connections import SetupTimes, connection_figures
from analysis.figures import Figures, endpoint_figures, failure_causes
from analysis.meta import Worker
from analysis.metrics import (
    OTHER_CAUSES,
    cause_series,
    health_series,
    rate_series,
    user_series,
)
from analysis.phases import judged_stages
from analysis.quantities import Unit, format_count, format_duration, format_quantity, plural
from analysis.render.charts import (
    causes_figure,
    health_figure,
    load_figure,
)
from analysis.render.figure_element import figure_element as _figure
from analysis.render.markup import Markup, element, joined, table
from analysis.render.rows import FIGURE_COLUMNS, WHOLE_RUN, figure_cells
from analysis.runs import Run
from analysis.thresholds import Thresholds

MOST_CAUSES = 50


def load(run: Run) -> Markup:
    """Requests and failures per second against planned and actual users, failures by cause."""
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
    return element("div", figure, _failures_over_time(run), class_="charts")


def _failures_over_time(run: Run) -> Markup:
    if not len(run.causes):
        return Markup("")
    series = cause_series(run)
    totals = (
        f"{name}: {format_count(int(run.causes['n'][run.causes['cause'] == name].sum()))}"
        for name in series.columns[1:]
        if name != OTHER_CAUSES
    )
    return _figure(
        "causes",
        "Failures over time",
        "by cause, the most frequent at the bottom",
        lambda: causes_figure(series, run.meta.stages, run.duration_s),
        alt="; ".join(totals),
    )


def failures(run: Run) -> Markup:
    """Failures by cause: how many, and when first and last."""
    causes = failure_causes(run)
    if not run.endpoints:
        return Markup("")
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
    return table(columns, rows, numeric=(2, 3, 4, 5), caption=caption)


def stages(run: Run, thresholds: Thresholds) -> Markup:
    """The stages that the run reached, what was measured in each, and whether it was judged."""
    reached = judged_stages(run, thresholds)
    if not reached:
        return element("p", "The run has no stages.")
    rows = [
        (
            stage.phase.value,
            stage.name,
            "yes" if stage.judged else "no",
            f"{format_duration(stage.start_s)} – {format_duration(stage.end_s)}",
            load_text(stage, f"{stage.users_from:g} → {stage.users_to:g}"),
            *_figures(stage.figures),
        )
        for stage in reached
    ]
    load_column = "Arrivals" if has_arrivals(run) else "Users"
    columns = ("Phase", "Stage", "Judged", "Time", load_column, *_COLUMNS)
    shown = table(columns, rows, numeric=range(5, len(columns)))
    later = len(run.meta.stages) - len(reached)
    if not later:
        return shown
    verb = "was" if later == 1 else "were"
    note = f"{later} later {plural(later, 'stage')} {verb} not reached."
    return joined((shown, element("p", note, class_="quiet")))


def endpoints(run: Run) -> Markup:
    """Every endpoint's figures over the whole run."""
    if not run.endpoints:
        return Markup("")
    rows = [(row.endpoint, *_figures(row.figures)) for row in endpoint_figures(run)]
    columns = ("Endpoint", *_COLUMNS)
    shown = table(columns, rows, numeric=range(1, len(columns)), caption=WHOLE_RUN)
    retries = int(run.windows.retries.sum())
    if not retries:
        return shown
    verb = "request repeated one" if retries == 1 else "requests repeated ones"
    text = f"{format_count(retries)} {verb} that had failed."
    return joined((shown, element("p", text)))


def connections(run: Run) -> Markup:
    """What it took to set connections up; nothing where no client told it apart."""
    found = connection_figures(run)
    if not found:
        return Markup("")
    rows = [
        (
            row.endpoint,
            format_count(row.opened),
            format_quantity(row.opened_ratio, Unit.RATIO),
            *_setup_times(row.connect),
            *_setup_times(row.tls),
            format_count(row.resent),
        )
        for row in found
    ]
    columns = (
        *("Endpoint", "Opened", "Share of requests", "Connect p50", "Connect p95", "Connect max"),
        *("TLS p50", "TLS p95", "TLS max", "Sent again"),
    )
    text = (
        "Latencies include the set-up of a connection where the request opened one. "
        "A request is sent again, once and where that is safe, when the connection that was kept "
        "for it turns out to have been closed."
    )
    shown = table(columns, rows, numeric=range(1, len(columns)))
    return joined((shown, element("p", text, class_="quiet")))


def _setup_times(times: SetupTimes | None) -> tuple[str, str, str]:
    if times is None:
        return ("–", "–", "–")
    p50, p95, most = (
        format_quantity(ms, Unit.MS) for ms in (times.p50_ms, times.p95_ms, times.max_ms)
    )
    return (p50, p95, most)


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
            _clock(worker),
            _stayed(worker),
        )
        for worker in run.meta.workers
    ]
    columns = ("Process", "Users, at most", "Reports", "Missing reports", "Clock", "Stayed")
    return joined((content, table(columns, rows, numeric=(1, 2, 3, 4))))


def _clock(worker: Worker) -> str:
    """What its clock was off by, where its seconds had to be corrected."""
    offset_s = worker.clock_offset_s
    if offset_s is None:
        return "–"
    # The offset is what must be added; a clock that is ahead needs less.
    return f"{-offset_s:+.1f} s" if worker.clock_shift_s else "right"


def _stayed(worker: Worker) -> str:
    trouble = f"out of touch for {format_duration(worker.away_s)}" if worker.away_s else ""
    if worker.lost:
        trouble = "lost"
    if worker.left_early:
        trouble = "left early"
    if worker.reports == 0:
        trouble = "never reported"
    return element("span", f"✗ {trouble}", class_="mark fail") if trouble else "to the end"


_COLUMNS = (*FIGURE_COLUMNS[:2], "Error rate", *FIGURE_COLUMNS[2:])


def _figures(figures: Figures) -> tuple[str, ...]:
    n, failed, *others = figure_cells(figures)
    share = format_quantity(figures.failures / figures.n, Unit.RATIO) if figures.n else "–"
    return (n, failed, share, *others)
