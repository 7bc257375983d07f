"""The network between a master and its worker is cut: for a moment, for long, for good, at the end.

The master and the service are on one machine and the worker is on another, as network namespaces;
where they cannot be made, these tests are skipped and say why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from otaload.live.master_watch import MASTER_LOST_S
from staging.launch import StagingProcess, start
from tests.e2e.crew import PLAIN, Crew, assert_lost_at_most
from tests.e2e.namespaces import MASTER_IP, SERVICE_IP, Machines, two_machines
from tests.e2e.running import Bench, assert_reconciled

USERS = 10
GONE_WITHIN_S = MASTER_LOST_S + 15


@dataclass
class Distance:
    """A run under way: a worker near the master and the service, and one far from both."""

    crew: Crew
    machines: Machines
    service: StagingProcess

    def cut(self, seconds: float) -> None:
        """No word passes for a while."""
        self.machines.pull()
        time.sleep(seconds)
        self.machines.plug_in()


@contextmanager
def distance(bench: Bench, *, seconds: int) -> Iterator[Distance]:
    """Start a run of so many seconds; the block begins when it has begun."""
    file = bench.folder / "plain.py"
    file.write_text(PLAIN)
    with (
        two_machines() as machines,
        machines.on(machines.near),
        start(faults="", host="0.0.0.0") as service,  # noqa: S104 -- of a namespace
    ):
        url = f"http://{SERVICE_IP}:{service.base_url.rpartition(':')[2]}"
        load = ("--users", str(USERS), "--spawn-rate", str(USERS), "--run-time", str(seconds))
        crew = Crew(bench, *load, "--host", url, file=file)
        crew.hire("near")
        with machines.on(machines.far):
            crew.hire("far", host=MASTER_IP)
        bench.await_line("recording to")
        yield Distance(crew, machines, service)


def test_a_short_cut_of_the_network_costs_nothing(bench: Bench) -> None:
    with distance(bench, seconds=10) as run:
        time.sleep(3)
        run.cut(2)
        ended = run.crew.wait()
        bench.assert_no_orphans(within_s=GONE_WITHIN_S)
        counters = run.service.counters()

    assert ended.code == 0, ended.output
    assert_reconciled(ended, counters)
    assert not any(worker["gaps"] or worker["lost"] for worker in ended.meta["workers"])


def test_a_long_cut_of_the_network_loses_no_request_and_is_no_pass(bench: Bench) -> None:
    with distance(bench, seconds=16) as run:
        time.sleep(3)
        run.cut(6)
        ended = run.crew.wait()
        bench.assert_no_orphans(within_s=GONE_WITHIN_S)
        counters = run.service.counters()

    assert ended.code == 91, ended.output
    assert "was out of touch" in ended.output
    assert_reconciled(ended, counters)


def test_a_cut_while_the_last_reports_arrive_is_waited_out(bench: Bench) -> None:
    with distance(bench, seconds=8) as run:
        time.sleep(7)
        run.cut(3)
        ended = run.crew.wait()
        bench.assert_no_orphans(within_s=GONE_WITHIN_S)
        counters = run.service.counters()

    assert ended.code == 0, ended.output
    assert_reconciled(ended, counters)


def test_a_network_that_is_cut_for_good_ends_the_worker_and_loses_it(bench: Bench) -> None:
    with distance(bench, seconds=10) as run:
        time.sleep(3)
        run.machines.pull()
        ended = run.crew.wait()
        bench.assert_no_orphans(within_s=GONE_WITHIN_S)
        counters = run.service.counters()

    assert ended.code == 91, ended.output
    assert "was lost: its last report came" in ended.output
    assert run.crew.workers["far"].wait(5) == 91
    assert f"no word of the master for {MASTER_LOST_S} s" in (bench.folder / "far").read_text()
    # It goes on alone until it notices, and that is what is missing.
    assert_lost_at_most(ended, counters, USERS * 4 * (MASTER_LOST_S + 5))
