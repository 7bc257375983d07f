"""The workers of a run that is under way, as its master deals with them.

Without a master there are none, and every method does nothing.
"""

from __future__ import annotations

import time

import gevent
from locust.env import Environment
from locust.exception import RPCError, RPCSendError
from locust.runners import STATE_MISSING, MasterRunner

from otaload.live.clocks import CLOCK, TOLD_EVERY
from otaload.live.master_watch import MASTER_LOST_S
from otaload.live.reports import DRAIN, MalformedReportError, Report, unpack
from otaload.live.workers import Ledger

DRAIN_GRACE_S = 15.0
"""How long, beyond the stop timeout, the master waits for the last reports of its workers."""
SILENT_S = 5.0
"""How long it waits for a worker that has never reported at all."""


class Crew:
    """Takes the workers' reports in, watches who is there, and drains them at the end."""

    def __init__(
        self, environment: Environment, master: MasterRunner | None, *, run: str, start_s: float
    ) -> None:
        self.ledger = Ledger()
        self._environment = environment
        self._master = master
        self._run = run
        self._start_s = start_s

    def begin(self) -> None:
        """Book all workers that are there."""
        self.ledger.expect(self._present())

    @property
    def draining(self) -> bool:
        """Whether the workers have been asked for their last report."""
        return self.ledger.draining

    @property
    def gone(self) -> bool:
        """Whether there were workers, and each of them was lost or has left before the end."""
        workers = self.ledger.workers.values()
        return bool(workers) and all(worker.lost for worker in workers)

    def at_work(self) -> set[str]:
        """The ids of the workers that have users and are there."""
        return self.ledger.at_work() & self._present()

    def take(self, node_id: str, data: object) -> Report | None:
        """A worker's report by the master's seconds, booked; None where it is not to be counted."""
        try:
            report = unpack(data.get("report") if isinstance(data, dict) else data, of=node_id)
        except MalformedReportError as error:
            self.ledger.enter_unreadable(node_id, str(error), known=self._knows(node_id))
            return None
        if report.run != self._run:
            self.ledger.enter_stray(node_id, report.run)
            return None
        received_s = time.time()
        if not self.ledger.enter(report, at_s=received_s - self._start_s):
            return None
        clock = self.ledger.of(node_id).clock
        clock.hear(sent_s=report.sent_s, heard_s=report.heard_s, received_s=received_s)
        if report.sequence % TOLD_EVERY == 1:
            self._tell_time(node_id)
        return clock.aligned(report)

    def _tell_time(self, node_id: str) -> None:
        if self._master is None:
            return
        try:
            self._master.send_message(CLOCK, {"time": time.time()}, client_id=node_id)
        except (RPCError, RPCSendError) as error:
            # The report that is answered is booked and must be counted all the same.
            self.ledger.remark(f"worker {node_id} could not be told the time: {error}")

    def watch(self) -> None:
        """Once a second: book who is missing."""
        if self._master is not None:
            self.ledger.watch(c.id for c in self._master.clients.all if c.state == STATE_MISSING)

    def drain(self) -> None:
        """Have every worker stop its users and send its last report, and wait for it.

        Locust closes the master's ear half a second after it says "quit", whatever is under way;
        so this is done before it says so.
        """
        master = self._master
        if master is None:
            return
        shape_greenlet = master.shape_greenlet
        if shape_greenlet is not None and shape_greenlet is not gevent.getcurrent():
            # Its next step would start users again on workers that have just stopped theirs.
            shape_greenlet.kill(block=True)
        self.ledger.expect(self._present())
        self.ledger.draining = True
        waiting = self._present() - self.ledger.finished()
        for worker_id in waiting:
            master.send_message(DRAIN, {"run": self._run}, client_id=worker_id)
        began = time.monotonic()
        heard = dict.fromkeys(waiting, began)
        longest_s = self._environment.stop_timeout + DRAIN_GRACE_S
        while waiting and time.monotonic() < began + longest_s:
            gevent.sleep(0.05)
            now = time.monotonic()
            heard |= dict.fromkeys(self._present() & waiting, now)
            # A network that is cut just now may heal, as long as the worker waits for it as well.
            waiting = {i for i in waiting if i in master.clients and now < heard[i] + MASTER_LOST_S}
            waiting -= self.ledger.finished()
            if now > began + SILENT_S:
                waiting -= self.ledger.silent()

    def _knows(self, node_id: str) -> bool:
        master = self._master
        return master is None or node_id in self.ledger.workers or node_id in master.clients

    def _present(self) -> set[str]:
        if self._master is None:
            return set()
        return {c.id for c in self._master.clients.all if c.state != STATE_MISSING}
