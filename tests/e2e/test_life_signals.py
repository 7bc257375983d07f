"""A run of one process that is told to end, at whatever moment: nothing lost, nothing left."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from staging.launch import start
from tests.e2e.foreign import EMBEDDED, asking
from tests.e2e.running import TIMEOUT_S, Bench, Ended, assert_reconciled
from tests.e2e.terminal import Terminal
from tests.e2e.test_web_ui import Ui

SLOW = ("--faults", "latency:ms=700ms")
"""Every answer takes a while, so that requests are in flight whenever a signal comes."""
FOREVER = """\
while True:
            try:
                gevent.sleep(0.05)
            except BaseException:
                pass"""


def assert_interrupted(bench: Bench, ended: Ended, by: str) -> None:
    """Drained, judged and reported; every request that the service saw is in the run."""
    assert ended.code == 105, ended.output
    assert ended.meta["interrupted"] == by
    assert ended.meta["complete"] is True
    assert ended.verdict["exit_code"] == 105
    assert (ended.path / "report.html").exists()
    assert "Traceback" not in ended.output
    assert_reconciled(ended)
    bench.assert_no_orphans()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
def test_a_profile_that_is_interrupted_drains(bench: Bench, number: signal.Signals) -> None:
    process = bench.start(*bench.options("smoke", "--time-scale", "0.5", *SLOW))
    bench.await_line("recording to")
    time.sleep(3)
    process.send_signal(number)

    assert_interrupted(bench, bench.wait(process), number.name)


def test_a_run_whose_terminal_closes_drains_though_nobody_can_be_told(bench: Bench) -> None:
    terminal = Terminal(bench, *bench.options("smoke", *SLOW))
    try:
        terminal.until(lambda: terminal.shows("recording to"))
        time.sleep(3)
        terminal.hang_up()
        time.sleep(0.3)
        terminal.process.send_signal(signal.SIGHUP)  # the shell's own, after the kernel's
        code = terminal.process.wait(TIMEOUT_S)
    finally:
        terminal.close()
    ended = Ended(code, "", next(bench.reports.glob("2*")))

    assert_interrupted(bench, ended, "SIGHUP")
    assert ended.meta["crashes"]["count"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_locustfile_without_a_shape_that_is_interrupted_in_its_ramp_drains(
    bench: Bench, number: signal.Signals
) -> None:
    path = asking(bench)
    process = bench.start(*bench.options(path, "--users", "40", "--spawn-rate", "5", *SLOW))
    bench.await_line("recording to")
    time.sleep(2)
    process.send_signal(number)
    ended = bench.wait(process)

    assert_interrupted(bench, ended, number.name)
    users = [row["users"] for row in ended.users() if "planned" in row]
    assert 0 < max(users) < 40


def test_a_run_under_nohup_outlives_its_terminal(bench: Bench) -> None:
    options = bench.options(asking(bench), "--users", "2", "--run-time", "3", *EMBEDDED)
    process = bench.start(*options, within=("nohup",))
    bench.await_line("recording to")
    process.send_signal(signal.SIGHUP)
    ended = bench.wait(process)

    assert ended.code == 0, ended.output
    assert ended.meta["interrupted"] is None
    assert_reconciled(ended)
    bench.assert_no_orphans()


def test_users_that_do_not_end_hold_no_run_up_and_are_no_pass(bench: Bench) -> None:
    path = asking(bench, task=FOREVER)
    options = ("--users", "2", "--spawn-rate", "10", "--run-time", "2", "--stop-timeout", "1")
    with start(faults="") as service:
        ended = bench.run(path, *options, "--host", service.base_url)
        served = service.counters()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert ended.meta["ended"] == "users did not end"
    assert ended.meta["complete"] is False
    assert "2 users did not end" in ended.output
    assert "2 users did not end" in (ended.path / "report.html").read_text()
    assert_reconciled(ended, served)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_before_the_load_starts_leaves_nothing_behind(
    bench: Bench, number: signal.Signals
) -> None:
    slow = "@events.init.add_listener\ndef s(**_):\n    print('setting up', flush=True)\n"
    path = asking(bench, module=f"{slow}    gevent.sleep(60)\n")
    process = bench.start(*bench.options(path, "--users", "1", *EMBEDDED))
    bench.await_line("setting up")
    process.send_signal(number)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert not list(bench.reports.glob("*"))
    bench.assert_no_orphans()


@pytest.mark.parametrize(("times", "code"), [(1, 0), (2, 105)], ids=["once", "twice"])
def test_a_signal_while_judging_costs_no_finished_run_its_verdict(
    bench: Bench, otaload, times: int, code: int
) -> None:
    options = bench.options(asking(bench), "--users", "2", "--run-time", "2", *EMBEDDED)
    process = bench.start(*options)
    await_judge(bench, process)
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    ended = bench.wait(process)

    assert ended.code == code, ended.output
    assert ended.meta["complete"] is True
    assert ended.meta["interrupted"] is None
    assert_reconciled(ended)
    bench.assert_no_orphans()
    assert otaload("judge", str(ended.path)).returncode == 0


def await_judge(bench: Bench, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process that judges the run is there."""
    bench.await_line("recording to")
    deadline = time.monotonic() + 30
    while not any("judge" in other.cmdline() for other in bench.processes()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_signal_ends_at_once_and_leaves_what_was_flushed(bench: Bench, otaload) -> None:
    bench.targets.write_text("timeouts: { first_byte: 60, total: 60 }\nproduction: []\n")
    faults = "hang@/updates/check:p=1"
    process = bench.start(*bench.options("smoke", "--faults", faults))
    bench.await_line("recording to")
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    bench.await_line("requests in flight may finish")
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert time.monotonic() - begun < 15
    assert ended.meta["ended"] == "abandoned"
    assert ended.meta["complete"] is False
    # All but those that hang, of which nobody knows how they would have ended.
    assert "/updates/check" not in ended.totals()
    assert sum(entry.requests for entry in ended.totals().values()) > 0
    bench.assert_no_orphans()
    assert otaload("judge", str(ended.path)).returncode == 105


@pytest.mark.parametrize("way", ["stop button", "SIGTERM"])
def test_a_run_in_the_web_ui_that_is_ended_drains(bench: Bench, way: str) -> None:
    ui = Ui(bench, "smoke", *SLOW)
    assert ui.swarm()["success"] is True
    bench.await_line("recording to")
    time.sleep(3)
    if way == "SIGTERM":
        ui.process.send_signal(signal.SIGTERM)
        ended = bench.wait(ui.process)
    else:
        assert ui.post("/stop")["success"] is True
        ui.until(lambda: len(ui.runs()) == 1)
        ended = ui.quit()

    assert_interrupted(bench, ended, "the web UI" if way == "stop button" else "SIGTERM")


def test_what_is_in_flight_at_the_end_of_a_stage_and_of_the_run_is_counted(bench: Bench) -> None:
    shape = """\
class Shape(LoadTestShape):
    def tick(self):
        stages = ((2, 8), (4, 2), (6, 6))
        now_s = self.get_run_time()
        return next(((users, 20) for until_s, users in stages if now_s < until_s), None)
"""
    ended = bench.run(asking(bench, module=shape), *SLOW)
    rows = [row["users"] for row in ended.users() if "planned" in row]

    assert ended.code == 0, ended.output
    assert max(rows) == 8
    assert_reconciled(ended)
    bench.assert_no_orphans()
