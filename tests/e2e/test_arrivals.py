"""Arrival rates in real runs: what was planned is started or missed, in one process and in more."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, Bench, Ended, assert_reconciled, free_ports
from tests.e2e.test_web_ui import Ui

REGISTER = "/devices/register"


def scenario(bench: Bench, stages: str, max_users: int = 60) -> Path:
    """A scenario in which each arrival is exactly one request."""
    file = bench.folder / "arriving.py"
    file.write_text(
        '"""Devices that register as they come."""\n\n'
        "from locustfiles.devices import DeviceRegister\n"
        "from locustfiles.profiles import ArrivalHold, ArrivalRamp, ArrivalSteps, Profile\n\n\n"
        "class Arriving(Profile):\n"
        "    mix = {DeviceRegister: 1}\n"
        f"    stages = ({stages},)\n"
        f"    max_users = {max_users}\n"
    )
    return file


def rows(ended: Ended) -> list[dict[str, object]]:
    """The lines of users.jsonl that have arrivals."""
    lines = (ended.path / "users.jsonl").read_text().splitlines()
    return [row for line in lines if "arrivals" in (row := json.loads(line))]


def total(ended: Ended, key: str) -> int:
    """A count over all processes and seconds."""
    return sum(row["arrivals"][key] for row in rows(ended))


def assert_conserved(ended: Ended, planned: int) -> None:
    """Every planned arrival was started or missed, and the service saw each that was started."""
    started, missed = total(ended, "started"), total(ended, "missed")
    assert total(ended, "planned") == planned
    assert started + missed == planned
    served = ended.meta["service_counters"]["endpoints"][REGISTER]["requests"]
    assert served == started == ended.totals()[REGISTER].requests
    assert_reconciled(ended)


def assert_on_time(ended: Ended, due: Callable[[float], float]) -> None:
    """Each process counted as many arrivals by the end of each second as are `due` by then.

    A row holds all seconds before the next one: on a busy machine some have none of their own.
    """
    begin_s = ended.meta["start"] + ended.meta["stages"][0]["end_s"]
    for process in {row["process"] for row in rows(ended)}:
        own = [row for row in rows(ended) if row["process"] == process]
        ends = [row["second"] for row in own[1:]]
        arrived = 0
        for row, end_s in zip(own, [*ends, math.inf], strict=True):
            arrived += row["arrivals"]["planned"]
            low, high = (due(max(0.0, s - begin_s)) for s in (row["second"] + 1, end_s))
            assert low - 2 <= arrived <= high + 2, (row, low, high)


def test_two_hundred_a_second_arrive_evenly_and_are_all_served(bench: Bench) -> None:
    ended = bench.run(scenario(bench, "ArrivalHold(per_s=200, seconds=10)"))

    assert ended.code == 0, ended.output
    assert_conserved(ended, 2000)
    assert total(ended, "missed") == 0
    assert_on_time(ended, lambda t_s: 200 * min(t_s, 10))
    assert ended.meta["stages"][1]["rate_from"] == ended.meta["stages"][1]["rate_to"] == 200
    assert "200.0 arrivals/s" in ended.output


def test_two_processes_share_the_rate(bench: Bench) -> None:
    ended = bench.run(scenario(bench, "ArrivalHold(per_s=200, seconds=6)"), "--processes", "2")

    assert ended.code == 0, ended.output
    assert_conserved(ended, 1200)
    shares = {row["process"]: 0 for row in rows(ended)}
    for row in rows(ended):
        shares[row["process"]] += row["arrivals"]["planned"]
    assert list(shares.values()) == [600, 600]


def start_worker(bench: Bench, port: str, name: str) -> subprocess.Popen[bytes]:
    """A worker of the bench's scenario."""
    return bench.start(
        *("-f", str(bench.folder / "arriving.py"), "--worker", "--master-port", port), log=name
    )


def start_master(bench: Bench, port: str, stages: str, workers: int) -> subprocess.Popen[bytes]:
    """A master that waits for some workers."""
    return bench.start(
        *bench.options(scenario(bench, stages)),
        *("--master", "--expect-workers", str(workers), "--master-bind-port", port),
    )


