"""Phases: what the thresholds judge of a run, by which limits, and what they leave out."""

from __future__ import annotations

import json
import re
from itertools import accumulate

import numpy as np
import pytest
from synthetic_runs import CHECK, DOWNLOAD, START_S, Traffic, constant, smoke_meta, write_run

from analysis.limits import ALL_REQUESTS, Metric, Tier
from analysis.meta import read_run_meta
from analysis.metrics import latency_series
from analysis.outputs import judge_directory, report_directory
from analysis.render.chart_style import style
from analysis.render.latency_chart import latency_figure
from analysis.runs import load_run
from analysis.thresholds import parse_thresholds
from analysis.thresholds_shown import resolved_table
from analysis.verdict import Outcome, Verdict
from otaload.errors import ConfigurationError

GLOBAL = "global:\n  p95: {pass: 100 ms, warning: 200 ms, fail: 300 ms}\n"
ERRORS = "  error_rate: {pass: 1 %, warning: 2 %, fail: 5 %}\n"


def meta_of(*stages, **changes):
    """A `run.json` of stages (name, seconds, users from, users to), without their phases."""
    ends = list(accumulate(seconds for _, seconds, _, _ in stages))
    rows = [
        {"name": name, "start_s": end - seconds, "end_s": end, "users_from": a, "users_to": b}
        for (name, seconds, a, b), end in zip(stages, ends, strict=True)
    ]
    return smoke_meta(
        **{
            "scenario": "load",
            "start": float(START_S),
            "end": START_S + float(ends[-1]),
            "planned": {"users_max": 10, "duration_s": float(ends[-1])},
            "stages": rows,
            **changes,
        }
    )


LOAD = meta_of(("up", 20, 0, 10), ("hold", 40, 10, 10), exercises=None)
SPIKE = meta_of(
    *(("baseline", 20, 2, 2), ("surge", 10, 2, 10), ("burst", 20, 10, 10)),
    *(("ebb", 10, 10, 2), ("recovery", 30, 2, 2)),
    exercises=None,
)


def levels(*steps):
    """Latencies in ms by the second from which on they hold."""
    return lambda t, n, rng: np.full(n, [ms for from_s, ms in steps if t >= from_s][-1], float)


def judged(tmp_path, meta, traffic, thresholds, duration_s=60, **more) -> Verdict:
    """The verdict on a run with that traffic."""
    path = write_run(
        tmp_path, traffic, meta=meta, duration_s=duration_s, thresholds=thresholds, **more
    )
    return judge_directory(path)


def shown(verdict: Verdict):
    """Each check as (endpoint, metric, n, tier)."""
    return {(c.endpoint, c.metric_text): (c.n, c.tier) for c in verdict.checks}


def test_the_warm_up_is_not_judged_and_that_is_said_once(tmp_path):
    traffic = {CHECK: Traffic(5, levels((0, 900), (20, 10)), failures={3: {"status 503": 2}})}
    verdict = judged(tmp_path, LOAD, traffic, GLOBAL + ERRORS)

    assert verdict.outcome is Outcome.PASS
    assert shown(verdict) == {
        (ALL_REQUESTS, "p95"): (200, Tier.PASS),
        (ALL_REQUESTS, "error_rate"): (200, Tier.PASS),
    }
    told = [note for note in verdict.notes if "not judged" in note]
    assert told == ["not judged: the ramp-up (20 s, 102 requests, 2 of them failed)"]
    assert {check.phases for check in verdict.checks} == {("steady",)}
    assert verdict.requests == 302


def test_a_ramp_up_that_may_be_judged_by_name_is_judged(tmp_path):
    traffic = {CHECK: Traffic(5, levels((0, 900), (20, 10)))}
    limits = "global:\n  phases: [ramp-up, steady]\n" + GLOBAL.partition("\n")[2]
    verdict = judged(tmp_path, LOAD, traffic, limits)

    assert verdict.outcome is Outcome.FAIL
    assert shown(verdict) == {(ALL_REQUESTS, "p95"): (300, Tier.FAIL)}
    assert not any("not judged" in note for note in verdict.notes)


def test_the_surge_of_a_spike_is_part_of_its_load(tmp_path):
    traffic = {CHECK: Traffic(5, levels((0, 10), (20, 900), (30, 10)))}
    verdict = judged(tmp_path, SPIKE, traffic, GLOBAL, duration_s=90)

    assert shown(verdict) == {(ALL_REQUESTS, "p95"): (450, Tier.FAIL)}
    (check,) = verdict.checks
    assert check.phases == ("baseline", "ramp-up", "burst", "ramp-down", "recovery")


