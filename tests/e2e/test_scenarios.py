"""Every scenario file runs as `locust -f`, finds its target, and ends with a verdict."""

from __future__ import annotations

import json

import pytest

from staging.launch import start
from tests.e2e.running import ROOT, Bench, assert_reconciled, free_ports

REHEARSALS = {
    "smoke": ("--time-scale", "0.08"),
    "load": ("--time-scale", "0.008", "--user-scale", "0.1"),
    "stress": ("--time-scale", "0.015", "--user-scale", "0.02"),
    "soak": ("--time-scale", "0.00017", "--user-scale", "0.2"),
    "spike": ("--time-scale", "0.01", "--user-scale", "0.05"),
    "breakpoint": ("--time-scale", "0.015", "--user-scale", "0.5"),
    "health": ("--run-time", "4"),
}
EXPECTED = {
    name: {"/health"}
    if name == "health"
    else {"/updates/check", "/bundles/download", "/devices/register"}
    for name in REHEARSALS
}


@pytest.mark.parametrize("scenario", REHEARSALS)
def test_a_scenario_without_a_target_runs_against_the_embedded_service(
    bench: Bench, scenario: str
) -> None:
    ended = bench.run(scenario, *REHEARSALS[scenario])

    assert "the embedded service runs at" in ended.output
    assert ended.code == 0, ended.output
    assert ended.meta["complete"] is True
    assert ended.meta["scenario"] == scenario
    assert ended.meta["target"]["kind"] == "embedded"
    assert bool(ended.meta["rehearsal"]) == (scenario != "health")
    assert set(ended.totals()) == EXPECTED[scenario]
    assert_reconciled(ended)
    assert (ended.path / "report.html").stat().st_size > 10_000
    assert ended.verdict["exit_code"] == 0


@pytest.mark.parametrize("given", ["API_BASE_URL", "--host"])
def test_a_given_target_gets_all_the_load_and_nothing_else_does(bench: Bench, given: str) -> None:
    other_port = free_ports(1)[0]
    with start(faults="") as service:
        env = {"LOAD_TEST_API_KEY": service.api_key}
        options = ["--time-scale", "0.06"]
        if given == "--host":
            # The option wins over the variable, which here leads to where nobody listens.
            options += ["--host", service.base_url]
            env["API_BASE_URL"] = f"http://127.0.0.1:{other_port}"
        else:
            env["API_BASE_URL"] = service.base_url
        ended = bench.run("smoke", *options, env=env)
        counters = service.counters()

    assert ended.code == 0, ended.output
    assert "embedded service" not in ended.output
    assert ended.meta["target"]["base_url"] == service.base_url
    assert ended.meta["target"]["source"] == given
    assert list(ended.meta["hosts"]) == [service.base_url.removeprefix("http://")]
    assert_reconciled(ended, counters)


def test_all_seven_scenarios_can_be_run_with_the_otaload_command(otaload, bench: Bench) -> None:
    done = otaload(
        "run",
        "smoke",
        "--time-scale",
        "0.05",
        "--reports-dir",
        str(bench.reports),
        "--thresholds",
        str(bench.thresholds),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout.upper()
    assert "report.html" in done.stdout


def test_a_rehearsal_is_marked_on_the_console_in_the_run_and_in_the_report(bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.05")

    assert ended.meta["rehearsal"] == {"time_scale": 0.05, "user_scale": 1.0}
    assert "rehearsal" in ended.output.lower()
    assert "rehearsal" in (ended.path / "report.html").read_text().lower()


def test_every_key_of_a_run_is_documented(bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.04")
    page = (ROOT / "docs" / "run-directory.md").read_text()

    assert [key for key in ended.meta if f"`{key}`" not in page] == []
    for line in (ended.path / "users.jsonl").read_text().splitlines():
        assert [key for key in json.loads(line) if key not in page] == []


def test_the_health_scenario_asks_once_a_minute(bench: Bench) -> None:
    ended = bench.run("health", "--run-time", "5")

    assert ended.totals()["/health"].requests == 1
