"""Workers that come late, leave early, never report, or are stopped in the middle of a ramp."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from staging.launch import start
from tests.e2e.running import Bench, assert_reconciled, free_ports

RAMPING = """\
import otaload.plugin
from locust import constant, task
from otaload.http import LeanHttpUser


class Visitor(LeanHttpUser):
    wait_time = constant(0.3)

    @task
    def visit(self):
        self.client.get("/health", name="/health")
"""


def start_master(bench: Bench, port: str, workers: int, *more: str) -> subprocess.Popen[bytes]:
    """A master that waits for some workers."""
    return bench.start(
        *bench.options("smoke", "--user-scale", "2", *more),
        *("--master", "--expect-workers", str(workers), "--master-bind-port", port),
    )


def start_worker(bench: Bench, port: str, name: str) -> subprocess.Popen[bytes]:
    """A worker of the smoke scenario."""
    return bench.start("-f", "locustfiles/smoke.py", "--worker", "--master-port", port, log=name)


def test_a_worker_that_joins_a_run_takes_part_and_is_counted(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    master = start_master(bench, port, 1, "--time-scale", "0.25")
    start_worker(bench, port, "first")
    bench.await_line("recording to")
    time.sleep(6)
    start_worker(bench, port, "second")
    ended = bench.wait(master)
    bench.assert_no_orphans()

    assert ended.code == 0, ended.output
    assert len(ended.meta["workers"]) == 2
    assert_reconciled(ended)


def test_a_worker_that_joins_in_the_last_moment_does_not_hold_the_end_up(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    master = start_master(bench, port, 1, "--time-scale", "0.12")
    start_worker(bench, port, "first")
    bench.await_line("recording to")
    time.sleep(5.5)
    start_worker(bench, port, "second")
    begun = time.monotonic()
    ended = bench.wait(master)

    assert time.monotonic() - begun < 25
    assert ended.meta["complete"] is True
    assert_reconciled(ended)


def test_a_worker_without_the_plugin_makes_the_run_inconclusive(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    plain = bench.folder / "plain.py"
    plain.write_text(
        "from locust import User, constant, task\n\n\n"
        + "".join(
            f"class {name}(User):\n    wait_time = constant(1)\n\n"
            "    @task\n    def nothing(self):\n        pass\n\n\n"
            for name in ("UpdateCheck", "BundleDownload", "DeviceRegister")
        )
    )
    master = start_master(bench, port, 2, "--time-scale", "0.1")
    start_worker(bench, port, "ours")
    bench.start("-f", str(plain), "--worker", "--master-port", port, log="plain")
    ended = bench.wait(master)

    assert ended.code == 91, ended.output
    assert "never reported" in ended.output


def test_a_run_that_ends_while_users_are_still_being_added_counts_them_all(bench: Bench) -> None:
    file = bench.folder / "ramping.py"
    file.write_text(RAMPING)
    with start(faults="") as service:
        ended = bench.run(
            file,
            *("--users", "60", "--spawn-rate", "6", "--run-time", "7", "--processes", "2"),
            *("--host", service.base_url),
        )
        counters = service.counters()

    assert ended.code == 91, ended.output
    assert "the load was not reached" in ended.output
    assert_reconciled(ended, counters)


def test_two_runs_with_processes_side_by_side_do_not_meet(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other")
    try:
        options = ("--time-scale", "0.1", "--user-scale", "2", "--processes", "2")
        first = bench.start(*bench.options("smoke", *options))
        second = other.start(*other.options("smoke", *options))
        for mine, process in ((bench, first), (other, second)):
            ended = mine.wait(process)
            assert ended.code == 0, ended.output
            assert len(ended.meta["workers"]) == 2
            assert_reconciled(ended)
    finally:
        other.close()


def test_test_code_that_ends_the_run_before_its_time_is_no_pass(bench: Bench) -> None:
    file = bench.folder / "quitting.py"
    file.write_text(
        "import time\n\nfrom locust import events\nfrom locustfiles.smoke import *  # noqa: F403\n"
        "import gevent\n\n\n"
        "@events.test_start.add_listener\n"
        "def leave(environment, **_):\n"
        "    gevent.spawn_later(3, environment.runner.quit)\n"
    )
    ended = bench.run(file, "--time-scale", "0.5")

    assert ended.code == 105, ended.output
    assert ended.meta["interrupted"] == "the test code"
