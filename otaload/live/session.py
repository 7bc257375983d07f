"""The runs of one Locust process, one after the other: planned, recorded, judged."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import MasterRunner

from analysis.thresholds import load_thresholds
from otaload.errors import OtaloadError
from otaload.live.aim import Aim
from otaload.live.console import say
from otaload.live.context import secrets_of
from otaload.live.counting import Counting
from otaload.live.crashes import CRASHED
from otaload.live.judging import INCONCLUSIVE, judge_in_process
from otaload.live.options import read_settings
from otaload.live.plan import Plan, make_plan, settle_aim
from otaload.live.recording import Recording
from otaload.live.reports import MalformedReportError, unpack
from otaload.live.scenario import scenario_of
from otaload.live.standing import Standing
from otaload.record.rundir import RUN, read_meta, write_json
from otaload.targets import load_targets

GOODBYE_S = 0.2
"""For the last messages of a master that ends at once to leave this machine."""


@dataclass
class Finished:
    """A run that has ended; `code` is its exit code once it is judged."""

    path: Path
    fail_on_warning: bool
    code: int | None = None


class Session:
    """Locust's events end here; `otaload.live.wiring` connects them.

    A headless process has one run. The web UI may start many, each of them planned when its form is
    sent and judged when it has ended.
    """

    def __init__(self, environment: Environment) -> None:
        options = environment.parsed_options
        assert options is not None
        self.environment = environment
        self.options: Namespace = options
        self.headless = bool(options.headless)
        self.last: Finished | None = None
        self.failed: int | None = None
        self.secrets = secrets_of(environment)
        self.counting = Counting(environment, self.secrets)
        self._aim: Aim | None = None
        self._plan: Plan | None = None
        self._recording: Recording | None = None
        self._interrupted: str | None = None
        self._refused: str | None = None
        self._lock = RLock()
        self._judging = RLock()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._recording is not None

    def standings(self) -> tuple[Standing, ...]:
        """How each threshold of the run under way stands; none without a run."""
        return () if self._recording is None else self._recording.standings()

    def prepare(self, options: Namespace | None = None) -> None:
        """Plan the next run, with options that may not be in force yet (the web UI's form).

        Raises `OtaloadError` with what is wrong and how to mend it; no trace is left of it then.
        """
        host = self.environment.host
        if options is not None and getattr(options, "host", None):
            self.environment.host = options.host
        try:
            plan = make_plan(self.environment, options or self.options, standing=self._aim)
        except OtaloadError:
            self.environment.host = host
            raise
        if self._plan is not None:
            self._plan.discard()
        self._plan = plan
        self._adopt(plan.aim)

    def offer_target(self) -> None:
        """Settle the target that the web UI's form begins with; a run is planned at its start."""
        settings = read_settings(self.options)
        load_thresholds(settings.thresholds_path)
        targets = load_targets(settings.targets_path, os.environ)
        scenario = scenario_of(self.environment)
        aim = settle_aim(self.environment, scenario, settings, targets, standing=None, form=True)
        self._adopt(aim)

    def refuse_edit(self, host: str | None) -> str | None:
        """Why a run that is under way may not be changed so; None where it may."""
        if self._plan is None or self._recording is None:
            return None
        if self._plan.scenario.shape is not None:
            return "a run is under way; stop it before starting another"
        if host and host.rstrip("/") != (self.environment.host or "").rstrip("/"):
            return "a run is under way; stop it before changing the host"
        return None

    def begin(self) -> None:
        """Locust starts the load."""
        if self._recording is not None:
            return
        if self._plan is None:
            try:
                self.prepare()
            except OtaloadError as error:
                # Started by what has no form that could have shown it.
                self.failed = error.exit_code
                gevent.spawn(self.stop)
                say(f"otaload: error: {self.secrets.redact(str(error))}")
                return
        assert self._plan is not None
        if self._plan.aim is not None:
            # The form may have said it in another spelling, or left it empty.
            self.environment.host = self._plan.aim.base_url
        self._interrupted = self._refused = None
        self._recording = Recording(
            self.environment,
            self._plan,
            self.counting,
            on_trouble=self._on_trouble,
            on_refusal=self._on_refusal,
            on_abort=self._on_abort,
        )
        self._recording.start()

    def on_report(self, msg: Any, **_: Any) -> None:
        """A worker's report arrives."""
        if self._recording is not None:
            self._recording.take_report(str(msg.node_id), msg.data)
        else:
            self._take_last_words(str(msg.node_id), msg.data)

    def _take_last_words(self, node_id: str, data: object) -> None:
        """What a worker's test code raised after its run was closed makes it a crashed one."""
        try:
            report = unpack(data.get("report") if isinstance(data, dict) else data, of=node_id)
        except MalformedReportError as error:
            say(f"otaload: error: the last words of {node_id[:60]!r} cannot be read ({error})")
            return
        if self.last is None or report.run != self.last.path.name:
            return
        self.counting.crashes += report.crashes
        if report.first_crash and self.counting.first_crash is None:
            self.counting.first_crash = self.secrets.redact(report.first_crash)

    def remark(self, note: str) -> None:
        """Something odd was heard; the run that is under way says so."""
        if self._recording is not None:
            self._recording.remark(note)

    def drain(self) -> None:
        """Locust is about to stop: on a master, wait for what the workers still have."""
        with self._lock:
            if self._recording is not None:
                self._recording.drain_workers()

    def interrupt(self, by: str) -> None:
        """Note who ended the run before its time; one without an end is just over."""
        shape = self._plan.scenario.shape if self._plan else None
        endless = shape is not None and math.isinf(shape.duration_s)
        if self.running and self._interrupted is None and not endless:
            self._interrupted = by

    def stop(self) -> None:
        """Stop the load and let what is in flight finish."""
        runner = self.environment.runner
        with self._lock:
            if runner is not None:
                (runner.quit if self.headless else runner.stop)()

    def finish(self) -> None:
        """Locust's users have stopped: close the run. The web UI's run is judged at once."""
        with self._lock:
            recording, plan = self._recording, self._plan
            if recording is None or plan is None:
                return
            if self._interrupted is None and recording.ended_early():
                self._interrupted = "the test code" if self.headless else "the web UI"
            self.last = Finished(plan.run.path, plan.settings.fail_on_warning)
            recording.finish(interrupted=self._interrupted, refused=self._refused)
            self._recording = self._plan = None
        if not self.headless:
            gevent.spawn(self.judge, self.last)
        elif recording.workers_gone:
            # Locust has stopped the run, and would wait for the end of its time.
            gevent.spawn(self.stop)

    def judge(self, run: Finished | None = None) -> int | None:
        """Judge a run (the last one), once; answers with its exit code, None without a run."""
        run = run or self.last
        if run is None:
            return None
        with self._judging:
            if run.code is None:
                run.code = judge_in_process(run.path, fail_on_warning=run.fail_on_warning)
            return run.code

    def take_late_crashes(self) -> int | None:
        """What the test code raised after its run was judged makes the run a crashed one.

        Answers with its exit code then; None where there is nothing of the kind.
        """
        crashes, first = self.counting.take_crashes()
        run = self.last
        if not crashes or run is None:
            return CRASHED if crashes else None
        try:
            meta = read_meta(run.path)
            known = meta.get("crashes") or {}
            meta["crashes"] = {
                "count": known.get("count", 0) + crashes,
                "first": known.get("first") or first,
            }
            write_json(run.path / RUN, meta)
        except (OtaloadError, OSError) as error:
            say(f"otaload: error: {run.path} cannot be written ({error})")
            return CRASHED
        run.code = None
        return self.judge(run)

    def abandon(self, by: str, *, code: int) -> None:
        """The process ends at once, with a code; its workers are told so."""
        self.failed = code
        recording, self._recording, self._plan = self._recording, None, None
        if recording is not None:
            recording.abandon(by)
        runner = self.environment.runner
        if isinstance(runner, MasterRunner):
            runner.send_message("quit")
            gevent.sleep(GOODBYE_S)
        self._adopt(None)

    def end_without_users(self, stuck: int) -> None:
        """End the process with its run's verdict, because users do not end."""
        recording, plan = self._recording, self._plan
        if recording is None or plan is None:
            return
        self._recording = self._plan = None
        what = "a user did" if stuck == 1 else f"{stuck} users did"
        note = f"{what} not end; a task that catches every exception catches its end as well"
        say(f"otaload: error: {note}")
        ended = "refused" if self._refused else "users did not end"
        notes = (note, self._refused) if self._refused else (note,)
        recording.abandon(self._interrupted, ended=ended, notes=notes)
        self.last = Finished(plan.run.path, plan.settings.fail_on_warning)
        code = self.judge()
        self._adopt(None)
        # Anything less would wait for them.
        os._exit(code or INCONCLUSIVE)

    def discard(self) -> None:
        """The process ends before the run began: leave nothing behind."""
        if self._plan is not None:
            self._plan.discard()
            self._plan = None
        self._adopt(None)

    def close(self) -> None:
        """The process is about to end: stop what was started beside Locust."""
        if self._plan is not None:
            # Planned and never begun: an empty run is judged, and is no pass.
            plan, self._plan = self._plan, None
            self.last = Finished(plan.run.path, plan.settings.fail_on_warning)
            plan.run.write_meta(ended="never started")
            plan.run.close()
        self._adopt(None)

    def _adopt(self, aim: Aim | None) -> None:
        service = self._aim.service if self._aim else None
        if self._aim is not None and (aim is None or aim.service is not service):
            self._aim.close()
        if aim is not None and aim.service is not None and aim.service is not service:
            say(f"otaload: no target given; the embedded service runs at {aim.base_url}")
        self._aim = aim
        if aim is not None:
            self.environment.host = aim.base_url

    def _on_refusal(self, reason: str) -> None:
        if self._refused is None:
            self._refused = reason
            self._on_trouble(reason)

    def _on_abort(self) -> None:
        gevent.spawn(self.stop)

    def _on_trouble(self, reason: str) -> None:
        self.interrupt(reason)
        gevent.spawn(self.stop)
        say(f"otaload: error: {reason}")
