"""Coordinated omission: the correction, what makes a run warn of it, and the lost load."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_runs import CHECK, REGISTER, START_S, Traffic, constant, smoke_meta, write_run

from analysis import render
from analysis.limits import Tier
from analysis.omission import corrected, run_omission
from analysis.outputs import judge_directory, report_directory, thresholds_for
from analysis.runs import load_run
from analysis.verdict import Outcome
from bench.verdicts.omission import rows
from otaload.record import Histogram, bucket_index

LENIENT = "global:\n  p95: { pass: 60 s, fail: 90 s }\n"


def paced_run(tmp_path, *, iterations=10, lost=0, slow=None, pacing_s=1.0, **options):
    """Ten requests a second of 20 ms, some `slow` ones by second, and a schedule's account."""
    slow = slow or {}

    def level_ms(t, n, rng):
        return np.concatenate((np.full(n - len(slow.get(t, ())), 20.0), slow.get(t, ())))

    meta = smoke_meta(pacing_s=pacing_s, think_s=None, exercises=[REGISTER], **options)
    path = write_run(tmp_path, {REGISTER: Traffic(10, level_ms)}, meta=meta, thresholds=LENIENT)
    lines = [json.loads(line) for line in (path / "users.jsonl").read_text().splitlines()]
    for line in lines:
        if "process" in line and iterations:
            line |= {"iterations": iterations, "late_sum_ms": 5.0, "late_max_ms": 1.5}
            line["lost"] = lost if line["second"] == START_S else 0
    (path / "users.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def naively(values_us, period_us):
    """The correction as the specification words it."""
    found = list(values_us)
    for value_us in values_us:
        rest_us = value_us - period_us
        while value_us > period_us and rest_us >= period_us:
            found.append(rest_us)
            rest_us -= period_us
    return found


@given(
    st.lists(st.integers(0, 100_000_000), min_size=1, max_size=20),
    st.integers(50_000, 5_000_000),
    st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]),
)
def test_the_correction_of_a_histogram_is_that_of_its_values(values_us, period_us, q):
    # At the middles of buckets the histogram is exact, so that both must see the same values.
    exact = [_middle(bucket_index(value_us)) for value_us in values_us]
    whole = naively(exact, period_us)
    found = corrected(Histogram.of(exact), period_us)

    assert found.n == len(whole)
    assert found.sum_us == sum(whole)
    assert (found.min_us, found.max_us) == (min(whole), max(whole))
    assert found == Histogram.of(whole)
    assert found.quantile_us(q) == Histogram.of(whole).quantile_us(q)


def _middle(index):
    low = index if index < 256 else (index - (((index >> 7) - 1) << 7)) << ((index >> 7) - 1)
    high = low if index < 256 else low + (1 << ((index >> 7) - 1)) - 1
    return (low + high) // 2


def test_the_correction_leaves_the_histogram_that_it_is_given_alone():
    raw = Histogram.of([5_000_000])
    corrected(raw, 1_000_000)

    assert raw == Histogram.of([5_000_000])


@pytest.mark.parametrize(
    ("value_us", "added"),
    [(999_999, 0), (1_000_000, 0), (1_990_000, 0), (2_010_000, 1), (10_100_000, 9)],
)
def test_a_latency_stands_for_the_requests_that_were_due_while_it_lasted(value_us, added):
    assert corrected(Histogram.of([value_us]), 1_000_000).n == 1 + added


def test_a_paced_run_that_kept_its_schedule_passes(tmp_path):
    verdict = judge_directory(paced_run(tmp_path))
    found = verdict.omission

    assert (verdict.outcome, verdict.cautions) == (Outcome.PASS, ())
    assert (found.pacing_s, found.iterations, found.lost) == (1.0, 600, 0)
    assert found.late_mean_ms == pytest.approx(0.5)
    assert found.late_max_ms == 1.5
    (row,) = found.rows
    assert (row.n, row.n_corrected, row.correction) == (600, 600, 1.0)


def test_a_stall_that_few_requests_saw_shows_up_in_the_corrected_p99_and_warns(tmp_path):
    # Three users wait 10 s each: 0.5 % of the requests, and 4.8 % of those that were due.
    path = paced_run(tmp_path, slow={30: (10_100.0,) * 3})
    verdict = report_directory(path)
    (row,) = verdict.omission.rows

    assert row.p99_ms == pytest.approx(20, rel=0.01)
    # Of 627 planned, the 7th slowest: 3 × 10.1 s, 3 × 9.1 s, and then one of 8.1 s.
    assert row.p99_corrected_ms == pytest.approx(8100, rel=0.005)
    (caution,) = verdict.cautions
    assert caution.name == "corrected p99"
    assert caution.reason == (
        f"p99 of {REGISTER}, corrected for what was not sent, is 8110 ms: "
        "more than 1.1 × the 20 ms measured"
    )
    assert (verdict.outcome, verdict.exit_code) == (Outcome.WARNING, 0)
    assert caution.reason[1:] in (path / "report.html").read_text().replace("&#x27;", "'")
    told = json.loads((path / "verdict.json").read_text())
    assert told["omission"]["endpoints"][0]["p99_corrected_ms"] == row.p99_corrected_ms
    assert told["cautions"] == [{"name": caution.name, "reason": caution.reason}]


