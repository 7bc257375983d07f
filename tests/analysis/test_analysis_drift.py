"""p99 drift on soaks with a known drift and with none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic_runs import START_S, smoke_meta

from analysis.drift import Drift, drift_check, estimate_drift, steady_end_s
from analysis.drift_course import drift_told, since_s
from analysis.judge import judge
from analysis.limits import DRIFT, Tier
from analysis.measured import Endpoint
from analysis.meta import Stage
from analysis.runs import load_run
from analysis.thresholds import parse_thresholds
from analysis.windows import WindowTable
from otaload.record import RunDirectory, Window, WindowKey, bucket_index

HOURS_8 = 8 * 3600
LIMITS = parse_thresholds(
    "global:\n  p99_drift: {pass: 15 %, warning: 30 %, fail: 50 %}\n"
).limits_of(None, DRIFT)


def soak(level, *, duration_s=HOURS_8, per_minute=300, seed=1, sigma=0.3) -> WindowTable:
    """Lognormal latencies around `level(t_s)` ms, a row a minute."""
    rng = np.random.default_rng(seed)
    indices, counts, lengths = [], [], []
    times = np.arange(0, duration_s, 60)
    for t in times:
        values = level(t) * np.exp(sigma * rng.standard_normal(per_minute)) * 1000
        cells, n = np.unique([bucket_index(int(v)) for v in values], return_counts=True)
        indices.append(cells)
        counts.append(n)
        lengths.append(len(cells))
    zeros = np.zeros(len(times), np.int64)
    columns = dict.fromkeys(
        ("endpoint", "failures", "bytes_in", "retries", "sum_us", "min_us", "max_us"), zeros
    )
    return WindowTable(
        endpoints=(Endpoint("GET", "/x"),),
        t_s=times,
        successes=zeros + per_minute,
        offsets=np.concatenate(([0], np.cumsum(lengths))),
        index=np.concatenate(indices),
        count=np.concatenate(counts),
        **columns,
    )


def drift_of(table, duration_s=HOURS_8, planned_s=HOURS_8) -> Drift:
    return estimate_drift(table, end_s=duration_s, planned_s=planned_s)


def test_a_level_soak_has_no_drift_and_passes():
    drift = drift_of(soak(lambda t: 50))
    assert abs(drift.drift_ratio) < 0.03
    assert drift.low_ratio < 0 < drift.high_ratio
    check = drift_check(LIMITS, drift, 1)
    assert (check.tier, check.proven) == (Tier.PASS, True)


@pytest.mark.parametrize(("rise", "tier"), [(0.25, Tier.WARNING), (0.8, Tier.FAIL)])
def test_a_leak_is_measured_between_the_middles_of_its_end_hours(rise, tier):
    first_s, last_s = 900 + 1800, HOURS_8 - 1800
    drift = drift_of(soak(lambda t: 50 * (1 + rise * (t - first_s) / (last_s - first_s))))
    assert drift.drift_ratio == pytest.approx(rise, abs=0.03)
    assert drift.slope_ratio == pytest.approx(rise, abs=0.08)
    assert drift.low_ratio < rise < drift.high_ratio
    assert drift.trend_p < 0.001
    assert drift_check(LIMITS, drift, 1).tier is tier


def test_a_leak_that_fails_is_told_from_what_to_what_and_since_when():
    # 50 ms in the middle of the first hour, which is at 45 min, and twice that in the last.
    first_s, last_s = 900 + 1800, HOURS_8 - 1800
    drift = drift_of(soak(lambda t: 50 * (1 + (t - first_s) / (last_s - first_s)), sigma=0.01))
    check = drift_check(LIMITS, drift, 1)
    above_s = since_s(drift, 0.5)

    assert above_s == pytest.approx((first_s + last_s) / 2, abs=300)
    assert drift_told(check, drift) == (
        "the p99 level of all requests went from 51.2 ms in the first hour to 102 ms in the last; "
        "it stayed above +50 % from about 4 h 15 min on"
    )
    assert since_s(drift, 1.5) is None  # which the drift never reached


def test_a_wave_that_ebbed_away_is_not_since_when():
    def level(t):
        return 100 if 2 * 3600 < t < 4 * 3600 or t > 6 * 3600 else 50

    assert since_s(drift_of(soak(level)), 0.5) == pytest.approx(6 * 3600, abs=600)


def test_a_drift_that_passes_or_has_no_estimate_is_not_told():
    sound = drift_of(soak(lambda t: 50))
    short = drift_of(soak(lambda t: 50, duration_s=3 * 3600), duration_s=3 * 3600)

    for drift in (sound, short):
        assert drift_told(drift_check(LIMITS, drift, 1), drift) == ""


def test_an_incident_in_the_last_hour_is_no_drift():
    drift = drift_of(soak(lambda t: 500 if HOURS_8 - 1500 < t < HOURS_8 - 600 else 50))
    assert abs(drift.drift_ratio) < 0.05


def test_a_slow_start_is_no_drift():
    drift = drift_of(soak(lambda t: 50 + 200 * math.exp(-t / 200)))
    assert abs(drift.drift_ratio) < 0.05


def test_a_step_is_found_where_it_is():
    drift = drift_of(soak(lambda t: 50 if t < 14_400 else 75))
    assert drift.step_at_s == pytest.approx(14_400, abs=300)
    assert drift.step_ratio == pytest.approx(0.5, abs=0.05)


def test_levels_and_line_that_disagree_are_flagged():
    drift = drift_of(soak(lambda t: 50 if t < HOURS_8 - 4000 else 90))
    assert "differ by more than 10 points" in drift.disagreement


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        (3, "33 of 33 windows of 5 min usable, 72 needed"),
        (6.1, "70 of 70 windows of 5 min usable, 72 needed"),
    ],
)
def test_an_8_hour_soak_cut_short_has_insufficient_data_and_never_passes(hours, reason):
    drift = drift_of(soak(lambda t: 50, duration_s=int(hours * 3600)), int(hours * 3600))
    assert drift.insufficient == reason
    check = drift_check(LIMITS, drift, 1)
    assert check.tier is Tier.WARNING
    assert check.reason == f"insufficient data: {reason}"


def test_six_and_a_half_hours_are_enough():
    assert drift_of(soak(lambda t: 50, duration_s=23_400), 23_400).drift_ratio is not None


def test_windows_with_too_few_requests_are_not_used():
    drift = drift_of(soak(lambda t: 50, per_minute=100))
    assert drift.insufficient == "0 of 93 windows of 5 min usable, 72 needed"


def test_a_shorter_soak_uses_scaled_windows_and_is_indicative():
    duration_s = 96 * 60
    drift = drift_of(soak(lambda t: 50, duration_s=duration_s), duration_s, duration_s)
    assert (drift.window_s, drift.indicative) == (60, True)
    check = drift_check(LIMITS, drift, 1)
    assert (check.tier, check.proven, check.indicative) == (Tier.PASS, False, True)
    assert check.proof == "indicative only: the run is shorter than 6.25 h"


@pytest.mark.parametrize(
    ("low", "indicative", "informational"),
    [(-0.05, True, True), (0.16, True, False), (-0.05, False, False)],
)
def test_a_drift_that_may_be_none_decides_no_short_run(low, indicative, informational):
    drift = Drift(
        window_s=60,
        window_t_s=np.zeros(0),
        window_p99_ms=np.zeros(0),
        indicative=indicative,
        drift_ratio=0.2,
        low_ratio=low,
        high_ratio=0.6,
    )
    check = drift_check(LIMITS, drift, 1)
    assert (check.tier, check.informational) == (Tier.WARNING, informational)
    assert ("its drift may be as low as -5 %" in check.proof) is informational


def test_a_soak_of_no_length_is_insufficient():
    drift = drift_of(soak(lambda t: 50, duration_s=60), 60, 60)
    assert drift.insufficient


def test_a_final_ramp_down_is_not_part_of_the_last_hour():
    hold, down = Stage("hold", 0, 900, 100, 100), Stage("down", 900, 1000, 100, 0)
    assert steady_end_s((hold, down), 1000) == 900
    assert steady_end_s((hold,), 1000) == 1000
    assert steady_end_s((), 1000) == 1000


@pytest.mark.parametrize(("scenario", "judged"), [("soak", True), ("load", False)])
def test_only_a_soak_is_judged_by_its_drift(tmp_path, scenario, judged):
    window = Window()
    window.successes.record(5000)
    with RunDirectory.create(
        tmp_path, scenario=scenario, start_s=START_S, meta=smoke_meta(scenario=scenario)
    ) as raw:
        raw.append_windows([(WindowKey(START_S, "GET", "/x"), window)])
    thresholds = parse_thresholds(
        "global:\n  p99_drift: {pass: 15 %, fail: 50 %}\n  p50: {pass: 1 s, fail: 2 s}\n"
    )
    verdict = judge(load_run(raw.path), thresholds)
    assert ("p99_drift" in {check.metric.name for check in verdict.checks}) is judged


def test_soaks_without_drift_are_rarely_called_and_intervals_cover_the_truth():
    """A small version of the acceptance table: waves, a wandering level and incidents."""
    rng = np.random.default_rng(11)
    called = covered = 0
    for _ in range(60):
        t = 900 + 300 * (np.arange(93) + 0.5)
        y = math.log(100) + 0.03 * rng.standard_normal(93)
        y += 0.04 * np.sin(2 * np.pi * t / 5400 + rng.uniform(0, 6))
        for start in rng.integers(0, 93, 2):
            y[start : start + 2] += 0.8
        drift = _from_levels(t, np.exp(y))
        called += drift.drift_ratio >= 0.15
        covered += drift.low_ratio <= 0 <= drift.high_ratio
    assert called <= 1
    assert covered >= 54


def _from_levels(times, p99_ms) -> Drift:
    """The drift of a soak whose windows have these p99: a thousand equal requests in each."""
    n = len(times)
    zeros = np.zeros(n, np.int64)
    columns = dict.fromkeys(
        ("endpoint", "failures", "bytes_in", "retries", "sum_us", "min_us", "max_us"), zeros
    )
    table = WindowTable(
        endpoints=(Endpoint("GET", "/x"),),
        t_s=times.astype(np.int64),
        successes=zeros + 1000,
        offsets=np.arange(n + 1),
        index=np.array([bucket_index(int(ms * 1000)) for ms in p99_ms]),
        count=zeros + 1000,
        **columns,
    )
    return drift_of(table)
