"""Abort rules in the thresholds file, and the verdict on a run that one of them stopped."""

from __future__ import annotations

import json

import pytest
from synthetic_runs import CHECK, PROJECT, START_S, Traffic, smoke_meta, write_run

from analysis.abort_rules import AbortRule
from analysis.limits import Metric, Tier
from analysis.outputs import judge_directory, report_directory
from analysis.thresholds import load_thresholds, parse_thresholds
from analysis.thresholds_shown import resolved_table
from analysis.verdict import Outcome
from otaload.errors import ConfigurationError

GLOBAL = "global:\n  p95: {pass: 800 ms, fail: 2 s}\n"


def test_a_rule_holds_what_is_written_and_defaults_for_the_rest():
    text = GLOBAL + (
        "abort:\n"
        "  - metric: error_rate\n    endpoint: /updates/check\n    above: 20 %\n"
        "    over: 30 s\n    after: 1 min\n    at_least: 50\n"
        "  - {metric: p99, above: 2 s, over: 10 min}\n"
    )
    written, short = parse_thresholds(text).abort

    assert written == AbortRule(
        metric=Metric("error_rate"),
        endpoint="/updates/check",
        above=0.2,
        over_s=30,
        after_s=60,
        at_least=50,
    )
    assert short == AbortRule(metric=Metric("p99"), above=2000, over_s=600)
    assert (short.after_s, short.at_least, short.endpoint) == (0, 100, None)


def test_the_check_of_the_file_tells_each_rule():
    text = GLOBAL + (
        "abort:\n  - {metric: p99, above: 2 s, over: 90 s, after: 1 h}\n"
        "  - {metric: max, endpoint: /x, above: 30 s, over: 5 s, at_least: 1}\n"
    )

    assert resolved_table(parse_thresholds(text)).splitlines()[-2:] == [
        "abort: p99 of all requests above 2000 ms over 1 min 30 s, after 1 h, from 100 requests",
        "abort: max of /x above 30000 ms over 5 s, from 1 request",
    ]


def test_the_shipped_file_stops_no_run():
    assert load_thresholds(PROJECT / "thresholds.yaml").abort == ()


RULE = {"metric": "error_rate", "above": "20 %", "over": "30 s"}


