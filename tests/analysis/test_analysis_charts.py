"""What the charts of the report draw: series with known answers, which are what is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import CHECK, DOWNLOAD, PROJECT, START_S, Traffic, constant, smoke_meta
from synthetic_runs import write_run as write

from analysis.distribution import PercentileCurve, endpoint_curves, hour_curves, percentile_curve
from analysis.drift import run_drift
from analysis.figures import endpoint_figures
from analysis.latency_bins import LatencyBins, heatmap, latency_bins
from analysis.levels import Drift
from analysis.limits import Bound, Limits, Tier
from analysis.meta import Stage
from analysis.metrics import cause_series
from analysis.quantities import Unit, format_quantity
from analysis.render.chart_style import style, svg
from analysis.render.charts import cause_bands, causes_figure
from analysis.render.drift_chart import drift_figure, drift_line
from analysis.render.latency_chart import heatmap_figure, latency_figure, tier_bands
from analysis.render.latency_section import distribution_section
from analysis.render.percentile_chart import percentile_figure, slower
from analysis.render.phase_marks import PhaseSpan, phase_spans
from analysis.runs import load_run
from analysis.thresholds import load_thresholds
from otaload.phase import Phase
from otaload.record import bucket_index

THRESHOLDS = load_thresholds(PROJECT / "thresholds.yaml")
LIMITS = Limits(Bound(500, ""), Bound(1500, ""), Bound(2000, ""))


def drawn_with(name: str, draw: Any) -> tuple[Any, str]:
    with style(name):
        figure = draw()
        return figure, svg(figure, name)


# Latencies in bins of time


def test_the_slowest_of_a_bin_is_exact_and_an_empty_bin_has_none(tmp_path: Path) -> None:
    traffic = {CHECK: Traffic(4, lambda t, n, rng: np.full(n, 20.0 + 300.123 * (t == 17)), to_s=30)}
    run = load_run(write(tmp_path, traffic))
    bins = latency_bins(run, run.endpoints)

    slowest = bins.max_ms[17 // bins.width_s]
    assert slowest == pytest.approx(320.123)
    assert np.isnan(bins.max_ms[-1])
    assert bins.n.sum() == 120
    assert bins.t_s[0] == bins.width_s / 2


def bins_of(*latencies_ms: list[float]) -> LatencyBins:
    matrix = np.zeros((len(latencies_ms), 4000), np.int64)
    for number, values in enumerate(latencies_ms):
        for ms in values:
            matrix[number, bucket_index(int(ms * 1000))] += 1
    return LatencyBins(5, matrix, np.array([max(v, default=np.nan) for v in latencies_ms]))


def test_a_column_of_the_heatmap_adds_up_to_one_and_its_rows_hold_the_latencies() -> None:
    found = heatmap(bins_of([10, 10, 10, 1000], [100], []))

    assert found is not None
    assert found.share_ratio.sum(axis=0).tolist() == [1, 1, 0]
    for column, ms, share in ((0, 10, 0.75), (0, 1000, 0.25), (1, 100, 1.0)):
        row = int(np.searchsorted(found.edges_ms, ms)) - 1
        assert found.share_ratio[row, column] == share
    ratios = found.edges_ms[1:] / found.edges_ms[:-1]
    assert ratios == pytest.approx(np.full(len(ratios), ratios[0]))


def test_a_constant_latency_lies_in_the_middle_of_its_heatmap() -> None:
    found = heatmap(bins_of([50, 50]))

    assert found is not None
    assert found.edges_ms[-1] / found.edges_ms[0] > 4
    assert found.share_ratio[:, 0].argmax() in (14, 15)


def test_without_a_success_there_is_no_heatmap() -> None:
    assert heatmap(bins_of([], [])) is None


def test_the_heatmap_draws_each_cell_once_in_the_shade_of_its_share() -> None:
    found = heatmap(bins_of([10] * 99 + [1000], [10] * 10 + [100] * 10))
    assert found is not None
    figure, text = drawn_with("t", lambda: heatmap_figure(found, (), 10))

    areas = {
        patch.get_label(): len(patch.get_path().vertices) // 5 for patch in figure.axes[0].patches
    }
    assert areas == {"to 2 %": 1, "to 5 %": 0, "to 12 %": 0, "to 30 %": 0, "more": 2}
    assert "more</text>" in text


def test_neighbours_of_a_shade_are_one_rectangle(tmp_path: Path) -> None:
    run = load_run(write(tmp_path, {CHECK: Traffic(9, constant(20))}))
    found = heatmap(latency_bins(run, run.endpoints))
    assert found is not None
    figure, _ = drawn_with("t", lambda: heatmap_figure(found, (), run.duration_s))

    (rectangle,) = [p for p in figure.axes[0].patches if len(p.get_path().vertices)]
    assert len(rectangle.get_path().vertices) == 5
    assert rectangle.get_path().vertices[:, 0].max() == found.share_ratio.shape[1] * found.width_s


# Distributions


def counts_of(latencies_ms: list[float]) -> Any:
    return bins_of(latencies_ms).matrix[0]


def test_the_curve_reaches_from_the_fastest_to_the_slowest() -> None:
    curve = percentile_curve("x", counts_of([float(ms) for ms in range(1, 1001)]), 1_000_000)

    assert curve is not None
    assert curve.n == 1000
    assert curve.quantiles[0] == 0
    assert curve.quantiles[-1] == pytest.approx(0.999)
    for quantile in (0.5, 0.9, 0.99, 0.999):
        assert curve.at(quantile) == pytest.approx(1000 * quantile, rel=0.0039)
    assert curve.slowest_ms == 1000
    assert curve.at(0.9999) is None  # which no request of a thousand lies beyond
    assert (np.diff(curve.latency_ms) >= 0).all()


def test_a_single_request_is_a_point_and_none_is_no_curve() -> None:
    one = percentile_curve("x", counts_of([40.0]), 40_000)

    assert one is not None
    assert one.latency_ms == pytest.approx([40], rel=0.004)
    assert percentile_curve("x", counts_of([]), 0) is None


def test_the_table_beside_the_curves_agrees_with_the_figures_of_the_endpoints(
    tmp_path: Path,
) -> None:
    def two_humps(t: int, n: int, rng: Any) -> Any:
        values = np.exp(rng.normal(4, 1, n))
        return np.append(values[1:], 9123.456) if t == 33 else values

    run = load_run(write(tmp_path, {CHECK: Traffic(40, two_humps)}))
    (curve,) = endpoint_curves(run, most=2)
    (row,) = endpoint_figures(run)

    assert (curve.at(0.5), curve.at(0.9)) == (row.figures.p50_ms, row.figures.p90_ms)
    assert curve.at(0.99) == row.figures.p99_ms
    assert curve.slowest_ms == row.figures.max_ms == 9123.456
    shown = distribution_section(run)
    assert "9123\u00a0ms</td>" in shown
    p99 = format_quantity(row.figures.p99_ms or 0, Unit.MS).replace(" ", "\u00a0")
    assert f"{p99}</td>" in shown


def test_the_axis_gives_each_nine_the_same_room() -> None:
    assert slower(np.array([0, 0.9, 0.99, 0.999])) == pytest.approx([0, 1, 2, 3])


def test_the_chart_has_a_line_for_each_endpoint_and_one_for_all(tmp_path: Path) -> None:
    run = load_run(write(tmp_path))
    curves = endpoint_curves(run, most=2)
    figure, text = drawn_with("t", lambda: percentile_figure(curves))

    assert [curve.label for curve in curves] == [CHECK, DOWNLOAD, "all requests"]
    assert [curve.n for curve in curves] == [420, 120, 600]
    for line, curve in zip(figure.axes[0].lines, curves, strict=True):
        assert line.get_ydata().tolist() == curve.latency_ms.tolist()
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) > 1
    for tick in ("50", "90", "99"):
        assert f">{tick}</text>" in text


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    quantiles, latency_ms = np.array([0, 0.5]), np.array([1.0, 2.0])
    curve = PercentileCurve("_$x$ <b>", 2, quantiles, latency_ms, np.ones(2, np.int64), 2.0)
    _, text = drawn_with("t", lambda: percentile_figure([curve]))

    assert "_$x$ &lt;b&gt; (2)</text>" in text


# Drift


def soak_run(parent: Path, last_ms: float) -> Any:
    def level(t: int, n: int, rng: Any) -> Any:
        return np.full(n, 30.0 if t < 480 else last_ms)

    meta = smoke_meta(scenario="soak", planned={"duration_s": 960.0}, end=START_S + 960.0)
    return load_run(write(parent, {CHECK: Traffic(12, level)}, duration_s=960, meta=meta))


def test_the_drift_line_joins_the_levels_that_the_drift_is_made_of(tmp_path: Path) -> None:
    run = soak_run(tmp_path, 60.0)
    drift = run_drift(run)
    line = drift_line(drift)

    assert line is not None
    assert (line.first_ms, line.last_ms) == pytest.approx((30, 60), rel=0.01)
    assert line.low_ms is not None
    assert line.high_ms is not None
    assert line.low_ms < line.last_ms < line.high_ms
    assert (line.first_s, line.last_s) == pytest.approx((90, 900), abs=10)
    limits = THRESHOLDS.rows[3].limits
    figure, text = drawn_with("t", lambda: drift_figure(drift, limits, run.duration_s))
    drawn = figure.axes[0].lines[3]
    assert drawn.get_ydata() == pytest.approx((line.first_ms, line.last_ms))
    for label in ("pass +15 %", "warning +30 %", "fail +50 %", "95 % interval"):
        assert f">{label}</text>" in text


def test_an_early_stop_has_no_upper_bound_to_draw() -> None:
    times = np.arange(24.0)
    drift = Drift(
        window_s=1,
        window_t_s=times,
        window_p99_ms=np.full(24, 10.0),
        indicative=False,
        drift_ratio=0.5,
        low_ratio=0.4,
        high_ratio=None,
        stopped_s=24.0,
    )
    line = drift_line(drift)

    assert line is not None
    assert line.high_ms is None
    _, text = drawn_with("t", lambda: drift_figure(drift, None, 24))
    assert ">99 % bound</text>" in text


def test_the_hours_that_are_laid_over_each_other_are_those_of_the_drift(tmp_path: Path) -> None:
    run = soak_run(tmp_path, 60.0)
    first, last = hour_curves(run, run_drift(run))

    assert (first.label, last.label) == ("first eighth", "last eighth")
    assert first.n == last.n == 12 * 120
    assert first.latency_ms == pytest.approx(np.full(len(first.latency_ms), 30), rel=0.004)
    assert last.latency_ms == pytest.approx(np.full(len(last.latency_ms), 60), rel=0.004)


def short(drift: Drift) -> Drift:
    return replace(drift, window_t_s=drift.window_t_s[:20], window_p99_ms=drift.window_p99_ms[:20])


def test_a_run_too_short_for_two_hours_lays_nothing_over_each_other(tmp_path: Path) -> None:
    run = soak_run(tmp_path, 60.0)

    assert hour_curves(run.between(0, 9), short(run_drift(run))) == ()


# Tiers, causes and phases


def test_the_bands_of_tiers_leave_no_latency_out() -> None:
    bands = tier_bands(LIMITS)

    assert [(band.tier, band.from_ms, band.to_ms) for band in bands] == [
        (Tier.PASS, 0, 500),
        (Tier.WARNING, 500, 2000),
        (Tier.FAIL, 2000, float("inf")),
    ]
    same = Limits(Bound(2000, ""), Bound(2000, ""), Bound(2000, ""))
    assert [band.tier for band in tier_bands(same)] == [Tier.PASS, Tier.FAIL]


def test_the_latency_chart_has_a_strip_of_tiers_for_each_percentile() -> None:
    frame = {f"{name}_ms": [10.0, 4000.0] for name in ("p50", "p95", "p99", "max")}
    series = pd.DataFrame({"t_s": [1.0, 2.0], **frame})
    limits = [("p95", LIMITS), ("p99", LIMITS), ("mean", LIMITS)]
    figure, _ = drawn_with("t", lambda: latency_figure(series, limits, (), 3))

    strips = figure.axes[0].patches
    assert len(strips) == 6
    assert [strip.get_y() for strip in strips[1:3]] == [500, 2000]
    assert len({strip.get_facecolor() for strip in strips}) == 3


def test_causes_are_stacked_without_a_gap(tmp_path: Path) -> None:
    failures = {3: {"reset": 2, "503": 1}, 9: {"reset": 1}}
    run = load_run(write(tmp_path, {CHECK: Traffic(2, failures=failures)}))
    series = cause_series(run)
    first, second = cause_bands(series)

    assert (first.label, second.label) == ("reset", "503")
    assert first.from_per_s.max() == 0
    assert second.from_per_s.tolist() == first.to_per_s.tolist()
    assert second.to_per_s.sum() * run.duration_s / len(series) == pytest.approx(4)
    figure, _ = drawn_with("t", lambda: causes_figure(series, (), run.duration_s))
    assert np.nanmax(figure.axes[0].lines[1].get_ydata()) == second.to_per_s.max()


def test_rare_failures_are_counted_by_the_bin(tmp_path: Path) -> None:
    failures = {3: {"reset": 1}, 100: {"reset": 2}, 599: {"reset": 1}}
    part = Traffic(2, failures=failures)
    run = load_run(write(tmp_path, {CHECK: part}, duration_s=601, meta=smoke_meta()))
    figure, text = drawn_with("t", lambda: causes_figure(cause_series(run), (), run.duration_s))
    drawn = figure.axes[0].lines[0].get_ydata()

    assert drawn[np.isfinite(drawn)].tolist() == [1, 2, 1]
    assert "failures in 5 s, stacked</text>" in text
    assert all(tick == int(tick) for tick in figure.axes[0].get_yticks())


def test_neighbouring_stages_of_a_phase_are_one_span_that_ends_with_the_run() -> None:
    stages = (
        Stage("a", 0, 10, 0, 5, Phase.RAMP_UP),
        Stage("b", 10, 20, 5, 5, Phase.STEADY),
        Stage("c", 20, float("inf"), 5, 5, Phase.STEADY),
        Stage("d", 90, 95, 5, 0, Phase.RAMP_DOWN),
    )

    assert phase_spans(stages, 60) == (
        PhaseSpan(Phase.RAMP_UP, 0, 10),
        PhaseSpan(Phase.STEADY, 10, 60),
    )
