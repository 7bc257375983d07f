"""Every output of every kind of run is read by what reads such files."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
from junitparser import JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from test_analysis_verdict_schema import KINDS

from analysis import render
from analysis.judge import judge
from analysis.outputs import thresholds_for
from analysis.runs import load_run
from analysis.verdict import EXIT_PASS, Outcome


@pytest.fixture(scope="module", params=KINDS)
def judged(request, tmp_path_factory):
    """A run of each kind, and the verdict on it."""
    run = load_run(KINDS[request.param](tmp_path_factory.mktemp("run")))
    return run, judge(run, thresholds_for(run.path))


def test_junit_counts_what_it_holds_and_is_as_red_as_the_exit_code(judged):
    _, verdict = judged
    suite = next(iter(JUnitXml.fromstring(render.junit(verdict).encode())))
    results = [type(result).__name__ for case in suite for result in case.result]
    assert suite.tests == len(list(suite)) > 0
    assert (suite.failures, suite.errors) == (results.count("Failure"), results.count("Error"))
    assert (len(results) > 0) == (verdict.exit_code != EXIT_PASS)


def test_openmetrics_has_one_outcome_one_tier_a_check_and_no_sample_twice(judged):
    run, verdict = judged
    shown = render.openmetrics(run, verdict)
    families = {family.name: family for family in text_string_to_metric_families(shown)}
    on = [s.labels["otaload_outcome"] for s in families["otaload_outcome"].samples if s.value]
    assert on == [verdict.outcome.value]
    tiers = families["otaload_check_tier"].samples if verdict.checks else []
    assert sum(sample.value for sample in tiers) == len(verdict.checks)
    samples = [line.rpartition(" ")[0] for line in shown.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples))
    assert not any(math.isnan(s.value) for family in families.values() for s in family.samples)
    requests = families["otaload_requests"].samples if verdict.requests else []
    assert sum(sample.value for sample in requests) == verdict.requests


def test_csv_adds_up_to_the_run(judged):
    run, verdict = judged
    rows = list(csv.DictReader(io.StringIO(render.windows_csv(run), newline="")))
    assert sum(int(row["n"]) for row in rows) == verdict.requests
    assert sum(int(row["failures"]) for row in rows) == verdict.failures
    assert all((row["p99_ms"] == "") == (row["n"] == row["failures"]) for row in rows)


def test_annotations_err_where_the_exit_code_does(judged):
    _, verdict = judged
    lines = render.github(verdict).splitlines()
    assert all(re.fullmatch(r"::(error|warning|notice) title=[^:,]+::.+", line) for line in lines)
    red = verdict.outcome not in (Outcome.PASS, Outcome.WARNING)
    assert red == (verdict.exit_code != EXIT_PASS)
    if red:
        assert any(line.startswith("::error ") for line in lines)
    elif verdict.outcome is Outcome.PASS:
        assert not any(line.startswith(("::error ", "::warning ")) for line in lines)


def test_a_slack_message_names_the_outcome_and_keeps_to_the_limits(judged):
    _, verdict = judged
    message = json.loads(render.slack(verdict))
    header, *blocks = message["blocks"]
    assert f": {verdict.outcome.value}" in header["text"]["text"]
    assert len(header["text"]["text"]) <= 150
    texts = [b["text"]["text"] if "text" in b else b["elements"][0]["text"] for b in blocks]
    assert all(1 <= len(text) <= 3000 for text in texts)
    assert len(message["blocks"]) <= 50
