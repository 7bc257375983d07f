"""Phases of real runs: a request is judged in the phase that it started in, or said not to be."""

from __future__ import annotations

from tests.e2e.running import THRESHOLDS, Bench

LOOSER_IN_BURST = (
    "phases:\n  burst:\n    global:\n      error_rate: { warning: 80 %, fail: 90 % }\n"
)


def test_a_spike_is_judged_in_all_phases_and_its_burst_by_limits_of_its_own(bench: Bench) -> None:
    bench.thresholds.write_text(THRESHOLDS + LOOSER_IN_BURST)
    ended = bench.run("spike", "--time-scale", "0.02", "--user-scale", "0.05")

    assert ended.code == 0, ended.output
    phases = ["baseline", "ramp-up", "burst", "ramp-down", "recovery"]
    assert [stage["phase"] for stage in ended.meta["stages"]] == phases
    rows = ended.verdict["phases"]
    assert [(row["phase"], row["judged"]) for row in rows] == [(phase, True) for phase in phases]
    by_phase = {row["phase"]: row["n"] for row in rows}
    errors = [check for check in ended.verdict["checks"] if check["metric"] == "error_rate"]
    judged = {check["phase"]: (check["phases"], check["n"]) for check in errors}
    assert judged["burst"] == (["burst"], by_phase["burst"])
    others = ["baseline", "ramp-up", "ramp-down", "recovery"]
    assert judged[None] == (others, sum(by_phase[phase] for phase in others))
    assert by_phase["burst"] > 0
    assert "not judged" not in ended.output


def test_the_warm_up_of_a_load_run_is_not_judged_and_the_console_says_so(bench: Bench) -> None:
    # A ramp-up of four seconds: wherever they begin, whole ones lie in it.
    ended = bench.run("load", "--time-scale", "0.067", "--run-time", "12", "--user-scale", "0.2")

    assert ended.code == 0, ended.output
    ramp_up, steady = ended.verdict["phases"]
    assert (ramp_up["judged"], steady["judged"]) == (False, True)
    assert ended.check("error_rate")["n"] == steady["n"] > 0
    assert ramp_up["n"] > 0
    assert ramp_up["n"] + steady["n"] == ended.verdict["requests"]
    said = " ".join(ended.output.split())  # the console breaks long lines
    assert said.count("not judged: the ramp-up (") == 1, ended.output
