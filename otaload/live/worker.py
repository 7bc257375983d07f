"""A worker's part in a run: count, report to the master once a second, drain when asked."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import gevent
import locust.runners
from gevent.event import Event
from gevent.lock import RLock
from locust.env import Environment
from locust.exception import RPCError, RPCSendError
from locust.rpc import Message
from locust.runners import WorkerRunner

from otaload.live.arriving import SHARE, ProcessArrivals
from otaload.live.clocks import CLOCK
from otaload.live.context import secrets_of
from otaload.live.counting import Counting
from otaload.live.health import HealthSampler
from otaload.live.judging import INCONCLUSIVE
from otaload.live.master_watch import MasterWatch
from otaload.live.reports import DRAIN, REPORT, Report, pack
from otaload.live.setup import Setup
from otaload.record.packing import pack_window
from otaload.standard_output import write_error

REPORT_S = 1.0
LEAVE_S = 5.0
"""How long a worker that was told to end waits for the master's own word to do so."""


_ready = Event()
_master_time: list[float] = []
"""The master's time less this machine's uptime, by the last message; empty before any."""


def hear_time(master_s: object) -> None:
    """The master has said what time it is."""
    if isinstance(master_s, int | float):
        _master_time[:] = [float(master_s) - time.monotonic()]


def heard_s(now_s: float) -> float | None:
    """What this machine's time is behind the master's at least, by the last message.

    It is reckoned by the uptime, and so is right at once where this machine's clock is set.
    """
    return _master_time[0] + time.monotonic() - now_s if _master_time else None


def hold_users_until_ready() -> None:
    """Have Locust wait with a worker's first users until its `init` event was fired.

    A worker that joins a run under way is sent its users while it still connects, before any
    listener could be set up; what they did would be counted by nobody.
    """
    handle_message = WorkerRunner.handle_message

    def wait_and_handle(self: WorkerRunner, msg: Message) -> None:
        if msg.type == "spawn":
            hear_time(msg.data.get("timestamp"))
            _ready.wait()
        handle_message(self, msg)

    WorkerRunner.handle_message = wait_and_handle  # type: ignore[method-assign]