def test_a_run_without_stages_is_judged_as_a_whole_and_is_steady(tmp_path):
    traffic = {CHECK: Traffic(5, constant(10))}
    for phases in ("", "  phases: [steady]\n"):
        limits = f"global:\n{phases}" + GLOBAL.partition("\n")[2]
        verdict = judged(tmp_path, smoke_meta(stages=[]), traffic, limits)
        assert shown(verdict) == {(ALL_REQUESTS, "p95"): (300, Tier.PASS)}


def test_a_profile_that_only_climbs_has_no_warm_up(tmp_path):
    meta = meta_of(("one", 30, 0, 5), ("two", 30, 5, 10))
    verdict = judged(tmp_path, meta, {CHECK: Traffic(5, constant(10))}, GLOBAL)

    assert shown(verdict) == {(ALL_REQUESTS, "p95"): (300, Tier.PASS)}


def test_all_ramps_up_at_the_begin_are_the_warm_up(tmp_path):
    meta = meta_of(("one", 10, 0, 5), ("two", 10, 5, 8), ("hold", 20, 8, 8), ("three", 20, 8, 10))
    verdict = judged(tmp_path, meta, {CHECK: Traffic(5, constant(10))}, GLOBAL)

    assert shown(verdict) == {(ALL_REQUESTS, "p95"): (200, Tier.PASS)}
    assert [stage.judged for stage in verdict.stages] == [False, False, True, True]


@pytest.mark.parametrize(
    ("offset_s", "n"), [(0.0, 400), (0.4, 400), (0.6, 390), (0.9, 390)], ids=str
)
def test_a_second_belongs_to_the_phase_in_which_its_middle_lies(tmp_path, offset_s, n):
    start = {"start": START_S + offset_s, "end": START_S + 60 + offset_s}
    meta = meta_of(("up", 20, 0, 10), ("hold", 40, 10, 10), **start)
    # With a start at 0.6 the ramp lasts until 20.6, which is more than half of second 20.
    verdict = judged(tmp_path, meta, {CHECK: Traffic(10, constant(10))}, GLOBAL)

    assert verdict.checks[0].n == n


def test_a_run_that_ended_in_its_warm_up_fails_for_want_of_data(tmp_path):
    meta = {**LOAD, "planned": {"users_max": 10, "duration_s": 15.0}, "end": START_S + 15.0}
    traffic = {CHECK: Traffic(5, constant(10))}
    verdict = judged(tmp_path, meta, traffic, GLOBAL, duration_s=15)

    assert (verdict.outcome, verdict.exit_code) == (Outcome.FAIL, 99)
    reason = "no data: no request after the warm-up; the run had ramp-up only"
    assert [check.reason for check in verdict.checks] == [reason]
    assert verdict.headline == f"Failed: p95 of all requests: {reason}."


def test_phases_that_a_run_does_not_have_are_no_data_for_the_global_row(tmp_path):
    limits = "global:\n  phases: [burst]\n" + GLOBAL.partition("\n")[2]
    verdict = judged(tmp_path, LOAD, {CHECK: Traffic(5, constant(10))}, limits)

    assert verdict.outcome is Outcome.FAIL
    assert verdict.checks[0].reason == (
        "no data: no request in burst; the run had ramp-up and steady only"
    )


def test_an_endpoint_whose_phases_a_run_does_not_have_is_left_out_and_named(tmp_path):
    limits = GLOBAL + f"endpoints:\n  {DOWNLOAD}:\n    phases: [burst]\n    p95: {{pass: 1 ms}}\n"
    limits = limits.replace("pass: 1 ms", "pass: 1 ms, fail: 2 ms")
    traffic = {CHECK: Traffic(5, constant(10)), DOWNLOAD: Traffic(1, constant(10))}
    verdict = judged(tmp_path, LOAD, traffic, limits)

    assert verdict.outcome is Outcome.PASS
    assert [check.endpoint for check in verdict.checks] == [ALL_REQUESTS]
    assert verdict.notes[-1] == (
        f"the thresholds for {DOWNLOAD} do not apply: they judge burst, "
        "which this run does not have"
    )


