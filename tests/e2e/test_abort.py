"""Runs that an abort rule of the thresholds stops, alone and with workers."""

from __future__ import annotations

import pytest

from staging.launch import start
from tests.e2e.running import THRESHOLDS, Bench, Ended, assert_reconciled

RULE = "abort:\n  - { metric: error_rate, above: 20 %, over: 15 s, after: 5 s, at_least: 20 }\n"
"""In a rehearsal at a fifth of the time: three seconds, from the first one on."""
SMALL = ("--time-scale", "0.2", "--user-scale", "3")
FAILING = ("--faults", "error@/updates/check:p=0.9,seed=1")

FOREIGN = """\
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        self.client.get("/nowhere")
"""


def assert_aborted(ended: Ended, told: str) -> None:
    """The run was stopped by a rule, and everything says so."""
    assert ended.code == 99, ended.output
    assert f"otaload: aborted: {told}" in ended.output
    meta, verdict = ended.meta, ended.verdict
    assert (meta["ended"], meta["complete"], meta["interrupted"]) == ("aborted", True, None)
    assert meta["aborted"]["reason"].startswith(told)
    assert verdict["outcome"] == "fail"
    assert verdict["reasons"][0].startswith("aborted after")
    assert told in verdict["reasons"][0]
    assert verdict["aborted"]["at_s"] == meta["aborted"]["at_s"]
    for name in ("report.html", "summary.md", "junit.xml"):
        assert "aborted after" in (ended.path / name).read_text().lower(), name


def test_a_run_whose_errors_go_on_is_stopped_and_its_checks_are_shown(bench: Bench) -> None:
    bench.thresholds.write_text(THRESHOLDS + RULE)
    ended = bench.run("smoke", *SMALL, *FAILING)

    assert_aborted(ended, "error_rate of all requests is ")
    aborted = ended.meta["aborted"]
    assert aborted["value"] > 0.2
    assert aborted["n"] >= 20
    # One second of delay, three of the stretch, one to settle; twelve were planned.
    assert 5 <= aborted["at_s"] < 11
    assert ended.check("error_rate")["tier"] == "fail"
    assert ended.check("p95")["tier"] == "pass"
    assert_reconciled(ended)


def test_a_run_on_two_processes_is_stopped_by_what_they_saw_together(bench: Bench) -> None:
    bench.thresholds.write_text(THRESHOLDS + RULE)
    ended = bench.run("smoke", *SMALL, *FAILING, "--processes", "2")

    assert_aborted(ended, "error_rate of all requests is ")
    assert len(ended.meta["workers"]) == 2
    assert not any(worker["lost"] for worker in ended.meta["workers"])
    assert_reconciled(ended)


def test_a_service_that_answers_nothing_is_seen_before_its_requests_time_out(bench: Bench) -> None:
    bench.thresholds.write_text(THRESHOLDS + RULE)
    bench.targets.write_text("timeouts: { connect: 3, first_byte: 9, total: 9 }\nproduction: []\n")
    ended = bench.run("smoke", *SMALL, "--faults", "hang:at=2s")

    assert_aborted(ended, "not one request was answered over 3 s")
    assert ended.meta["aborted"]["value"] is None
    assert ended.meta["aborted"]["at_s"] < 9


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two processes"])
def test_a_foreign_locustfile_is_stopped_too(bench: Bench, processes: tuple[str, ...]) -> None:
    bench.thresholds.write_text(
        THRESHOLDS
        + "abort:\n  - { metric: error_rate, endpoint: /nowhere, above: 50 %, over: 3 s }\n"
        + "  - { metric: p95, endpoint: /elsewhere, above: 1 s, over: 3 s }\n"
    )
    foreign = bench.folder / "foreign.py"
    foreign.write_text(FOREIGN)
    with start(faults="") as service:
        ended = bench.run(
            f"otaload/plugin.py,{foreign}",
            *("--host", service.base_url, "--users", "10", "--run-time", "60", *processes),
        )

    assert_aborted(ended, "error_rate of /nowhere is 100 % over 3 s")
    assert "the abort rule on p95 of /elsewhere never saw a request" in ended.meta["notes"]


def test_a_run_that_no_rule_fires_in_ends_as_planned(bench: Bench) -> None:
    bench.thresholds.write_text(THRESHOLDS + RULE)
    ended = bench.run("smoke", *SMALL)

    assert ended.code == 0, ended.output
    assert (ended.meta["ended"], ended.meta["aborted"]) == ("finished", None)
    assert ended.verdict["aborted"] is None


def test_a_rule_for_an_endpoint_that_is_none_ends_before_the_run(bench: Bench) -> None:
    bench.thresholds.write_text(
        THRESHOLDS
        + "abort:\n  - { metric: error_rate, endpoint: /update/check, above: 9 %, over: 9 s }\n"
    )
    ended = bench.run("smoke", *SMALL)

    assert ended.code == 104
    assert "abort: /update/check: no such endpoint; did you mean /updates/check?" in ended.output
    assert not bench.reports.exists() or not list(bench.reports.iterdir())