def test_a_master_and_two_workers_play_a_ramp_together(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    master = start_master(bench, port, "ArrivalRamp(to_per_s=200, seconds=8)", 2)
    for name in ("first", "second"):
        start_worker(bench, port, name)
    ended = bench.wait(master)

    assert ended.code == 0, ended.output
    assert_conserved(ended, 800)
    # From 0 to 200 a second in 8 s: the integral of 25 t, half of it in each process.
    assert_on_time(ended, lambda t_s: 12.5 * min(t_s, 8) ** 2 / 2)


def test_a_worker_that_joins_takes_its_share_and_the_rate_stays_the_same(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    master = start_master(bench, port, "ArrivalHold(per_s=100, seconds=14)", 1)
    start_worker(bench, port, "first")
    bench.await_line("recording to")
    time.sleep(6)
    start_worker(bench, port, "second")
    ended = bench.wait(master)

    assert ended.code == 0, ended.output
    assert len(ended.meta["workers"]) == 2
    assert len({row["process"] for row in rows(ended)}) == 2
    assert_conserved(ended, 1400)


def test_a_worker_that_leaves_hands_its_share_to_the_others(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    master = start_master(bench, port, "ArrivalHold(per_s=100, seconds=14)", 2)
    workers = [start_worker(bench, port, name) for name in ("first", "second")]
    bench.await_line("recording to")
    time.sleep(8)
    workers[0].send_signal(signal.SIGTERM)
    ended = bench.wait(master)

    assert ended.code == 91, ended.output
    assert "left before the run was over" in ended.output
    assert total(ended, "started") == ended.totals()[REGISTER].requests
    assert total(ended, "planned") == total(ended, "started") + total(ended, "missed")
    # Half of the rate was away from its leave to the next share, a few seconds at most.
    assert 1400 - 50 * 4 <= total(ended, "planned") < 1400
    last = max(row["second"] for row in rows(ended))
    assert len({row["process"] for row in rows(ended) if row["second"] > last - 3}) == 1


def test_ctrl_c_in_the_middle_loses_no_arrival(bench: Bench) -> None:
    file = scenario(bench, "ArrivalHold(per_s=200, seconds=30)")
    process = bench.start(
        *bench.options(file, "--processes", "2", "--faults", "latency:ms=300"),
    )
    bench.await_line("recording to")
    time.sleep(9.4)
    os.killpg(process.pid, signal.SIGINT)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert 500 < total(ended, "planned") < 2000
    assert total(ended, "planned") == total(ended, "started") + total(ended, "missed")
    assert total(ended, "started") == ended.totals()[REGISTER].requests
    assert_reconciled(ended)


def test_a_service_that_stalls_makes_arrivals_miss_and_the_run_a_warning(bench: Bench) -> None:
    ended = bench.run(
        scenario(bench, "ArrivalHold(per_s=100, seconds=6)", max_users=20),
        *("--faults", "latency:ms=1000"),
    )

    # Twenty users of a second each take 20 arrivals of 100.
    assert_conserved(ended, 600)
    assert 400 <= total(ended, "missed") <= 500
    assert max(row["arrivals"]["busy"] for row in rows(ended)) == 20
    assert ended.code == 0, ended.output
    assert ended.verdict["outcome"] == "warning"
    assert "found no free user (all DeviceRegister)" in ended.verdict["headline"]
    assert ended.verdict["arrivals"]["planned"] == 600
    assert ended.verdict["arrivals"]["missed"] == total(ended, "missed")
    assert "<h2>Arrivals" in (ended.path / "report.html").read_text()
    page = (ROOT / "docs" / "run-directory.md").read_text()
    keys = {key for row in rows(ended) for key in (*row, *row["arrivals"])}
    assert "missed_by" in keys
    assert [key for key in (*keys, *ended.verdict["arrivals"]) if f"`{key}`" not in page] == [
        "process"  # which is explained without its name
    ]


def test_scales_and_run_time_apply_to_arrivals(bench: Bench) -> None:
    ended = bench.run(
        scenario(bench, "ArrivalHold(per_s=100, seconds=40)", max_users=40),
        *("--time-scale", "0.5", "--user-scale", "0.5", "--run-time", "8"),
    )

    assert ended.code == 0, ended.output
    ready_s = ended.meta["stages"][0]["end_s"]
    assert_conserved(ended, round((8 - ready_s) * 50))
    assert ended.meta["planned"]["users_max"] == 20


@pytest.mark.parametrize(
    ("stages", "max_users", "words"),
    [
        ("ArrivalHold(per_s=10, seconds=5)", 0, "set max_users to at least 1"),
        ("ArrivalHold(per_s=0, seconds=5)", 5, "no stage has an arrival"),
        ("ArrivalHold(per_s=-1, seconds=5)", 5, "a rate is negative or not a number"),
        ("ArrivalSteps(to_per_s=10, step_per_s=20, seconds=5)", 5, "step_per_s=20"),
    ],
)
def test_arrivals_that_make_no_sense_are_refused(
    bench: Bench, stages: str, max_users: int, words: str
) -> None:
    ended = bench.run(scenario(bench, stages, max_users))

    assert ended.code == 104, ended.output
    assert words in ended.output
    assert "Traceback" not in ended.output
    assert not ended.path.exists()


def test_the_web_ui_plays_arrivals_again_and_again(bench: Bench) -> None:
    file = scenario(bench, "ArrivalHold(per_s=100, seconds=3)")
    ui = Ui(bench, str(file))
    for count in (1, 2):
        assert ui.swarm()["success"] is True
        ui.until(lambda count=count: len(ui.runs()) == count)
    ui.quit()

    for run in ui.runs():
        assert_conserved(run, 300)