def written(**changes) -> str:
    """A file with one rule, in which some keys are other ones, or absent where None."""
    rule = {key: value for key, value in {**RULE, **changes}.items() if value is not None}
    pairs = ", ".join(f"{key}: {value}" for key, value in rule.items())
    return GLOBAL + f"abort:\n  - {{{pairs}}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GLOBAL + "abort: {metric: p95}\n",
            "3: abort: expected a list of rules, found a mapping",
        ),
        (GLOBAL + "abort:\n", "3: abort: expected a list of rules, found nothing"),
        (
            GLOBAL + "abort:\n  - p95\n",
            "4: abort[1]: expected a mapping with metric, endpoint, above, over, after, at_least, "
            "found `p95`",
        ),
        (written(metric=None), "4: abort[1]: has no metric; write it"),
        (written(above=None, over=None), "4: abort[1]: has no above and no over; write it"),
        (
            written(metric="eror_rate"),
            "4: abort[1].metric: unknown metric `eror_rate`; did you mean `error_rate`?",
        ),
        (
            written(metric="p99_drift"),
            "4: abort[1].metric: unknown metric `p99_drift`; did you mean `p99`?",
        ),
        (
            written(metric="[p95]"),
            "4: abort[1].metric: expected a metric such as error_rate, found a list",
        ),
        (written(above=20), "4: abort[1].above: `20` has no unit; write `20 %`"),
        (
            written(above="2 s"),
            "4: abort[1].above: `2 s` has the wrong unit; write for example `0.5 %`",
        ),
        (
            written(above="100 %"),
            "4: abort[1].above: an error rate is never above 100 %; lower it",
        ),
        (written(over=30), "4: abort[1].over: `30` is not a duration; write `30 s`"),
        (
            written(over="30 ms"),
            "4: abort[1].over: `30 ms` is not a duration; write for example `30 s`",
        ),
        (
            written(over="-3 s"),
            "4: abort[1].over: `-3 s` is not a duration; write for example `30 s`",
        ),
        (
            written(over="0.5 s"),
            "4: abort[1].over: a rule looks at 1 s to 10 min; a threshold judges longer times",
        ),
        (
            written(over="1 h"),
            "4: abort[1].over: a rule looks at 1 s to 10 min; a threshold judges longer times",
        ),
        (
            written(after="soon"),
            "4: abort[1].after: `soon` is not a duration; write for example `30 s`",
        ),
        (
            written(at_least=0),
            "4: abort[1].at_least: expected a whole number of at least 1, found `0`",
        ),
        (
            written(at_least="2.5"),
            "4: abort[1].at_least: expected a whole number of at least 1, found `2.5`",
        ),
        (
            written(endpoint="POST /x"),
            "4: abort[1].endpoint: a rule watches all methods of an endpoint together; write `/x`",
        ),
        (
            written(endpoint="''"),
            "4: abort[1].endpoint: an endpoint needs a name; leave it out for all requests",
        ),
        (written(untill="9 s"), "4: abort[1]: unknown key `untill`; known are"),
        (
            written(aftr="9 s"),
            "4: abort[1]: unknown key `aftr`; did you mean `after`?",
        ),
        (
            "abrt: []\n" + GLOBAL,
            "1: the file: unknown section `abrt`; did you mean `abort`?",
        ),
    ],
)
def test_a_faulty_rule_is_refused_with_its_line_and_the_remedy(text, message):
    with pytest.raises(ConfigurationError) as caught:
        parse_thresholds(text, source="t.yaml")
    assert str(caught.value).startswith(f"t.yaml:{message}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_with_abort_rules_alone_limits_nothing():
    with pytest.raises(ConfigurationError, match="it limits nothing"):
        parse_thresholds("abort:\n  - {metric: p95, above: 1 s, over: 9 s}\n")


# The verdict on an aborted run

REASON = "error_rate of /updates/check is 53 % over 30 s (n 210), above 20 %"
ABORTED = {
    "rule": "error_rate of /updates/check above 20 % over 30 s, from 100 requests",
    "value": 0.53,
    "n": 210,
    "at_s": 33.5,
    "reason": REASON,
}


def aborted_meta(**changes):
    """A `run.json` of a smoke that was to last ten minutes and was aborted after half of one."""
    planned = {"users_max": 500, "duration_s": 600.0}
    ends = {"end": START_S + 35.25, "ended": "aborted", "aborted": ABORTED, "planned": planned}
    return smoke_meta(**{**ends, **changes})


def write(tmp_path, traffic=None, **changes):
    return write_run(tmp_path, traffic, meta=aborted_meta(**changes), duration_s=35)


def test_an_aborted_run_fails_with_the_rule_as_first_reason_and_shows_its_checks(tmp_path):
    verdict = judge_directory(write(tmp_path))

    # All checks pass; the rule alone decides, though fewer users came than planned, for less time.
    assert (verdict.outcome, verdict.tier, verdict.exit_code) == (Outcome.FAIL, Tier.FAIL, 99)
    assert verdict.headline == f"Failed: aborted after 34 s: {REASON}."
    assert verdict.reasons == (f"aborted after 34 s: {REASON}",)
    assert {check.tier for check in verdict.checks} == {Tier.PASS}
    assert len(verdict.checks) == 9


def test_what_else_speaks_against_an_aborted_run_comes_after_the_rule(tmp_path):
    verdict = judge_directory(write(tmp_path, {CHECK: Traffic(9, error_ratio=0.5)}))

    assert verdict.reasons[0].startswith("aborted after")
    assert any(reason.startswith("error_rate of all requests is") for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("changes", "outcome", "code"),
    [
        ({"interrupted": "SIGTERM"}, Outcome.INTERRUPTED, 105),
        ({"crashes": {"count": 1, "first": "boom"}}, Outcome.CRASHED, 107),
        ({"complete": False}, Outcome.INCONCLUSIVE, 91),
        (
            {"workers": [{"id": "a", "index": 0, "reports": 3, "lost": True}]},
            Outcome.INCONCLUSIVE,
            91,
        ),
    ],
    ids=["interrupted", "crashed", "incomplete", "worker lost"],
)
def test_an_aborted_run_that_cannot_be_believed_has_no_tier_and_still_names_the_rule(
    tmp_path, changes, outcome, code
):
    verdict = judge_directory(write(tmp_path, **changes))

    assert (verdict.outcome, verdict.exit_code) == (outcome, code)
    assert any(REASON in reason for reason in verdict.reasons)


def test_a_run_that_says_it_was_aborted_and_not_why_fails_too(tmp_path):
    for aborted in (None, {}, {"at_s": "soon"}):
        verdict = judge_directory(write(tmp_path, aborted=aborted))
        assert (verdict.outcome, verdict.exit_code) == (Outcome.FAIL, 99)
        assert verdict.headline == "Failed: aborted: by a rule that it does not name."


def test_an_aborted_breakpoint_run_has_not_found_its_limit_and_fails(tmp_path):
    verdict = judge_directory(write(tmp_path, scenario="breakpoint"))

    assert verdict.outcome is Outcome.FAIL
    assert REASON in verdict.headline


def test_every_output_of_an_aborted_run_names_the_rule(tmp_path):
    path = write(tmp_path)
    report_directory(path)

    content = json.loads((path / "verdict.json").read_text())
    assert content["aborted"] == {
        "rule": ABORTED["rule"],
        "reason": REASON,
        "at_s": 33.5,
        "value": 0.53,
    }
    junit = (path / "junit.xml").read_text()
    assert 'tests="10" failures="1" errors="0"' in junit
    assert f'<failure type="aborted" message="aborted after 34 s: {REASON}"/>' in junit
    assert "Aborted by a rule" in (path / "report.html").read_text()
    assert "Exit code 99: aborted by a rule" in (path / "summary.md").read_text()


def test_a_run_from_before_there_were_abort_rules_was_not_aborted(tmp_path):
    path = write_run(tmp_path)
    report_directory(path)

    assert json.loads((path / "verdict.json").read_text())["aborted"] is None
