"""The report's sections on latency: over time for each endpoint, and by percentile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pandas as pd

from analysis.distribution import endpoint_curves
from analysis.latency_bins import heatmap, latency_bins
from analysis.limits import ALL_REQUESTS, Limits
from analysis.measured import Endpoint
from analysis.metrics import series_of
from analysis.quantities import Unit, format_count, format_duration, format_quantity, plural
from analysis.render.figure_element import figure_element
from analysis.render.latency_chart import heatmap_figure, latency_figure
from analysis.render.markup import Markup, element, joined, table
from analysis.render.percentile_chart import percentile_figure
from analysis.runs import Run
from analysis.thresholds import Thresholds

MOST_ENDPOINTS = 12
MOST_HEATMAPS = 6
"""A heatmap takes the most room of all charts; the least busy endpoints do without."""
LEAST_IN_BIN = 80
"""Requests in the median bin below which a heatmap would show chance and no shape.

Bins are made as wide as 100 on average need, so that the median one may have somewhat fewer.
"""
MOST_CURVES = 5
TABLED = (0.50, 0.90, 0.99, 0.999, 0.9999)
HEATMAP_TEXT = "the share of each bin's requests"


def latency_section(run: Run, thresholds: Thresholds) -> Markup:
    """A pair of charts for all requests and for each of the busiest endpoints."""
    if not run.endpoints:
        return Markup("")
    groups: list[tuple[str, list[Endpoint], list[tuple[str, Limits]]]] = []
    if len(run.endpoints) > 1:
        groups.append((ALL_REQUESTS, list(run.endpoints), _limits(thresholds, None)))
    for endpoint in run.endpoints[:MOST_ENDPOINTS]:
        written = [name for name in thresholds.endpoints if endpoint.answers_to(name)]
        limits = [limit for name in written for limit in _limits(thresholds, name)]
        groups.append((run.labels[endpoint], [endpoint], limits))
    figures = [
        figure
        for number, (label, endpoints, limits) in zip(count(1), groups, strict=False)
        for figure in _charts(run, number, label, endpoints, limits)
    ]
    left_out = len(run.endpoints) - MOST_ENDPOINTS
    note = Markup("")
    if left_out > 0:
        verb = "endpoint has" if left_out == 1 else "endpoints have"
        note = element("p", f"{left_out} less busy {verb} no chart here.", class_="quiet")
    return joined((element("div", *figures, class_="charts"), note))


def distribution_section(run: Run) -> Markup:
    """The whole distribution of the busiest endpoints and of all requests."""
    curves = endpoint_curves(run, most=MOST_CURVES)
    if not curves:
        return Markup("")
    columns = ("Endpoint", *(f"p{100 * q:.6g}" for q in TABLED), "Slowest")
    rows = [
        (
            curve.label,
            *("–" if (ms := curve.at(q)) is None else _ms(ms) for q in TABLED),
            _ms(curve.slowest_ms),
        )
        for curve in curves
    ]
    caption = "A percentile that has not one request beyond it is left out."
    shown = table(columns, rows, numeric=range(1, len(columns)), caption=caption)
    chart = figure_element(
        "percentiles",
        "Latency by percentile",
        "of the whole run, warm-up included; the axis is drawn out towards the slowest",
        lambda: percentile_figure(curves),
        alt="; ".join(
            f"{curve.label} from {_ms(float(curve.latency_ms[0]))} to {_ms(curve.slowest_ms)}"
            for curve in curves
        ),
    )
    return element("div", chart, shown, class_="charts")


def _charts(
    run: Run,
    number: int,
    label: str,
    endpoints: Sequence[Endpoint],
    limits: Sequence[tuple[str, Limits]],
) -> list[Markup]:
    bins = latency_bins(run, endpoints)
    series, cells = series_of(bins), heatmap(bins)
    each = int(series["n"].median())
    about = f"about {format_count(each)}" if each else "fewer than one"
    width = format_duration(bins.width_s)
    text = f"bins of {width}, {about} successful {plural(max(1, each), 'request')} each"
    charts = [
        figure_element(
            f"latency{number}",
            label,
            text,
            lambda: latency_figure(series, limits, run.meta.stages, run.duration_s),
            alt=f"latency over time; {_told(series)}",
        )
    ]
    if cells is not None and number <= MOST_HEATMAPS and each >= LEAST_IN_BIN:
        charts.append(
            figure_element(
                f"heat{number}",
                f"{label}, all latencies",
                HEATMAP_TEXT,
                lambda: heatmap_figure(cells, run.meta.stages, run.duration_s),
            )
        )
    return charts


def _told(series: pd.DataFrame) -> str:
    """The lowest and the highest of each percentile over time, and when it was highest."""
    told = []
    for name in ("p50", "p95", "p99"):
        values = series[f"{name}_ms"]
        if values.notna().any():
            at = format_duration(float(series["t_s"].iloc[int(values.argmax())]))
            told.append(f"{name} from {_ms(values.min())} to {_ms(values.max())}, highest at {at}")
    return "; ".join(told) or "no request succeeded"


def _ms(value: float) -> str:
    return format_quantity(value, Unit.MS)


def _limits(thresholds: Thresholds, endpoint: str | None) -> list[tuple[str, Limits]]:
    rows = (row for row in thresholds.rows if row.endpoint == endpoint)
    return [(row.metric.name, row.limits) for row in rows]
