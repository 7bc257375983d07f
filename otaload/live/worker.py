"""A worker's part in a run: count, report to the master once a second, drain when asked."""

from __future__ import annotations

import os
import time
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import WorkerRunner

from otaload.live.counting import Counting
from otaload.live.health import HealthSampler
from otaload.live.reports import DRAIN, REPORT, Report, pack
from otaload.live.setup import Setup

REPORT_S = 1.0


class WorkerSession:
    """Everything that one worker process does for its runs."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self.environment = environment
        self.runner = runner
        self.counting = Counting(environment)
        self.refused: str | None = None
        self._sampler = HealthSampler(runner.client_id, lambda: runner.user_count)
        self._sequence = 0
        self._reporter: gevent.Greenlet[[], None] | None = None
        self._lock = RLock()
        runner.register_message(DRAIN, self._on_drain, concurrent=True)

    def begin(self) -> None:
        """Start to record, with the settings that the master sent along."""
        key = os.environ.get("LOAD_TEST_API_KEY") or None
        assert self.environment.parsed_options is not None
        setup = Setup.get(self.environment.parsed_options, own_api_key=key)
        self.counting.reset()
        self.refused = None
        index = max(0, self.runner.worker_index)
        setup.apply(self.environment, worker_index=index, on_refusal=self._on_refusal)
        self._sequence = 0
        self._sampler.start()
        self._reporter = gevent.spawn(self._report_forever)

    def _on_refusal(self, reason: str) -> None:
        self.refused = reason
        self._report()

    def _report_forever(self) -> None:
        while True:
            gevent.sleep(REPORT_S - time.time() % REPORT_S)
            self._report(before_second=int(time.time()))

    def _report(self, *, before_second: int | None = None, final: bool = False) -> None:
        with self._lock:
            self._sequence += 1
            counting = self.counting
            hosts, counting.hosts = counting.hosts, {}
            report = Report(
                worker=self.runner.client_id,
                sequence=self._sequence,
                users=self.runner.user_count,
                windows=counting.recorder.take(before_second=before_second),
                health=self._sampler.take(),
                hosts=hosts,
                crashes=counting.crashes,
                first_crash=counting.first_crash,
                refused=self.refused,
                final=final,
            )
            try:
                self.runner.send_message(REPORT, {"report": pack(report)})
            except RPCError as error:
                # The number was used, so the master sees a gap and calls the run inconclusive.
                self.environment.events.user_error.fire(
                    user_instance=None, exception=error, tb=error.__traceback__
                )

    def _on_drain(self, **_: Any) -> None:
        self.drain()

    def drain(self) -> None:
        """Stop the users, let what is in flight finish, and send the last report."""
        with self._lock:
            if self._reporter is None:
                return
            self._reporter.kill()
            self._reporter = None
            self.runner.stop()
            self._sampler.stop()
            self._report(final=True)

    def leave(self) -> None:
        """Drain, and leave the run."""
        self.drain()
        self.runner.quit()