def test_an_endpoint_may_be_judged_in_other_phases_than_the_rest(tmp_path):
    limits = GLOBAL + f"endpoints:\n  {DOWNLOAD}:\n    phases: [burst]\n    p95: {{pass: 50 ms}}\n"
    traffic = {
        CHECK: Traffic(5, constant(10)),
        DOWNLOAD: Traffic(5, levels((0, 900), (30, 10), (50, 900))),
    }
    verdict = judged(tmp_path, SPIKE, traffic, limits, duration_s=90)

    assert shown(verdict)[DOWNLOAD, "p95"] == (100, Tier.PASS)
    assert f"the thresholds for {DOWNLOAD} judge burst only" in verdict.notes
    assert shown(verdict)[ALL_REQUESTS, "p95"] == (900, Tier.FAIL)


LOOSER = GLOBAL + "phases:\n  burst:\n    global:\n      p95: {warning: 900 ms, fail: 1 s}\n"


def test_a_phase_may_have_limits_of_its_own_and_every_request_is_judged_once(tmp_path):
    traffic = {CHECK: Traffic(5, levels((0, 10), (30, 950), (50, 10)))}
    verdict = judged(tmp_path, SPIKE, traffic, LOOSER, duration_s=90)

    assert verdict.outcome is Outcome.WARNING
    assert shown(verdict) == {
        (ALL_REQUESTS, "p95"): (350, Tier.PASS),
        (ALL_REQUESTS, "p95 in burst"): (100, Tier.WARNING),
    }
    assert "p95 in burst of all requests is 95" in verdict.headline
    by_metric = {check.metric_text: check.phases for check in verdict.checks}
    assert by_metric["p95"] == ("baseline", "ramp-up", "ramp-down", "recovery")
    assert by_metric["p95 in burst"] == ("burst",)


def test_limits_of_a_phase_that_a_run_does_not_have_say_nothing(tmp_path):
    verdict = judged(tmp_path, LOAD, {CHECK: Traffic(5, constant(10))}, LOOSER)

    assert list(shown(verdict)) == [(ALL_REQUESTS, "p95")]
    assert verdict.outcome is Outcome.PASS


def test_a_phase_with_limits_that_the_run_never_reached_has_no_data(tmp_path):
    planned = {"users_max": 10, "duration_s": 25.0}
    meta = {**SPIKE, "planned": planned, "end": START_S + 25.0}
    verdict = judged(tmp_path, meta, {CHECK: Traffic(5, constant(10))}, LOOSER, duration_s=25)

    assert shown(verdict) == {
        (ALL_REQUESTS, "p95"): (125, Tier.PASS),
        (ALL_REQUESTS, "p95 in burst"): (0, Tier.FAIL),
    }
    assert verdict.checks[0].reason == (
        "no data: no request in burst; the run had baseline and ramp-up only"
    )


def test_limits_written_for_the_ramp_up_judge_the_warm_up_too(tmp_path):
    limits = GLOBAL + "phases:\n  ramp-up:\n    global:\n      p95: {warning: 1 s, fail: 2 s}\n"
    traffic = {CHECK: Traffic(5, levels((0, 900), (20, 10)))}
    verdict = judged(tmp_path, LOAD, traffic, limits)

    assert shown(verdict) == {
        (ALL_REQUESTS, "p95"): (200, Tier.PASS),
        (ALL_REQUESTS, "p95 in ramp-up"): (100, Tier.WARNING),
    }


def test_where_a_phase_with_limits_of_its_own_is_all_that_is_judged_the_others_say_nothing(
    tmp_path,
):
    limits = GLOBAL + (
        f"endpoints:\n  {CHECK}:\n    phases: [steady, burst]\n    p95: {{pass: 50 ms}}\n"
        "phases:\n  steady:\n    global:\n      p95: {warning: 300 ms, fail: 400 ms}\n"
    )
    verdict = judged(tmp_path, LOAD, {CHECK: Traffic(5, constant(10))}, limits)

    # Of the default only the warm-up is left, and of the endpoint's only a burst that never is.
    assert shown(verdict) == {
        (ALL_REQUESTS, "p95 in steady"): (200, Tier.PASS),
        (CHECK, "p95 in steady"): (200, Tier.PASS),
    }
    assert verdict.outcome is Outcome.PASS
    assert not any("do not apply" in note for note in verdict.notes)