@pytest.mark.parametrize(("lost", "warns"), [(6, False), (7, True)])
def test_more_than_a_hundredth_of_lost_iterations_warns(tmp_path, lost, warns):
    verdict = judge_directory(paced_run(tmp_path, lost=lost))

    assert verdict.omission.lost_ratio == lost / (600 + lost)
    assert (verdict.tier is Tier.WARNING) == warns
    if warns:
        assert [c.reason for c in verdict.cautions] == [
            "1.15 % of the planned iterations were lost (7 of 607), more than 1 %"
        ]


def test_tiers_judge_the_latencies_as_they_were_measured(tmp_path):
    verdict = judge_directory(paced_run(tmp_path, slow={30: (10_100.0,) * 3}))

    assert all(check.tier is Tier.PASS for check in verdict.checks)


def test_a_schedule_that_nobody_kept_account_of_is_not_green(tmp_path):
    verdict = judge_directory(paced_run(tmp_path, iterations=0))

    assert verdict.tier is Tier.WARNING
    assert verdict.cautions[0].name == "schedule"


def test_users_that_bring_a_schedule_of_their_own_warn_of_what_they_lost(tmp_path):
    verdict = report_directory(paced_run(tmp_path, lost=70, pacing_s=None))

    assert [caution.name for caution in verdict.cautions] == ["lost iterations"]
    assert verdict.omission.rows == ()


def test_a_breakpoint_run_does_not_warn_of_users_that_had_to_wait(tmp_path):
    found = {"limit_users": 10, "reason": "p95", "at_s": 50.0}
    path = paced_run(tmp_path, lost=300, scenario="breakpoint", breakpoint=found)
    verdict = judge_directory(path)

    assert verdict.omission.lost == 300
    assert (verdict.outcome, verdict.cautions) == (Outcome.PASS, ())


def test_what_several_processes_started_and_lost_adds_up(tmp_path):
    path = paced_run(tmp_path, lost=2)
    lines = [json.loads(line) for line in (path / "users.jsonl").read_text().splitlines()]
    with (path / "users.jsonl").open("a") as file:
        for line in lines:
            if "process" in line:
                file.write(json.dumps({**line, "process": "other", "late_max_ms": 7.0}) + "\n")
    found = run_omission(load_run(path))

    assert (found.iterations, found.lost, found.late_max_ms) == (1200, 4, 7.0)


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", None])
def test_an_account_that_makes_no_sense_is_damage(tmp_path, wrong):
    path = write_run(tmp_path)
    row = {"second": START_S, "process": "local", "users": 1, "cpu": 0.1, "lag_ms": 1}
    with (path / "users.jsonl").open("a") as file:
        file.write(json.dumps({**row, "iterations": wrong}) + "\n")

    assert load_run(path).damage


def stage(name, start_s, end_s, users):
    return {
        "name": name,
        "start_s": start_s,
        "end_s": end_s,
        "users_from": users,
        "users_to": users,
    }


def test_the_lost_load_is_the_time_that_users_waited_beyond_the_fastest_stage(tmp_path):
    stages = [stage("low", 0, 30, 10), stage("high", 30, 60, 10)]
    slower = Traffic(4, lambda t, n, rng: constant(100 if t < 30 else 600)(t, n, rng))
    path = write_run(
        tmp_path,
        {CHECK: slower},
        meta=smoke_meta(stages=stages, start=float(START_S), end=START_S + 60.0),
        users=lambda t: 10,
    )
    found = run_omission(load_run(path))

    # 120 requests that each took 0.5 s longer, of 600 s of users' time.
    assert found.lost_load_ratio == pytest.approx(0.1, rel=0.01)
    assert found.rows == ()
    page = render.html(load_run(path), judge_directory(path), thresholds_for(path))
    assert "Lost load: 10 % of the users&#x27; time" in page


def test_with_one_stage_the_lost_load_is_unknown(tmp_path):
    path = write_run(tmp_path, meta=smoke_meta(stages=[stage("steady", 0, 60, 10)]))

    assert run_omission(load_run(path)).lost_load_ratio is None


def test_a_run_without_requests_has_nothing_to_correct(tmp_path):
    assert run_omission(load_run(write_run(tmp_path, {}))) is None


def test_simulated_stalls_are_corrected_to_what_an_open_loop_measures():
    table = rows(runs=8, seed=2)

    assert [row.met for row in table] == [True, True]
