"""Runs of several processes that are stopped: by signals, from the web UI, by the master's end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from otaload.live.master_watch import MASTER_LOST_S
from staging.launch import start
from tests.e2e.crew import PLAIN, Crew, assert_lost_at_most, forked_workers
from tests.e2e.foreign import EMBEDDED, asking
from tests.e2e.running import Bench, Ended, assert_reconciled
from tests.e2e.test_web_ui import Ui

SLOW = ("--faults", "latency:ms=700")
"""Answers take so long that requests are in flight whenever a signal comes."""
UNWRITTEN = 100
"""More requests than ten users of `PLAIN` make in the two seconds before a master is killed."""

Judge = Callable[..., subprocess.CompletedProcess[str]]


def assert_stopped(ended: Ended, by: str) -> None:
    """The run was closed and judged, and says what ended it."""
    assert ended.code == 105, ended.output
    assert ended.meta["complete"] is True
    assert ended.meta["interrupted"] == by
    assert not any(worker["lost"] or worker["gaps"] for worker in ended.meta["workers"])
    assert (ended.path / "report.html").exists()


@pytest.mark.parametrize(
    ("number", "whom"),
    [
        (signal.SIGINT, "the group"),
        (signal.SIGTERM, "the group"),
        (signal.SIGHUP, "the group"),
        (signal.SIGTERM, "the master"),
    ],
    ids=[
        "SIGINT to the group",
        "SIGTERM to the group",
        "SIGHUP to the group",
        "SIGTERM to the master",
    ],
)
def test_a_signal_ends_a_run_of_forked_workers_whole(
    bench: Bench, number: signal.Signals, whom: str
) -> None:
    options = ("--time-scale", "0.5", "--user-scale", "2", "--processes", "2", *SLOW)
    process = bench.start(*bench.options("smoke", *options))
    bench.await_line("recording to")
    time.sleep(3)
    (os.killpg if whom == "the group" else os.kill)(process.pid, number)
    ended = bench.wait(process)
    bench.assert_no_orphans()

    assert_stopped(ended, number.name)
    assert_reconciled(ended)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_to_a_master_without_a_profile_ends_the_run_whole(
    bench: Bench, number: signal.Signals
) -> None:
    file = bench.folder / "plain.py"
    file.write_text(PLAIN)
    with start(faults="latency:ms=700") as service:
        load = ("--users", "20", "--spawn-rate", "20", "--run-time", "30")
        crew = Crew(bench, *load, "--host", service.base_url, file=file)
        crew.hire("first", "second")
        bench.await_line("recording to")
        time.sleep(3)
        crew.master.send_signal(number)
        ended = crew.wait()
        bench.assert_no_orphans()
        counters = service.counters()

    assert_stopped(ended, number.name)
    assert_reconciled(ended, counters)
    assert [worker.wait(5) for worker in crew.workers.values()] == [0, 0]


def test_ctrl_c_for_master_and_workers_at_once_loses_nothing(bench: Bench) -> None:
    crew = Crew(bench, "--user-scale", "2", "--time-scale", "0.5", *SLOW)
    crew.hire("first", "second")
    bench.await_line("recording to")
    time.sleep(3)
    for process in (crew.workers["first"], crew.master, crew.workers["second"]):
        process.send_signal(signal.SIGINT)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 105, ended.output
    assert_reconciled(ended)


def test_a_worker_that_is_stopped_alone_reports_all_and_has_left_early(bench: Bench) -> None:
    crew = Crew(bench, "--user-scale", "3", "--time-scale", "0.2", *SLOW, workers=3)
    crew.hire("first", "second", "third")
    bench.await_line("recording to")
    time.sleep(3)
    crew.workers["first"].send_signal(signal.SIGINT)
    crew.workers["second"].send_signal(signal.SIGTERM)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert [worker["left_early"] for worker in ended.meta["workers"]].count(True) == 2
    assert "left before the run was over" in ended.output
    assert_reconciled(ended)


def test_a_run_whose_only_worker_is_stopped_ends(bench: Bench) -> None:
    crew = Crew(bench, "--user-scale", "2", *SLOW, workers=1)
    crew.hire("only")
    bench.await_line("recording to")
    time.sleep(3)
    crew.workers["only"].send_signal(signal.SIGTERM)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert ended.meta["ended"] == "workers lost"
    assert_reconciled(ended)


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "by hand"])
def test_a_second_signal_ends_at_once_and_leaves_a_readable_run(
    bench: Bench, otaload: Judge, *, forked: bool
) -> None:
    # Nobody answers, so that the first signal has something to wait for.
    options = ("--user-scale", "2", "--faults", "hang:p=0.5")
    if forked:
        master = bench.start(*bench.options("smoke", *options, "--processes", "2"))
    else:
        crew = Crew(bench, *options)
        crew.hire("first", "second")
        master = crew.master
    bench.await_line("recording to")
    time.sleep(3)
    # Ctrl-C reaches all that the terminal has started, and there is only one of them here by hand.
    os.killpg(master.pid, signal.SIGINT)
    bench.await_line("once more to end at once")
    os.killpg(master.pid, signal.SIGINT)
    ended = bench.wait(master)
    bench.assert_no_orphans(within_s=20)

    assert ended.code == 105, ended.output
    assert ended.meta["ended"] == "abandoned"
    assert len(ended.meta["workers"]) == 2
    assert sum(entry.requests for entry in ended.totals().values()) > 0
    assert otaload("judge", str(ended.path)).returncode == 105


def test_ctrl_c_while_a_master_waits_for_workers_leaves_nothing_behind(bench: Bench) -> None:
    crew = Crew(bench)
    crew.hire("first")
    bench.await_line("1 workers connected")
    crew.master.send_signal(signal.SIGINT)
    ended = bench.wait(crew.master)
    bench.assert_no_orphans(within_s=MASTER_LOST_S + 15)

    assert ended.code == 105, ended.output
    assert not list(bench.reports.glob("2*"))


def test_a_master_whose_workers_do_not_come_in_time_gives_up(bench: Bench) -> None:
    crew = Crew(bench, "--expect-workers-max-wait", "3")
    crew.hire("first")
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 1, ended.output
    assert "Gave up waiting for workers to connect" in ended.output
    assert not list(bench.reports.glob("2*"))


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "by hand"])
def test_workers_end_by_themselves_when_their_master_is_killed(
    bench: Bench, otaload: Judge, *, forked: bool
) -> None:
    file = bench.folder / "plain.py"
    file.write_text(PLAIN)
    with start(faults="") as service:
        load = ("--users", "10", "--spawn-rate", "10", "--run-time", "60")
        options = (*load, "--host", service.base_url)
        if forked:
            master = bench.start(*bench.options(file, *options, "--processes", "2"))
        else:
            crew = Crew(bench, *options, file=file)
            crew.hire("first", "second")
            master = crew.master
        bench.await_line("recording to")
        time.sleep(4)
        master.kill()
        ended = bench.wait(master)
        served = service.counters()
        bench.assert_no_orphans(within_s=15 if forked else MASTER_LOST_S + 15)

    assert ended.meta["complete"] is False
    assert_lost_at_most(ended, served, UNWRITTEN)
    judged = otaload("judge", str(ended.path))
    assert judged.returncode == 91, judged.stdout
    assert "the run is incomplete" in judged.stdout


def test_a_killed_master_whose_workers_had_raised_is_no_pass_in_part_either(
    bench: Bench, otaload: Judge
) -> None:
    file = asking(bench, task="raise KeyError('on a worker')")
    load = ("--users", "2", "--spawn-rate", "10", "--run-time", "60", "--processes", "2")
    master = bench.start(*bench.options(file, *load, *EMBEDDED))
    bench.await_line("recording to")
    time.sleep(5)
    master.kill()
    ended = bench.wait(master)
    bench.assert_no_orphans(within_s=20)

    assert "on a worker" in ended.meta["crashes"]["first"]
    assert otaload("judge", "--partial", str(ended.path)).returncode == 107


def test_a_run_of_several_processes_that_is_stopped_in_the_web_ui_is_whole(bench: Bench) -> None:
    ui = Ui(bench, "smoke", "--user-scale", "2", "--processes", "2", *SLOW)
    bench.await_line("2 workers connected")
    ui.swarm()
    bench.await_line("recording to")
    time.sleep(4)
    workers = forked_workers(ui.process)
    assert ui.post("/stop")["success"] is True
    ui.until(lambda: len(ui.runs()) == 1)
    assert all(worker.is_running() for worker in workers)
    ended = ui.quit()
    bench.assert_no_orphans()

    assert_stopped(ended, "the web UI")
    assert_reconciled(ended)