def test_limits_of_a_phase_alone_do_not_let_a_run_without_it_pass(tmp_path):
    limits = "global:\n  phases: [burst]\n" + LOOSER.partition("\n")[2]
    verdict = judged(tmp_path, LOAD, {CHECK: Traffic(5, constant(10))}, limits)

    assert shown(verdict) == {(ALL_REQUESTS, "p95"): (0, Tier.FAIL)}


FILE = GLOBAL + (
    "endpoints:\n"
    "  /a:\n    p95: {pass: 50 ms}\n"
    "  /b:\n    phases: [steady]\n    p95: {pass: 150 ms}\n"
    "phases:\n"
    "  burst:\n"
    "    global:\n      p95: {fail: 400 ms}\n      max: {pass: 1 s, fail: 2 s}\n"
    "    endpoints:\n      /a:\n        p95: {pass: 80 ms}\n"
)


def test_within_a_phase_the_file_reads_as_if_its_limits_stood_in_their_places():
    thresholds = parse_thresholds(FILE)
    own = {
        (row.endpoint, row.metric.name): (row.phase, row.limits.values)
        for row in thresholds.phase_rows
    }

    # /b judges steady alone, so the looser fail limit that it would inherit never applies.
    assert own == {
        (None, "p95"): ("burst", (100, 200, 400)),
        (None, "max"): ("burst", (1000, 2000)),
        ("/a", "p95"): ("burst", (80, 200, 400)),
    }
    assert thresholds.limits_of("/a", Metric("p95")).values == (50, 200, 300)
    assert [row.scope.without for row in thresholds.rows] == [("burst",), ("burst",), ()]


def test_an_endpoint_named_in_a_phase_alone_is_known():
    text = GLOBAL + "phases:\n  burst:\n    endpoints:\n      /x:\n        p95: {pass: 9 ms}\n"
    thresholds = parse_thresholds(text)

    assert thresholds.endpoints == ("/x",)
    assert thresholds.phase_rows[0].limits.values == (9, 200, 300)


def test_a_row_whose_only_phase_has_limits_of_its_own_is_judged_by_those_alone(tmp_path):
    limits = "global:\n  phases: [burst]\n" + LOOSER.partition("\n")[2]
    verdict = judged(tmp_path, SPIKE, {CHECK: Traffic(5, constant(10))}, limits, duration_s=90)

    assert shown(verdict) == {(ALL_REQUESTS, "p95 in burst"): (100, Tier.PASS)}


def test_the_resolved_table_tells_what_is_judged_and_what_differs_in_a_phase():
    table = resolved_table(parse_thresholds(FILE))

    assert "judged: all but the warm-up (all requests, /a)\njudged: steady (/b)\n" in table
    head, _, rest = table.partition("in burst, in place of those above:\n")
    assert "400 ms" not in head
    assert [line.split()[0] for line in rest.splitlines()[2:5]] == ["all", "all", "/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "global:\n  phases: [stedy]\n  p95: {pass: 1 s, fail: 2 s}\n",
            "t.yaml:2: global.phases: unknown phase `stedy`; did you mean `steady`?",
        ),
        (
            "global:\n  phases: burst\n  p95: {pass: 1 s, fail: 2 s}\n",
            "t.yaml:2: global.phases: expected a list such as [steady, burst], found `burst`",
        ),
        (
            "global:\n  phases: []\n  p95: {pass: 1 s, fail: 2 s}\n",
            "t.yaml:2: global.phases: the list is empty; name a phase",
        ),
        (
            "global:\n  phases: [burst, burst]\n  p95: {pass: 1 s, fail: 2 s}\n",
            "t.yaml:2: global.phases: `burst` is written twice",
        ),
        (
            GLOBAL + "endpoints:\n  /a:\n    phases: [burst]\n",
            "t.yaml:4: endpoints./a: names phases and no metric; write one beside them",
        ),
        (
            GLOBAL + "phases:\n  bust:\n    global: {}\n",
            "t.yaml:4: phases: unknown phase `bust`; did you mean `burst`?",
        ),
        (
            GLOBAL + "phases: [burst]\n",
            "t.yaml:3: phases: expected a mapping of phases, found a list",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    p95: {fail: 1 s}\n",
            "t.yaml:5: phases.burst: unknown section `p95`; known are global, endpoints",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    global:\n      p95: {pass: 400 ms}\n",
            "t.yaml:6: phases.burst.global.p95: fail (300 ms) is below pass (400 ms); "
            "raise fail or lower pass",
        ),
        (
            GLOBAL
            + "endpoints:\n  /a:\n    p95: {pass: 250 ms}\n"
            + "phases:\n  burst:\n    global:\n      p95: {fail: 220 ms}\n",
            "t.yaml:5: phases.burst.endpoints./a.p95: fail (220 ms, inherited) is below pass "
            "(250 ms); raise fail or lower pass",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    global:\n      p99: {pass: 400 ms}\n",
            "t.yaml:6: phases.burst.global.p99: has no fail limit; write it",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    global:\n      p95: {pas: 1 s}\n",
            "t.yaml:6: phases.burst.global.p95: unknown limit `pas`; did you mean `pass`?",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    global:\n      p95: {pass: 4, fail: 5 s}\n",
            "t.yaml:6: phases.burst.global.p95.pass: `4` has no unit; write `4 ms`",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    global:\n      phases: [burst]\n",
            "t.yaml:6: phases.burst.global: these limits judge this phase; name no others",
        ),
        (
            GLOBAL + "phases:\n  burst:\n    global:\n      p99_drift: {pass: 1 %, fail: 2 %}\n",
            "t.yaml:6: phases.burst.global: p99_drift is judged over the whole run; "
            "move it to the file's `global:`",
        ),
    ],
)
def test_faulty_phases_are_refused_with_their_line_and_the_remedy(text, message):
    with pytest.raises(ConfigurationError) as caught:
        parse_thresholds(text, source="t.yaml")
    assert str(caught.value) == message


