"""Recovery of spikes whose answer is known, and of those that never had a fault."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spike_runs import (
    BURST_END_S,
    LENGTH_S,
    slow_until,
    spike_meta,
    spike_run,
    spike_stages,
    stage,
)
from synthetic_runs import REGISTER, START_S, quick_window

from analysis import render
from analysis.bursts import find_burst
from analysis.limits import Tier
from analysis.meta import read_run_meta
from analysis.outputs import judge_directory, report_directory
from analysis.pools import in_flight
from analysis.recovery import run_recovery
from analysis.runs import load_run
from analysis.thresholds import parse_thresholds
from analysis.verdict import Outcome
from bench.verdicts.recovery import (
    Requests,
    recovery_of,
    rows,
    table_of,
    with_backlog,
    without_fault,
)
from otaload.errors import ConfigurationError
from otaload.record import WindowKey, window_to_json

LIMITS = """\
global:
  p95: { pass: 60 s, fail: 90 s }
  recovery: { pass: 20 s, warning: 60 s, fail: 2 min }
"""


def recovery(tmp_path, level_ms, **options):
    return run_recovery(load_run(spike_run(tmp_path, level_ms, **options)))


@pytest.mark.parametrize("end_s", [171, 175, 180, 200, 260, 380])
def test_a_service_that_is_fast_again_from_a_second_on_recovers_at_it(tmp_path, end_s):
    found = recovery(tmp_path, slow_until(end_s))

    assert found.recovery_s == pytest.approx(end_s - BURST_END_S, abs=1)
    assert found.after_load_s == pytest.approx(max(0, end_s - BURST_END_S - 10), abs=1)
    assert found.left_band
    assert not found.hysteresis


def test_a_service_that_the_burst_never_slowed_recovers_at_once(tmp_path):
    found = recovery(tmp_path, lambda t: 100)

    assert (found.recovery_s, found.left_band, found.area_ms_s) == (0.0, False, 0.0)
    assert found.sentence == "the burst never pushed p95 or errors out of the baseline's band"


def test_peak_area_and_failures_are_those_until_the_recovery(tmp_path):
    failures = {t: {"status 503, expected 200": 2} for t in range(150, 160)}
    failures[300] = {"status 503, expected 200": 7}
    found = recovery(tmp_path, slow_until(200, high_ms=400), failures=failures)

    assert found.baseline_p95_ms == pytest.approx(100, rel=0.004)
    assert found.band_ms == pytest.approx(110, rel=0.004)
    assert found.peak_ratio == pytest.approx(4, rel=0.01)
    # From the baseline's end (120 s) to the recovery (200 s), 400 ms against a band of 110 ms.
    assert found.area_ms_s == pytest.approx(80 * 290, rel=0.03)
    assert found.failures == 20


def test_a_service_that_stays_slow_is_a_warning_and_says_how_long_it_was_observed(tmp_path):
    verdict = judge_directory(spike_run(tmp_path, slow_until(10**6)))

    assert verdict.recovery.recovery_s is None
    assert (verdict.outcome, verdict.exit_code) == (Outcome.WARNING, 0)
    reason = (
        "not recovered within 3 min 50 s observed after the burst: "
        "p95 400 ms in the last 10 s, band up to 110 ms"
    )
    assert [(c.name, c.reason) for c in verdict.cautions] == [("recovery", reason)]
    assert verdict.headline.startswith(f"Warning: {reason}; all 5 checks pass")
    assert reason in verdict.reasons


def test_a_full_spike_is_given_up_after_five_times_its_burst_or_five_minutes(tmp_path):
    found = recovery(tmp_path, slow_until(500), length_s=600)

    assert (found.observed_s, found.recovery_s) == (300, None)


def test_silence_is_not_recovery(tmp_path):
    found = recovery(tmp_path, lambda t: 100 if t < 120 or t >= 300 else 0)

    assert found.recovery_s == pytest.approx(300 - BURST_END_S, abs=3)


def test_users_that_wait_for_an_answer_are_not_back_before_it_comes(tmp_path):
    """Everybody asks in the burst's last second and waits for 60 s; then all is well."""
    path = spike_run(tmp_path, lambda t: 100 if t < 169 or t >= 230 else 0)
    stuck = quick_window(np.full(30, 60_500.0))
    record = window_to_json(WindowKey(START_S + 169, "POST", REGISTER), stuck)
    with (path / "windows.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    found = run_recovery(load_run(path))

    assert found.recovery_s == pytest.approx(60, abs=1)


def test_errors_keep_a_fast_service_from_being_recovered(tmp_path):
    failures = {t: {"status 503, expected 200": 1} for t in range(150, 220)}
    found = recovery(tmp_path, lambda t: 100, failures=failures)

    assert found.recovery_s == pytest.approx(220 - BURST_END_S, abs=1)


def test_errors_that_were_there_before_the_burst_do_not_keep_it_from_recovering(tmp_path):
    failures = {t: {"status 503, expected 200": 1} for t in range(0, LENGTH_S, 8)}
    found = recovery(tmp_path, slow_until(200), failures=failures)

    assert found.error_limit_ratio == pytest.approx(1 / 160, rel=0.05)
    assert found.recovery_s is not None


def test_back_for_less_than_ten_seconds_and_out_again_is_called_hysteresis(tmp_path):
    def level_ms(t):
        return 400 if 120 <= t < 190 or 198 <= t < 240 else 100

    found = recovery(tmp_path, level_ms)
    assert found.hysteresis
    assert found.recovery_s == pytest.approx(240 - BURST_END_S, abs=1)
    verdict = judge_directory(spike_run(tmp_path, level_ms))
    assert verdict.outcome is Outcome.PASS
    assert any(note.startswith("hysteresis suspected") for note in verdict.notes)


def test_a_baseline_too_short_to_tell_is_a_warning_and_in_a_rehearsal_a_note(tmp_path):
    stages = [
        stage("baseline", 0, 12, (30, 30)),
        stage("burst", 12, 40, (500, 500)),
        stage("recovery", 40, 100, (30, 30)),
    ]
    meta = spike_meta(100, stages=stages, planned={"users_max": 30, "duration_s": 100.0})
    unknown = "recovery unknown: 8 s of usable baseline before the burst, 10 s needed"
    full = judge_directory(spike_run(tmp_path, lambda t: 100, length_s=100, meta=meta))
    assert (full.outcome, [c.reason for c in full.cautions]) == (Outcome.WARNING, [unknown])
    meta["rehearsal"] = {"time_scale": 0.1, "user_scale": 1}
    rehearsal = judge_directory(spike_run(tmp_path, lambda t: 100, length_s=100, meta=meta))
    assert (rehearsal.outcome, unknown in rehearsal.notes) == (Outcome.PASS, True)


def test_a_rehearsal_with_hardly_a_baseline_does_not_warn_of_what_it_cannot_be_sure_of(tmp_path):
    stages = [
        stage("baseline", 0, 30, (30, 30)),
        stage("burst", 30, 60, (500, 500)),
        stage("recovery", 60, 100, (30, 30)),
    ]
    planned = {"users_max": 30, "duration_s": 100.0}
    scales = {"time_scale": 0.25, "user_scale": 1}
    seen = []
    for rehearsal in (None, scales):
        meta = spike_meta(100, stages=stages, planned=planned, rehearsal=rehearsal)
        path = spike_run(tmp_path, lambda t: 100 if t < 30 else 300, length_s=100, meta=meta)
        verdict = judge_directory(path)
        told = verdict.recovery.sentence in verdict.notes
        seen.append((verdict.outcome, len(verdict.cautions), told))

    assert seen == [(Outcome.WARNING, 1, False), (Outcome.PASS, 0, True)]


def test_a_run_that_was_cut_off_in_its_burst_has_no_recovery(tmp_path):
    found = recovery(tmp_path, lambda t: 100, length_s=160)

    assert found.insufficient == "0 s observed after the burst, 10 s needed"


@pytest.mark.parametrize(
    ("end_s", "tier", "value_s"),
    [
        (180, Tier.PASS, 10),
        (220, Tier.WARNING, 50),
        (350, Tier.FAIL, 180),
        (10**6, Tier.FAIL, None),
    ],
)
def test_a_threshold_on_the_recovery_is_judged(tmp_path, end_s, tier, value_s):
    verdict = judge_directory(spike_run(tmp_path, slow_until(end_s), thresholds=LIMITS))
    (check,) = [check for check in verdict.checks if check.metric.name == "recovery"]

    assert (check.tier, verdict.tier, verdict.cautions) == (tier, tier, ())
    assert check.value == (None if value_s is None else pytest.approx(value_s, abs=1))
    assert value_s is None or check.value_text.endswith(" s")


def test_not_back_within_less_than_the_fail_limit_is_a_warning(tmp_path):
    path = spike_run(tmp_path, slow_until(10**6), length_s=260, thresholds=LIMITS)

    assert judge_directory(path).tier is Tier.WARNING


def test_a_threshold_on_the_recovery_of_an_endpoint_is_refused():
    text = LIMITS + "endpoints:\n  /x:\n    recovery: { pass: 1 s, fail: 2 s }\n"
    with pytest.raises(ConfigurationError) as caught:
        parse_thresholds(text, source="t.yaml")
    assert str(caught.value) == (
        "t.yaml:6: endpoints./x: recovery is judged globally; move it to `global:`"
    )


def test_a_recovery_in_milliseconds_is_refused():
    with pytest.raises(ConfigurationError, match="wrong unit; write for example `30 s` or `2 min`"):
        parse_thresholds("global:\n  recovery: { pass: 500 ms, fail: 2 s }\n")


def test_the_outputs_tell_the_recovery(tmp_path):
    path = spike_run(tmp_path, slow_until(200))
    verdict = report_directory(path)
    told = "back in the baseline's band 30 s after the burst"

    assert told in render.text(verdict).replace("\n  ", " ")
    assert told in (path / "summary.md").read_text().replace("\\", "")
    found = json.loads((path / "verdict.json").read_text())["recovery"]
    assert found["recovery_s"] == pytest.approx(30, abs=1)
    assert found["burst"]["ends_s"] == BURST_END_S
    assert found["burst"]["next_s"] is None
    peak = "the burst took p95 of the requests in flight to 400 ms, 4 × the baseline's;"
    assert any(note.startswith(peak) for note in verdict.notes)
    assert not any("ms·s" in note for note in verdict.notes)
    assert any("20 s after the load was back" in note for note in verdict.notes)
    assert '<property name="recovery_s" value="30.0"/>' in (path / "junit.xml").read_text()
    page = (path / "report.html").read_text()
    assert "<h2>Recovery</h2>" in page
    assert "p95 around the burst" in page


def test_a_caution_is_a_test_case_that_fails_only_where_warnings_do(tmp_path):
    path = spike_run(tmp_path, slow_until(10**6))
    quiet = render.junit(judge_directory(path))
    loud = render.junit(judge_directory(path, fail_on_warning=True))

    assert 'name="recovery"' in quiet
    assert 'failures="0"' in quiet
    assert 'failures="1"' in loud


def test_a_run_without_a_burst_has_no_recovery(tmp_path):
    meta = spike_meta(stages=[stage("steady", 0, LENGTH_S, (30, 30))])
    path = spike_run(tmp_path, lambda t: 100, meta=meta)
    report_directory(path)

    assert run_recovery(load_run(path)) is None
    assert "<h2>Recovery</h2>" not in (path / "report.html").read_text()


def test_a_burst_is_found_by_its_stages_names():
    meta, _ = read_run_meta({"stages": spike_stages()})
    burst = find_burst(meta.stages)

    assert (burst.begins_s, burst.held_from_s, burst.ends_s, burst.back_s) == (120, 130, 170, 180)
    assert burst.lasts_s == 40


def test_load_that_drops_at_once_is_back_at_the_end_of_the_burst():
    stages = [
        stage("baseline", 0, 30, (30, 30)),
        stage("burst", 30, 60, (500, 500)),
        stage("recovery", 60, 90, (30, 30)),
        stage("surge", 90, 95, (30, 500)),
    ]
    meta, _ = read_run_meta({"stages": stages})
    burst = find_burst(meta.stages)

    assert (burst.back_s, burst.next_s) == (60, 90)


@given(st.integers(0, 40), st.integers(1, 30_000))
@settings(deadline=None)
def test_a_request_is_in_flight_from_its_second_until_it_ends(second, ms):
    one = Requests(np.array([second + 0.5]), np.array([float(ms)]), np.zeros(1, bool))
    seconds, _, counts = in_flight(table_of(one), 0, 100)

    # A bucket's middle is within 0.39 % of the latency.
    nearly = {max(1, int(np.ceil(0.5 + ms * f))) for f in (0.996e-3, 1e-3, 1.004e-3)}
    assert seconds.tolist() == list(range(second, second + len(seconds)))
    assert len(seconds) in nearly
    assert set(counts.tolist()) == {1}


def test_simulated_spikes_without_a_fault_all_recover_and_backlogs_on_time():
    rng = np.random.default_rng(11)
    sound = [recovery_of(without_fault(rng)) for _ in range(12)]
    assert all(found.recovery_s is not None for found in sound)
    off = []
    for _ in range(12):
        requests, drained_s = with_backlog(rng)
        off.append(abs(recovery_of(requests).recovery_s - (drained_s - 270)))
    assert np.median(off) <= 1.5


def test_the_acceptance_table_has_its_rows():
    table = rows(runs=2, seed=1)
    assert len(table) == 5
    assert all(row.runs == 2 and row.measured for row in table)
