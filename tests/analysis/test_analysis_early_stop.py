"""Early stop: a soak ends early for a drift that is certain, and for nothing less."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from synthetic_runs import CHECK, START_S, Traffic, lognormal, smoke_meta, write_run
from test_analysis_drift import LIMITS, soak

from analysis.drift import run_drift
from analysis.early_stop import is_beyond, look, stopped_s
from analysis.judge import judge
from analysis.limits import Tier
from analysis.looks import look_times_s
from analysis.outputs import judge_directory
from analysis.run_look import look_at
from analysis.runs import load_run
from analysis.students_t import t_quantile
from analysis.thresholds import parse_thresholds
from analysis.verdict import Outcome
from otaload.errors import ConfigurationError

HOURS_8 = 8 * 3600
HOUR_S = 3600
PLANNED_S = 480.0
DRIFT_ONLY = "global:\n  p99_drift: {pass: 15 %, warning: 30 %, fail: 50 %}\n"


def looked(table, hours: float):
    return look(table, at_s=hours * HOUR_S, planned_s=HOURS_8)


def stops_at_h(table) -> float | None:
    looks = (
        (at_s, is_beyond(look(table, at_s=at_s, planned_s=HOURS_8), LIMITS))
        for at_s in look_times_s(HOURS_8)
    )
    found_s = stopped_s(looks)
    return None if found_s is None else found_s / HOUR_S


def test_an_8_hour_soak_is_looked_at_every_quarter_from_3_25_hours():
    hours = np.array(look_times_s(HOURS_8)) / HOUR_S
    assert hours[0] == 3.25
    assert hours[-1] == 7.75
    assert np.all(np.diff(hours) == 0.25)


@pytest.mark.parametrize(
    ("planned_s", "first_s", "every_s", "count"),
    [(960, 390, 30, 19), (100, 40.625, 10, 6), (59, None, None, 0)],
    ids=["scaled", "never more often than every 10 s", "too short"],
)
def test_a_rehearsal_is_looked_at_in_the_same_places(planned_s, first_s, every_s, count):
    times = look_times_s(planned_s)
    assert len(times) == count
    if count:
        assert times[0] == first_s
        assert times[1] - times[0] == every_s
        assert times[-1] < planned_s


def test_a_strong_leak_stops_the_soak_hours_before_its_end():
    stop_h = stops_at_h(soak(lambda t: 50 * (1 + t / HOURS_8 * 4)))
    assert stop_h is not None
    assert stop_h <= 4


@pytest.mark.parametrize(
    "level",
    [
        lambda t: 50,
        lambda t: 50 * (1 + 0.4 * t / HOURS_8),
        lambda t: 400 if 3.1 * HOUR_S < t < 3.5 * HOUR_S else 50,
        lambda t: 50 * (1 + 0.2 * np.sin(t / 1500)),
    ],
    ids=["level", "a drift within the limit", "an incident", "waves"],
)
def test_a_soak_is_not_stopped_for(level):
    assert stops_at_h(soak(level)) is None


def test_one_look_beyond_the_limit_does_not_stop_and_two_in_a_row_do():
    assert stopped_s([(1, True), (2, False), (3, True)]) is None
    assert stopped_s([(1, True), (2, False), (3, True), (4, True), (5, True)]) == 4


def test_a_look_before_there_are_enough_windows_says_so_and_is_not_beyond():
    drift = looked(soak(lambda t: 50 * (1 + t / 3600)), 2.5)
    assert drift.insufficient == "27 of 27 windows of 5 min usable, 30 needed"
    assert not is_beyond(drift, LIMITS)


def test_a_look_has_a_lower_bound_only():
    drift = looked(soak(lambda t: 50 * (1 + t / HOURS_8)), 5)
    assert drift.low_ratio < drift.drift_ratio
    assert drift.high_ratio is None


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.975, 0.99, 0.9999])
@pytest.mark.parametrize("df", [1, 3, 9, 14.5, 200])
def test_quantiles_of_students_t_are_those_of_scipy(p, df):
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("p", "df"), [(0, 3), (1, 3), (0.5, 0)])
def test_there_is_no_quantile_of_nothing(p, df):
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(p, df)


def leaking_run(tmp_path, *, stopped_s: float | None, planned_s: float = PLANNED_S):
    """A soak of eight minutes that was ended after 200 seconds."""
    early = {"looks": 2, "at_s": stopped_s, "drift_ratio": 1.0, "low_ratio": 0.8}
    meta = smoke_meta(
        scenario="soak",
        planned={"users_max": 10, "duration_s": planned_s},
        stages=[],
        exercises=[CHECK],
        end=START_S + 205.25,
        ended="stopped early" if stopped_s else "finished",
        early_stop=early if stopped_s else None,
    )
    traffic = {CHECK: Traffic(60, lognormal(50, 0.1, drift_an_hour=50))}
    return write_run(tmp_path, traffic, duration_s=205, meta=meta, thresholds=DRIFT_ONLY)


def test_a_run_that_was_stopped_early_fails_and_says_when_and_by_how_much(tmp_path):
    verdict = judge_directory(leaking_run(tmp_path, stopped_s=200.0))
    assert verdict.outcome is Outcome.FAIL
    (check,) = verdict.checks
    assert check.reason.startswith("stopped early at 3 min 20 s: the drift is above 50 % (+")
    assert ", at least +" in check.reason
    assert check.low > 0.5
    assert check.high is None
    assert check.reason in verdict.headline


def test_the_same_run_without_the_look_only_ended_too_early(tmp_path):
    verdict = judge_directory(leaking_run(tmp_path, stopped_s=None))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the run ended early" in verdict.headline


@pytest.mark.parametrize(("passes", "fails"), [(900, 1000), (50, 1000)])
def test_a_run_that_was_stopped_early_never_passes_by_other_limits(tmp_path, passes, fails):
    run = load_run(leaking_run(tmp_path, stopped_s=200.0))
    limits = parse_thresholds(f"global:\n  p99_drift: {{pass: {passes} %, fail: {fails} %}}\n")
    verdict = judge(run, limits)
    assert verdict.tier is Tier.WARNING
    assert not verdict.checks[0].proven
    assert verdict.checks[0].reason.startswith("stopped early at 3 min 20 s; ")


def test_a_look_at_a_run_is_what_the_judge_sees_of_it(tmp_path):
    path = leaking_run(tmp_path, stopped_s=200.0)
    found = look_at(path, at_s=200.0)
    drift = run_drift(load_run(path))
    assert (found["drift_ratio"], found["low_ratio"]) == (drift.drift_ratio, drift.low_ratio)
    assert found["beyond"] is True
    assert json.loads(json.dumps(found)) == found


def test_a_look_needs_a_limit_a_planned_end_and_a_time(tmp_path):
    path = leaking_run(tmp_path, stopped_s=None)
    with pytest.raises(ConfigurationError, match="--at: inf is not a time"):
        look_at(path, at_s=float("inf"))
    meta = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**meta, "planned": {}}))
    with pytest.raises(ConfigurationError, match="no planned end"):
        look_at(path)
    (path / "thresholds.yaml").write_text("global:\n  p95: {pass: 1 s, fail: 2 s}\n")
    with pytest.raises(ConfigurationError, match=r"no global\.p99_drift"):
        look_at(path)