def test_a_run_from_before_there_were_phases_has_them_by_its_stages():
    found, notes = read_run_meta(SPIKE)

    phases = ["baseline", "ramp-up", "burst", "ramp-down", "recovery"]
    assert [stage.phase for stage in found.stages] == phases
    assert notes == ()


def test_a_written_phase_counts_and_an_unknown_one_is_read_as_the_default():
    stage = {"name": "x", "start_s": 0, "end_s": 9, "users_from": 0, "users_to": 9}
    for written, phase in (("burst", "burst"), ("stress", "ramp-up"), (["burst"], "ramp-up")):
        found, _ = read_run_meta({"stages": [{**stage, "phase": written}]})
        assert [stage.phase for stage in found.stages] == [phase]


def test_report_and_verdict_json_tell_each_phase_and_whether_it_was_judged(tmp_path):
    traffic = {CHECK: Traffic(5, levels((0, 900), (20, 10)), failures={3: {"status 503": 1}})}
    path = write_run(tmp_path, traffic, meta=LOAD, thresholds=GLOBAL)
    report_directory(path)

    content = json.loads((path / "verdict.json").read_text())
    rows = [(row["phase"], row["stage"], row["judged"], row["n"]) for row in content["phases"]]
    assert rows == [("ramp-up", "up", False, 101), ("steady", "hold", True, 200)]
    assert [row["error_ratio"] for row in content["phases"]] == [pytest.approx(1 / 101), 0]
    assert content["checks"][0]["phases"] == ["steady"]
    page = (path / "report.html").read_text()
    table = page.partition("<h2>Phases</h2>")[2].partition("</section>")[0]
    cells = re.findall(r">(ramp-up|steady|no|yes)</t[hd]>", table)
    assert cells == ["ramp-up", "no", "steady", "yes"]
    assert "not judged: the ramp-up (20 s, 101 requests, 1 of them failed)" in page


def test_the_tests_of_one_check_and_of_its_phase_have_names_of_their_own(tmp_path):
    traffic = {CHECK: Traffic(5, constant(10))}
    path = write_run(tmp_path, traffic, meta=SPIKE, duration_s=90, thresholds=LOOSER)
    report_directory(path)

    text = (path / "junit.xml").read_text()
    assert 'name="all requests p95"' in text
    assert 'name="all requests p95 in burst"' in text


def test_ramps_are_shaded_in_the_charts(tmp_path):
    run = load_run(write_run(tmp_path, meta=SPIKE, duration_s=90))
    with style("t"):
        figure = latency_figure(
            latency_series(run, run.endpoints), [], run.meta.stages, run.duration_s
        )
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in figure.axes[0].patches]
    assert (20, 30) in spans
    assert (50, 60) in spans