class WorkerSession:
    """Everything that one worker process does for its runs."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self.environment = environment
        self.runner = runner
        self.counting = Counting(environment, secrets_of(environment))
        self.refused: str | None = None
        self._arrivals = ProcessArrivals(environment)
        self._sampler = HealthSampler(
            runner.client_id, lambda: runner.user_count, also=self._arrivals.keys
        )
        self._sequence = 0
        self._reporter: gevent.Greenlet[[], None] | None = None
        self._lock = RLock()
        self._drained = False
        options = environment.parsed_options
        self._run = ""
        forked = options is not None and bool(options.processes)
        self._watch = MasterWatch(forked=forked, on_lost=self._on_master_lost)
        environment.events.heartbeat_received.add_listener(self._watch.hear)
        # Locust's own watch goes by the time of day, and ends a worker whose clock is set.
        locust.runners.MASTER_HEARTBEAT_TIMEOUT = math.inf  # type: ignore[assignment]
        self._start_users = runner.start_worker
        runner.start_worker = self._start_users_unless_drained  # type: ignore[method-assign]
        runner.register_message(DRAIN, self._on_drain, concurrent=True)
        runner.register_message(SHARE, self._on_share)
        runner.register_message(CLOCK, self._on_clock)
        _ready.set()

    def _start_users_unless_drained(self, user_classes_count: dict[str, int], **rest: Any) -> None:
        """What users did after the last report would be counted by nobody."""
        if not self._drained:
            self._start_users(user_classes_count, **rest)

    def begin(self) -> None:
        """Start to record, with the settings that the master sent along."""
        key = os.environ.get("LOAD_TEST_API_KEY") or None
        assert self.environment.parsed_options is not None
        setup = Setup.get(self.environment.parsed_options, own_api_key=key)
        self.counting.reset()
        self.refused = None
        index = max(0, self.runner.worker_index)
        setup.apply(self.environment, worker_index=index, on_refusal=self._on_refusal)
        self.counting.on_new_host = lambda host: setup.check_host(
            host,
            on_production=self.counting.add_production_host,
            on_refusal=self._on_refusal,
        )
        self._arrivals.begin(setup.arrivals)
        self._run = setup.run
        self._sequence = 0
        self._drained = False
        self._sampler.start()
        self._reporter = gevent.spawn(self._report_forever)

    def _on_refusal(self, reason: str) -> None:
        if self.refused is None:
            self.refused = reason
            gevent.spawn(self._report)

    def _report_forever(self) -> None:
        while True:
            gevent.sleep(REPORT_S - time.time() % REPORT_S)
            self._report(before_second=int(time.time()))

    def _report(self, *, before_second: int | None = None, final: bool = False) -> None:
        with self._lock:
            if self._drained and not final:
                return  # the last report has said it all
            self._sequence += 1
            now_s = time.time()
            counting = self.counting
            hosts, counting.hosts = counting.hosts, {}
            windows = counting.take(before_second=before_second)
            report = Report(
                worker=self.runner.client_id,
                sequence=self._sequence,
                users=self.runner.user_count,
                windows=[(key, pack_window(window)) for key, window in windows],
                health=self._sampler.take(),
                hosts=hosts,
                production_hosts=sorted(counting.production_hosts),
                folded=counting.recorder.folded,
                crashes=counting.crashes,
                first_crash=counting.first_crash,
                refused=self.refused,
                final=final,
                run=self._run,
                sent_s=now_s,
                heard_s=heard_s(now_s),
            )
            try:
                self.runner.send_message(REPORT, {"report": pack(report)})
            except (RPCError, RPCSendError) as error:
                # The number was used, so the master sees a gap and calls the run inconclusive.
                self.environment.events.user_error.fire(
                    user_instance=None, exception=error, tb=error.__traceback__
                )

    def _on_share(self, msg: Message, **_: Any) -> None:
        self._arrivals.on_share(msg.data, now_s=time.time())

    def _on_clock(self, msg: Message, **_: Any) -> None:
        hear_time(msg.data.get("time"))

    def _on_master_lost(self, reason: str) -> None:
        write_error(f"otaload: error: {reason}; this worker ends\n")
        self.environment.process_exit_code = INCONCLUSIVE
        self.drain()
        self.runner.quit()

    def _on_drain(self, msg: Message, **_: Any) -> None:
        self.drain(run=str(msg.data["run"]))

    def drain(self, *, run: str | None = None) -> None:
        """Stop the users, let what is in flight finish, and send the last report.

        The master says of which run. A worker that has not begun it yet has nothing to tell of it,
        and what it may still have of another one is not part of it.
        """
        with self._lock:
            if self._drained:
                return
            self._drained = True
            if self._reporter is not None:
                self._reporter.kill()
                self._reporter = None
            self._arrivals.close()
            self.runner.stop()
            self._sampler.stop()
            if run is not None and run != self._run:
                self._run, self._sequence = run, 0
                self.counting.reset()
                self._sampler.take()
            if self._run:
                self._report(final=True)
            self.counting.take_crashes()
            # Nothing is left to wait for; Locust would sleep through it before the next run. The
            # next run's first message brings it again.
            self.environment.stop_timeout = 0.0

    def end_without_users(self, stuck: int) -> None:
        """End the process, because users do not end; its last report stays missing."""
        write_error(f"otaload: error: {stuck} users did not end; this worker ends\n")
        os._exit(INCONCLUSIVE)

    def tell_late_crashes(self) -> None:
        """Report once more where the test code has raised since the last report."""
        if self._run and self.counting.crashes:
            self._report(final=True)

    def leave(self) -> None:
        """Drain, and leave the run.

        In a Ctrl-C the master is stopping as well; a worker that quits first would have it share
        that worker's users out among the others.
        """
        self.drain()
        gevent.sleep(LEAVE_S)
        self.runner.quit()
