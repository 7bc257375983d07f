"""Verdicts on runs with known answers, and the exit codes that follow."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from synthetic_runs import (
    CHECK,
    DOWNLOAD,
    PROJECT,
    REGISTER,
    START_S,
    Traffic,
    constant,
    lognormal,
    normal_traffic,
    smoke_meta,
    window_of,
    write_run,
)

from analysis.checks import threshold_checks
from analysis.judge import judge
from analysis.limits import Tier
from analysis.measured import Totals
from analysis.outputs import judge_directory
from analysis.runs import load_run
from analysis.thresholds import load_thresholds, parse_thresholds
from analysis.verdict import Outcome
from otaload.record import WindowKey

THRESHOLDS = load_thresholds(PROJECT / "thresholds.yaml")


def check_of(verdict, endpoint, metric):
    return next(c for c in verdict.checks if (c.endpoint, c.metric.name) == (endpoint, metric))


def p95_of_checks(tmp_path, ms):
    """The check on a p95 that is exactly `ms`, by limits of 500, 1500 and 2000 ms."""
    path = write_run(tmp_path, {**normal_traffic(), CHECK: Traffic(7, constant(ms))})
    return check_of(judge_directory(path), CHECK, "p95")


def test_a_fast_run_passes_and_says_what_it_does_not_prove(tmp_path):
    verdict = judge_directory(write_run(tmp_path))
    assert (verdict.outcome, verdict.exit_code) == (Outcome.PASS, 0)
    assert verdict.headline == (
        "Passed: all 9 checks pass over 600 requests with no failures; 3 of them are unproven."
    )
    errors = check_of(verdict, "all requests", "error_rate")
    assert errors.proof == "unproven: 600 requests, 0 failures; 29,956 needed"
    assert errors.n_needed == 29_956
    assert not errors.proven


@pytest.mark.parametrize(
    ("ms", "tier", "gap"),
    [
        (499.9, Tier.PASS, False),
        (500, Tier.WARNING, False),
        (1499, Tier.WARNING, False),
        (1500, Tier.WARNING, True),
        (1700, Tier.WARNING, True),
        (2000, Tier.WARNING, True),
        (2001, Tier.FAIL, False),
    ],
)
def test_each_tier_is_reached_at_its_boundary(tmp_path, ms, tier, gap):
    check = p95_of_checks(tmp_path, ms)
    assert check.value == ms  # a constant latency is its own exact minimum and maximum
    assert (check.tier, check.gap) == (tier, gap)


def test_a_value_in_the_gap_says_that_it_is_above_the_warning_limit(tmp_path):
    assert p95_of_checks(tmp_path, 1700).reason == (
        "in the gap: above the warning limit of 1500 ms, not above the fail limit of 2000 ms"
    )


def test_a_warning_exits_with_0_or_with_90_when_asked_to_fail(tmp_path):
    path = write_run(tmp_path, {**normal_traffic(), CHECK: Traffic(7, constant(600))})
    verdict = judge_directory(path)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.WARNING, 0)
    assert judge_directory(path, fail_on_warning=True).exit_code == 90
    assert verdict.headline == (
        "Warning: p95 of /updates/check is 600 ms: not below the pass limit of 500 ms."
    )


def test_a_failed_threshold_exits_with_99_and_is_listed_first(tmp_path):
    path = write_run(tmp_path, {**normal_traffic(), CHECK: Traffic(7, constant(2500))})
    verdict = judge_directory(path)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.FAIL, 99)
    ranks = [check.tier.rank for check in verdict.checks]
    assert ranks == sorted(ranks, reverse=True)
    assert verdict.headline.startswith(
        "Failed: p95 of /updates/check is 2500 ms: above the fail limit of 2000 ms; 1 more"
    )


def test_fast_failures_do_not_improve_p95(tmp_path):
    slow = {**normal_traffic(), CHECK: Traffic(10, constant(2500))}
    failing = {**normal_traffic(), CHECK: Traffic(100, constant(2500), error_ratio=0.9)}
    for traffic in (slow, failing):
        verdict = judge_directory(write_run(tmp_path, traffic))
        assert check_of(verdict, CHECK, "p95").value == 2500


@pytest.mark.parametrize(
    ("failures", "tier"), [(0, Tier.PASS), (1, Tier.WARNING), (10, Tier.WARNING), (51, Tier.FAIL)]
)
def test_the_error_rate_counts_failures_among_all_requests(tmp_path, failures, tier):
    traffic = normal_traffic()
    part = Traffic(160, constant(20), failures={5: {"status 503": failures}} if failures else None)
    verdict = judge_directory(write_run(tmp_path, {**traffic, CHECK: part}))
    check = check_of(verdict, "all requests", "error_rate")
    assert check.value == failures / (60 * 163 + failures)
    assert check.tier is tier


def test_an_endpoint_without_traffic_fails_and_names_what_was_recorded(tmp_path):
    traffic = normal_traffic()
    traffic["/update/check"] = traffic.pop(CHECK)
    verdict = judge_directory(write_run(tmp_path, traffic))
    assert verdict.exit_code == 99
    assert check_of(verdict, CHECK, "p95").reason == (
        "no traffic; recorded endpoints: /bundles/download, /devices/register, /update/check; "
        "did you mean /update/check?"
    )


def test_an_endpoint_that_the_scenario_does_not_exercise_is_left_out_with_a_note(tmp_path):
    traffic = normal_traffic()
    del traffic[DOWNLOAD]
    path = write_run(tmp_path, traffic, meta=smoke_meta(exercises=[CHECK, REGISTER]))
    verdict = judge_directory(path)
    assert verdict.exit_code == 0
    assert DOWNLOAD not in {check.endpoint for check in verdict.checks}
    assert verdict.notes == (
        "the thresholds for /bundles/download do not apply: this scenario does not exercise it",
    )


def test_an_unexercised_endpoint_that_did_get_traffic_is_judged(tmp_path):
    path = write_run(tmp_path, meta=smoke_meta(exercises=[CHECK]))
    assert len(judge_directory(path).checks) == 9


def test_a_foreign_locustfile_without_an_endpoint_fails(tmp_path):
    traffic = {CHECK: Traffic(5)}
    verdict = judge_directory(write_run(tmp_path, traffic, meta=smoke_meta(exercises=None)))
    assert check_of(verdict, DOWNLOAD, "p95").tier is Tier.FAIL


def test_a_run_without_any_request_fails(tmp_path):
    verdict = judge_directory(write_run(tmp_path, {}))
    assert (verdict.outcome, verdict.exit_code) == (Outcome.FAIL, 99)
    assert verdict.headline == "Failed: not one request was recorded."


def test_an_endpoint_with_only_failures_has_no_latency_and_fails(tmp_path):
    traffic = {**normal_traffic(), CHECK: Traffic(5, error_ratio=1.0)}
    check = check_of(judge_directory(write_run(tmp_path, traffic)), CHECK, "p95")
    assert check.tier is Tier.FAIL
    assert check.reason == (
        "no successful request among 300 (all /updates/check: status 503, expected 200), "
        "so there is no latency"
    )


UNAUTHORISED = {t: {"status 401": 1} for t in range(1, 14)}


def test_a_failed_error_rate_names_the_leading_cause_and_where_it_is(tmp_path):
    traffic = {**normal_traffic(), DOWNLOAD: Traffic(2, failures=UNAUTHORISED)}
    traffic[CHECK] = Traffic(7, failures={5: {"reset": 2}})
    verdict = judge_directory(write_run(tmp_path, traffic))
    assert verdict.headline == (
        "Failed: error_rate of all requests is 2.44 %: above the fail limit of 0.5 %, "
        "mostly /bundles/download: status 401."
    )
    assert [(c.endpoint, c.cause, c.count, c.first_s, c.last_s) for c in verdict.causes] == [
        (DOWNLOAD, "status 401", 13, 1, 13),
        (CHECK, "reset", 2, 5, 5),
    ]


def test_a_cause_of_less_than_half_of_the_failures_is_not_called_most(tmp_path):
    failures = {t: {f"cause {t % 3}": 2} for t in range(9)} | {9: {"cause 1": 1}}
    verdict = judge_directory(write_run(tmp_path, {CHECK: Traffic(7, failures=failures)}))
    reason = check_of(verdict, "all requests", "error_rate").reason
    assert reason.endswith(", most often /updates/check: cause 1")


def test_live_totals_name_the_leading_cause_too():
    window = window_of([5], {"reset": 2, "status 503": 3})
    checks, _ = threshold_checks(Totals([(WindowKey(START_S, "GET", "/x"), window)]), THRESHOLDS)
    check = next(c for c in checks if c.metric.name == "error_rate")
    assert check.reason == "above the fail limit of 0.5 %, mostly /x: status 503"


def test_a_bare_name_merges_methods_and_a_method_tells_them_apart(tmp_path):
    text = (
        "global:\n  p50: {pass: 1 s, fail: 2 s}\nendpoints:\n"
        "  /x: {p50: {pass: 1 s}}\n  GET /x: {p50: {pass: 1 s}}\n"
    )
    totals = Totals(
        (WindowKey(START_S, method, "/x"), window_of([ms] * n, {}))
        for method, ms, n in (("GET", 10, 3), ("POST", 30, 5))
    )
    checks, _ = threshold_checks(totals, parse_thresholds(text))
    assert [(c.endpoint, c.value, c.n) for c in checks] == [
        ("all requests", 30, 8),
        ("/x", 30, 8),
        ("GET /x", 10, 3),
    ]


def test_maximum_and_mean_are_exact(tmp_path):
    text = "global:\n  max: {pass: 1 s, fail: 2 s}\n  mean: {pass: 1 s, fail: 2 s}\n"
    totals = Totals([(WindowKey(START_S, "GET", "/x"), window_of([1.234, 5.678], {}))])
    checks, _ = threshold_checks(totals, parse_thresholds(text))
    assert [check.value for check in checks] == [5.678, 3.456]
    assert not any(check.proven for check in checks)


def test_live_totals_and_a_loaded_run_give_the_same_checks(tmp_path):
    run = load_run(write_run(tmp_path))
    loaded, _ = threshold_checks(run, THRESHOLDS)
    totals = Totals()
    for endpoint in run.endpoints:
        measured = run.measured([endpoint])
        window = window_of([], {})
        window.successes = measured.successes
        totals.add([(WindowKey(START_S, *endpoint), window)])
    live, _ = threshold_checks(totals, THRESHOLDS)
    assert [(c.value, c.tier, c.n) for c in live] == [(c.value, c.tier, c.n) for c in loaded]


# What keeps a run from being judged


def outcome_of(tmp_path, *, partial=False, traffic=None, health=lambda t: (0.2, 1.5), **meta):
    path = write_run(tmp_path, traffic, meta=smoke_meta(**meta), health=health)
    verdict = judge_directory(path, partial=partial)
    return verdict.outcome, verdict.exit_code


FAILING = {**normal_traffic(), CHECK: Traffic(7, constant(2500))}
CRASH = {"crashes": {"count": 2, "first": "Traceback …\nValueError: no token"}}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({}, (Outcome.FAIL, 99)),
        ({"complete": False}, (Outcome.INCONCLUSIVE, 91)),
        ({"interrupted": "SIGTERM", "complete": False}, (Outcome.INTERRUPTED, 105)),
        ({"interrupted": "SIGINT", "ended": "interrupted"}, (Outcome.INTERRUPTED, 105)),
        ({"ended": "interrupted"}, (Outcome.INTERRUPTED, 105)),
        ({**CRASH, "interrupted": "SIGTERM", "complete": False}, (Outcome.CRASHED, 107)),
        ({**CRASH, "ended": "refused"}, (Outcome.REFUSED, 92)),
        ({"ended": "refused", "interrupted": "refused"}, (Outcome.REFUSED, 92)),
    ],
)
def test_a_refusal_precedes_a_crash_precedes_an_interruption_precedes_doubt_precedes_a_failure(
    tmp_path, meta, expected
):
    assert outcome_of(tmp_path, traffic=FAILING, **meta) == expected


def test_the_headline_says_all_that_applies(tmp_path):
    meta = smoke_meta(**CRASH, interrupted="SIGTERM", complete=False)
    verdict = judge_directory(write_run(tmp_path, FAILING, meta=meta))
    assert verdict.headline == (
        "Crashed: the test code raised 2 times (first: ValueError: no token); "
        "interrupted by SIGTERM after 1 min; inconclusive: the run is incomplete: "
        "it was never closed, or is still going on; judge what there is with --partial; "
        "so far: p95 of /updates/check is 2500 ms: above the fail limit of 2000 ms; "
        "1 more check fails."
    )
    assert len(verdict.checks) == 9


@pytest.mark.parametrize(
    ("traffic", "expected"), [(None, (Outcome.PASS, 0)), (FAILING, (Outcome.FAIL, 99))]
)
def test_a_partial_judgement_goes_by_what_there_is(tmp_path, traffic, expected):
    meta = {"complete": False, "interrupted": "SIGTERM", "end": None}
    assert outcome_of(tmp_path, partial=True, traffic=traffic, **meta) == expected


def test_what_was_raised_is_said_though_its_message_has_many_lines(tmp_path):
    first = "Traceback (most recent call last):\n  File …\nValueError: no token\nin:\n{}\n"
    meta = smoke_meta(crashes={"count": 1, "first": first})
    verdict = judge_directory(write_run(tmp_path, meta=meta))
    assert verdict.reasons[0] == "the test code raised once (first: ValueError: no token)"


def test_a_partial_judgement_is_marked(tmp_path):
    path = write_run(tmp_path, meta=smoke_meta(complete=False))
    verdict = judge_directory(path, partial=True)
    assert verdict.partial
    assert verdict.headline.startswith("Passed (partial): ")
    assert not judge_directory(write_run(tmp_path), partial=True).partial


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        ({"id": "a", "index": 0, "lost": True}, "worker 0 was lost"),
        ({"id": "a", "index": 0, "reports": 9, "gaps": 1}, "worker 0: 1 of its reports is missing"),
        (
            {"id": "a", "index": 1, "reports": 3, "lost": True, "left_early": True},
            "worker 1 left before the run was over",
        ),
        ({"id": "a", "index": 2, "reports": 0, "lost": True}, "worker 2 never reported"),
        (
            {"id": "a", "index": 0, "reports": 9, "lost": True, "last_s": 12.4, "away_s": 9},
            "worker 0 was lost: its last report came 12 s after the start",
        ),
        (
            {"id": "a", "index": 0, "reports": 9, "away_s": 8},
            "worker 0 was out of touch for 8 s, so the load was not as planned",
        ),
        (
            {"id": "a", "index": 0, "reports": 9, "repeats": 2},
            "worker 0: 2 of its reports came twice",
        ),
        (
            {"id": "a", "index": 0, "reports": 9, "version": "0.0.9"},
            "worker 0 runs otaload 0.0.9, the master 0.1.0",
        ),
        ({"id": "a", "index": 0, "users_max": 5}, "the health of worker 0 was not recorded"),
    ],
)
def test_a_worker_that_did_not_report_everything_makes_a_run_inconclusive(tmp_path, worker, reason):
    verdict = judge_directory(write_run(tmp_path, meta=smoke_meta(workers=[worker])))
    assert verdict.exit_code == 91
    assert verdict.reasons == (reason,)


@pytest.mark.parametrize(
    ("lasted_s", "ended", "expected"),
    [
        (57.1, "finished", 0),
        (56.9, "finished", 91),
        (30.0, "finished", 91),
        (30.0, "limit found", 0),
        (30.0, "interrupted", 105),
    ],
)
def test_a_run_that_ended_clearly_before_its_plan_is_inconclusive(
    tmp_path, lasted_s, ended, expected
):
    meta = smoke_meta(end=START_S + 0.25 + lasted_s, ended=ended)
    verdict = judge_directory(write_run(tmp_path, meta=meta, duration_s=int(lasted_s)))
    assert verdict.exit_code == expected


def test_a_short_run_may_lack_two_seconds(tmp_path):
    planned = {"users_max": 10, "duration_s": 5.0}
    for end_s, expected in ((3.1, 0), (2.9, 91)):
        meta = smoke_meta(end=START_S + 0.25 + end_s, planned=planned)
        path = write_run(tmp_path, meta=meta, duration_s=3, users=lambda t: 10)
        assert judge_directory(path).exit_code == expected


def test_an_early_end_says_how_early(tmp_path):
    meta = smoke_meta(end=START_S + 30.25)
    verdict = judge_directory(write_run(tmp_path, meta=meta, duration_s=30))
    assert verdict.reasons == ("the run ended early: after 30 s of the planned 1 min",)


@pytest.mark.parametrize(
    ("meta", "headline"),
    [
        ({"interrupted": "the test code"}, "Interrupted: by the test code after 1 min; so far:"),
        ({"interrupted": "SIGKILL", "ended": "abandoned"}, "Interrupted: by SIGKILL after 1 min"),
    ],
)
def test_who_ended_a_run_is_said(tmp_path, meta, headline):
    verdict = judge_directory(write_run(tmp_path, meta=smoke_meta(**meta)))
    assert verdict.headline.startswith(headline)
    assert verdict.exit_code == 105


LED_ASTRAY = "an answer of the service leads to h:1, which is production; smoke was ended"


@pytest.mark.parametrize(
    ("meta", "headline"),
    [
        ({"interrupted": "refused", "refusal": LED_ASTRAY}, f"Refused after 1 min: {LED_ASTRAY}; "),
        ({"interrupted": LED_ASTRAY}, f"Refused after 1 min: {LED_ASTRAY}; so far: "),
        ({"interrupted": "refused"}, "Refused after 1 min; so far: "),
        (
            {"refusal": "no", "rehearsal": {"time_scale": 0.1, "user_scale": 1}},
            "Refused (rehearsal) after 1 min: no; so far: ",
        ),
    ],
)
def test_a_refused_run_says_why_and_is_never_judged_by_what_there_is(tmp_path, meta, headline):
    path = write_run(tmp_path, meta=smoke_meta(ended="refused", **meta))
    for partial in (False, True):
        verdict = judge_directory(path, partial=partial)
        assert (verdict.outcome, verdict.exit_code) == (Outcome.REFUSED, 92)
    verdict = judge_directory(path)
    assert verdict.headline.startswith(headline)
    assert verdict.reasons[0].startswith("refused after 1 min")


def test_a_run_that_never_started_says_so(tmp_path):
    meta = smoke_meta(ended="never started", complete=False, end=None)
    verdict = judge_directory(write_run(tmp_path, {}, meta=meta, health=None))
    assert verdict.exit_code == 91
    assert verdict.reasons == ("the run never started", "not one request was recorded")


def test_a_run_that_never_reached_its_load_is_inconclusive(tmp_path):
    path = write_run(tmp_path, users=lambda t: 4)
    verdict = judge_directory(path)
    assert verdict.reasons == ("the load was not reached: 4 of 10 planned users",)
    assert verdict.exit_code == 91


def test_a_rehearsal_and_active_faults_are_marked(tmp_path):
    meta = smoke_meta(rehearsal={"time_scale": 0.1, "user_scale": 0.05}, faults=["error p=0.01"])
    verdict = judge_directory(write_run(tmp_path, meta=meta))
    assert verdict.headline.startswith("Passed (rehearsal): ")
    assert verdict.rehearsal == "time × 0.1, users × 0.05"
    assert verdict.caveats == (
        "a rehearsal (time × 0.1, users × 0.05): its figures are not those of the real run",
        "fault active in the service: error p=0.01",
    )


def test_thresholds_that_apply_to_nothing_are_not_a_pass(tmp_path):
    text = "endpoints:\n  /other:\n    p95: {pass: 1 s, fail: 2 s}\n"
    verdict = judge_directory(write_run(tmp_path, thresholds=text))
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCONCLUSIVE, 91)


# The generator's own health


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ([], 0),
        ([30], 0),  # 1 of 60 seconds is above 1 %, but a single one proves nothing
        ([10, 30], 0),
        ([10, 30, 50], 91),
        (list(range(20, 30)), 91),
    ],
)
@pytest.mark.parametrize("sick", [(0.2, 50.1), (0.91, 1.0)])
def test_three_bad_seconds_that_are_more_than_a_hundredth_make_a_minute_inconclusive(
    tmp_path, bad, expected, sick
):
    path = write_run(tmp_path, health=lambda t: sick if t in bad else (0.9, 50.0))
    assert judge_directory(path).exit_code == expected


def test_in_a_long_run_ten_bad_seconds_in_a_row_are_needed_or_a_hundredth(tmp_path):
    def exit_code(bad):
        path = write_run(
            tmp_path,
            {CHECK: Traffic(0.1)},
            duration_s=3000,
            thresholds="global:\n  p50: {pass: 1 s, fail: 2 s}\n",
            health=lambda t: (0.2, 80.0 if t in bad else 1.0),
            meta=smoke_meta(end=START_S + 3000.0),
        )
        return judge_directory(path).exit_code

    assert exit_code(set(range(100, 109))) == 0
    assert exit_code(set(range(100, 110))) == 91
    assert exit_code(set(range(0, 3000, 100))) == 0
    assert exit_code(set(range(0, 3000, 97))) == 91


def test_one_stall_of_twelve_seconds_is_twelve_bad_seconds(tmp_path):
    path = write_run(tmp_path, health=lambda t: (0.1, 11_500.0 if t == 40 else 1.0))
    verdict = judge_directory(path)
    assert verdict.reasons == (
        "the generator was saturated for 12 seconds in a row "
        "(timer up to 11500 ms late, up to 10 % of a core)",
    )


def test_a_busy_master_does_not_spoil_what_workers_measured(tmp_path):
    path = write_run(tmp_path, processes=("w",))
    with (path / "users.jsonl").open("a") as file:
        for t in range(60):
            file.write(
                f'{{"second":{START_S + t},"process":"master","users":0,"cpu":1.0,"lag_ms":400}}\n'
            )
    assert judge_directory(path).exit_code == 0


@pytest.mark.parametrize(
    ("stalled_at", "expected"), [((20,), 0), ((20, 30, 40), 91)], ids=["once", "three times"]
)
def test_a_master_that_stands_still_does_not_play_its_profile(tmp_path, stalled_at, expected):
    path = write_run(tmp_path, processes=("w",))
    with (path / "users.jsonl").open("a") as file:
        for t in range(60):
            lag_ms = 1200 if t in stalled_at else 400
            file.write(
                f'{{"second":{START_S + t},"process":"master","users":0,"cpu":1.0,'
                f'"lag_ms":{lag_ms}}}\n'
            )
    verdict = judge_directory(path)
    assert verdict.exit_code == expected
    assert all("the master was saturated in" in reason for reason in verdict.reasons)


def without_rows(path, seconds):
    """Take the rows of health of some seconds out of a run."""
    users = path / "users.jsonl"
    lines = users.read_text().splitlines(keepends=True)
    gone = {START_S + second for second in seconds}
    kept = [line for line in lines if '"process"' not in line or not said(line) & gone]
    assert len(kept) < len(lines)
    users.write_text("".join(kept))


def said(line):
    """The second of a line."""
    return {json.loads(line)["second"]}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (range(20, 22), 0),
        (range(20, 30), 91),
        (range(50, 60), 91),
        ((20, 30, 40), 91),
    ],
    ids=["two", "ten", "the last ten", "three here and there"],
)
def test_seconds_of_which_nothing_is_known_are_bad_ones(tmp_path, seconds, expected):
    path = write_run(tmp_path)
    without_rows(path, seconds)
    verdict = judge_directory(path)
    assert verdict.exit_code == expected
    assert all("no word of it in" in reason for reason in verdict.reasons)


def test_seconds_that_a_timer_slept_through_within_its_limit_are_known(tmp_path):
    path = write_run(
        tmp_path,
        health=lambda t: (0.1, 4_200.0 if t == 20 else 1.0),
        thresholds="global:\n  p95: {pass: 2 s, fail: 4 s}\ngenerator: {lag: 10 s}\n",
    )
    without_rows(path, range(21, 25))
    assert judge_directory(path).exit_code == 0


def test_one_saturated_worker_of_two_makes_a_run_inconclusive(tmp_path):
    workers = [{"id": "h_1", "index": 0, "users_max": 5}, {"id": "h_2", "index": 1, "users_max": 5}]
    path = write_run(tmp_path, processes=("h_1",), meta=smoke_meta(workers=workers))
    with (path / "users.jsonl").open("a") as file:
        for t in range(60):
            file.write(
                f'{{"second":{START_S + t},"process":"h_2","users":5,"cpu":0.99,"lag_ms":4}}\n'
            )
    verdict = judge_directory(path)
    assert verdict.reasons[0].startswith("worker 1 was saturated for 60 seconds in a row")


def test_unknown_health_is_not_green(tmp_path):
    verdict = judge_directory(write_run(tmp_path, health=None))
    assert verdict.exit_code == 91
    assert verdict.reasons == ("the generator's own health was not recorded",)


# Breakpoint


def breakpoint_meta(**found):
    return smoke_meta(
        scenario="breakpoint",
        breakpoint=found or None,
        ended="limit found" if found else "finished",
    )


def test_a_breakpoint_run_passes_when_its_limit_was_found(tmp_path):
    def slow_later(t, n, rng):
        return np.full(n, 20.0 if t < 40 else 9000.0)

    traffic = {**normal_traffic(), CHECK: Traffic(7, slow_later)}
    meta = breakpoint_meta(limit_users=8, reason="p95 of /updates/check", at_s=40.0)
    verdict = judge_directory(write_run(tmp_path, traffic, meta=meta))
    assert (verdict.outcome, verdict.exit_code) == (Outcome.PASS, 0)
    assert verdict.headline == (
        "Passed: the limit is 8 users: the step before, at 10 users, held at 10.3 requests/s "
        "with p95 210 ms; then p95 of /updates/check."
    )
    check = check_of(verdict, CHECK, "p95")
    assert check.informational
    assert check.value == 20  # only what came before the limit is judged


def steps_meta(at_s, limit_users):
    """A staircase of 10 s and 5 users a step, of which the run reached four."""
    stages = [
        {"name": "step", "start_s": s * 10, "end_s": s * 10 + 10, "users_from": u, "users_to": u}
        for s, u in enumerate(range(5, 55, 5))
    ]
    found = {"limit_users": limit_users, "reason": "/updates/check: p95 of 2482 ms", "at_s": at_s}
    planned = {"users_max": 50, "duration_s": 100.0}
    end = {"start": START_S, "end": START_S + 45.0}
    return {**breakpoint_meta(**found), "stages": stages, "planned": planned, **end}


def staircase(t, n, rng):
    return np.full(n, [10.0, 20.0, 30.0, 2482.0][min(3, t // 10)])


@pytest.mark.parametrize(
    ("at_s", "limit_users", "told"),
    [
        (30.0, 15, "15 users: that step held at 30.0 requests/s with p95 30 ms"),
        (
            33.0,
            20,
            "20 users: the step before, at 15 users, held at 30.0 requests/s with p95 30 ms",
        ),
        (5.0, 5, "5 users: the load before it held at 10.0 requests/s with p95 10 ms"),
    ],
)
def test_the_limit_is_stated_by_the_last_step_that_held(tmp_path, at_s, limit_users, told):
    traffic = {
        CHECK: Traffic(10, staircase, from_s=0, to_s=10),
        DOWNLOAD: Traffic(20, staircase, from_s=10, to_s=20),
        REGISTER: Traffic(30, staircase, from_s=20, to_s=38),
    }
    meta = steps_meta(at_s, limit_users)
    verdict = judge_directory(write_run(tmp_path, traffic, meta=meta))
    assert verdict.headline == (
        f"Passed: the limit is {told}; then /updates/check: p95 of 2482 ms."
    )


def test_a_breakpoint_run_that_was_bad_from_its_start_has_no_limit(tmp_path):
    verdict = judge_directory(write_run(tmp_path, meta=steps_meta(0.0, None)))
    assert verdict.outcome is Outcome.WARNING
    assert verdict.headline == (
        "Warning: the limit lies below the load that the run began with: "
        "/updates/check: p95 of 2482 ms."
    )
    assert verdict.checks == ()


def test_a_breakpoint_run_is_never_failed_by_thresholds(tmp_path):
    path = write_run(tmp_path, FAILING, meta=breakpoint_meta(limit_users=8, reason="", at_s=None))
    assert judge_directory(path).exit_code == 0


def test_a_ramp_that_finds_no_limit_is_a_warning(tmp_path):
    verdict = judge_directory(write_run(tmp_path, meta=breakpoint_meta()))
    assert verdict.outcome is Outcome.WARNING
    assert verdict.headline == (
        "Warning: the ramp ended at 10 users and 10.0 requests/s without a limit found."
    )


def test_a_breakpoint_run_without_data_fails_and_with_a_crash_crashes(tmp_path):
    assert judge_directory(write_run(tmp_path, {}, meta=breakpoint_meta())).exit_code == 99
    meta = {**breakpoint_meta(limit_users=8, reason="", at_s=40.0), **CRASH}
    assert judge_directory(write_run(tmp_path, meta=meta)).exit_code == 107


# Proven or not


def test_a_percentile_that_rests_on_one_burst_is_not_proven(tmp_path):
    def burst(t, n, rng):
        # Forty requests of the last minute are above the limit, and none in the nine before.
        return np.where(np.arange(n) < (t >= 560), 500.0, 450.0 if t >= 540 else 20.0)

    text = "global:\n  p99: {pass: 460 ms, fail: 1 s}\n  p50: {pass: 25 ms, fail: 1 s}\n"
    meta = smoke_meta(end=START_S + 600.0)
    path = write_run(
        tmp_path, {CHECK: Traffic(10, burst)}, duration_s=600, meta=meta, thresholds=text
    )
    run = load_run(path)
    assert run.measured(run.endpoints).blocks.shape[0] == 11
    verdict = judge(run, parse_thresholds(text))
    assert check_of(verdict, "all requests", "p50").proven
    p99 = check_of(verdict, "all requests", "p99")
    assert (p99.tier, p99.proven) == (Tier.PASS, False)
    assert p99.n_needed > 2 * p99.n  # one bad minute in ten says little about minutes


def test_a_limit_that_no_request_exceeds_is_proven_however_requests_depend_on_each_other(tmp_path):
    def burst(t, n, rng):
        return np.full(n, 450.0 if t >= 540 else 20.0)

    text = "global:\n  p99: {pass: 460 ms, fail: 1 s}\n"
    meta = smoke_meta(end=START_S + 600.0)
    traffic = {CHECK: Traffic(10, burst)}
    path = write_run(tmp_path, traffic, duration_s=600, meta=meta, thresholds=text)
    (check,) = judge_directory(path).checks
    assert check.proven
    assert check.high == pytest.approx(450, rel=0.0039)
    assert check.proof == "proven by 6,000 successful requests"


def test_few_requests_are_named_as_too_few(tmp_path):
    path = write_run(
        tmp_path, {CHECK: Traffic(1)}, thresholds="global:\n  p99: {pass: 1 s, fail: 2 s}\n"
    )
    check = judge_directory(path).checks[0]
    assert (check.tier, check.proven, check.n_needed) == (Tier.PASS, False, 299)
    assert check.proof == "unproven: 60 requests; 299 needed"


def test_the_interval_never_picks_the_tier(tmp_path):
    path = write_run(tmp_path, {**normal_traffic(), REGISTER: Traffic(1, lognormal(930, 0.02))})
    check = check_of(judge_directory(path), REGISTER, "p95")
    assert check.tier is (Tier.PASS if check.value < 1000 else Tier.WARNING)


def test_judging_live_needs_neither_pandas_nor_matplotlib_nor_locust():
    code = (
        "import sys, analysis.thresholds, analysis.judge, analysis.verdict, analysis.checks; "
        "print([m for m in ('pandas', 'matplotlib', 'locust', 'gevent') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_a_search_in_a_file_of_any_name_is_judged_as_one(tmp_path):
    """It was a failed run where the locustfile was not called breakpoint.py."""
    meta = {**breakpoint_meta(limit_users=8, reason="", at_s=40.0), "scenario": "my-limit"}
    verdict = judge_directory(write_run(tmp_path, FAILING, meta=meta))

    assert verdict.outcome is Outcome.PASS
    assert all(check.informational for check in verdict.checks)
