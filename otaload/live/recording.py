"""One run while it is under way, on the process that owns it: the only one, or the master."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import gevent
from locust import log as locust_log
from locust.env import Environment
from locust.runners import MasterRunner

from otaload.live.arrival_record import ArrivalRecord
from otaload.live.console import say
from otaload.live.counting import Counting
from otaload.live.crew import Crew
from otaload.live.disk import DiskWatch, MetaWrites
from otaload.live.display import Display
from otaload.live.gathering import Gathering
from otaload.live.health import HealthSampler
from otaload.live.plan import Plan
from otaload.live.progress import Progress, Recent
from otaload.live.standing import Standing, standings_of
from otaload.live.steering import Steering, longest_look_s
from otaload.live.tail import Tail
from otaload.record import OTHER, Window, WindowKey
from staging.errors import StagingError

FLUSH_S = 1.0
REPORTED_S = 2
"""How long after a second the reports of all workers on it are in."""


class Recording:
    """Flushes windows to the run directory once a second until `finish`.

    `on_trouble` is called with a sentence when the run cannot go on, `on_refusal` when it was about
    to load a host that it may not load, and `on_abort` when a rule ends a run without a profile.
    """

    def __init__(
        self,
        environment: Environment,
        plan: Plan,
        counting: Counting,
        *,
        on_trouble: Callable[[str], None],
        on_refusal: Callable[[str], None],
        on_abort: Callable[[], None],
    ) -> None:
        self.environment = environment
        self.plan = plan
        self.start_s = time.time()
        self._counting = counting
        self._on_trouble = on_trouble
        self._on_refusal = on_refusal
        self._notes: list[str] = list(plan.run.meta["notes"])
        self._gathering = Gathering(self._take_gathered)
        self._disk = DiskWatch(plan.run)
        self._meta = MetaWrites(plan.run, self._disk_trouble)
        self._told_crash = False
        self._told_amiss: dict[str, tuple[bool, ...]] = {}
        self._secrets = counting.secrets
        self._tail = Tail(keep_s=longest_look_s(plan))
        self._standings = standings_of(plan.thresholds, plan.scenario, start_s=self.start_s)
        self._display = Display(plan.settings.progress, self.progress)
        self._arrivals = ArrivalRecord(
            environment, plan.scenario, start_s=self.start_s, keep_s=self._tail.keep_s
        )
        self._steering = Steering(
            environment,
            plan,
            self._tail,
            start_s=self.start_s,
            missed_ratio=self._arrivals.missed_ratio,
            note=self._notes.append,
            on_abort=on_abort,
            # Which is then known at a crash too.
            on_played=lambda searched: self._meta.write(**searched),
        )
        runner = environment.runner
        self._master = runner if isinstance(runner, MasterRunner) else None
        self._crew = Crew(environment, self._master, run=plan.run.path.name, start_s=self.start_s)
        self._sampler = HealthSampler(
            "master" if self._master else "local", self._count_own_users, also=self._arrivals.keys
        )
        self._flusher = gevent.Greenlet(self._flush_forever)

    def start(self) -> None:
        """Begin: hand the settings to users or workers, and open the books."""
        setup = dataclasses.replace(
            self.plan.setup, arrivals=self._arrivals.plan_as_json, run=self.plan.run.path.name
        )
        if self._master is not None:
            self._crew.begin()
            count = max(1, self._master.worker_count)
            options = self.environment.parsed_options
            assert options is not None
            dataclasses.replace(setup, worker_count=count).put(options)
        else:
            setup.apply(self.environment, worker_index=0, on_refusal=self._on_refusal)
            self._arrivals.begin()
        if self.plan.aim is not None and self.plan.aim.service is not None:
            try:
                self.plan.aim.service.reset_counters()
            except StagingError as error:
                self._on_trouble(f"the embedded service was lost: {error}")
        self._counting.reset()
        self._counting.on_new_host = lambda host: setup.check_host(
            host,
            on_production=self._counting.add_production_host,
            on_refusal=self._on_refusal,
        )
        try:
            self.plan.run.write_meta(start=self.start_s)
        except OSError as error:
            self._disk_trouble(error)
        self._sampler.start()
        self._flusher.link_exception(self._on_broken)
        self._flusher.start()
        say(f"otaload: recording to {self.plan.run.path}")
        self._display.open(self.start_s)

    def take_report(self, node_id: str, data: object) -> None:
        """Take a worker's report in; a damaged or missing one is noted and never ignored."""
        report = self._crew.take(node_id, data)
        if report is None:
            return
        if report.first_crash and self._counting.first_crash is None:
            self._counting.first_crash = self._secrets.redact(report.first_crash)
        for host, count in report.hosts.items():
            self._counting.add_host(host, count)
        for host in report.production_hosts:
            self._counting.add_production_host(host)
        self._gathering.add(report)
        if report.refused:
            self._on_refusal(report.refused)

    def remark(self, note: str) -> None:
        """Keep a note on what the workers' port has heard, once."""
        self._crew.ledger.remark(note)

    def _take_gathered(
        self, windows: list[tuple[WindowKey, Window]], rows: list[dict[str, Any]]
    ) -> None:
        self._remember(windows)
        self._write(windows=windows, rows=rows)

    def drain_workers(self) -> None:
        """Hand out no more load, and wait for the last report of every worker."""
        self._arrivals.close()
        self._crew.drain()

    def finish(self, *, interrupted: str | None, refused: str | None) -> None:
        """Write what is left, and close the run; where that breaks, it stays incomplete."""
        try:
            self._finish(interrupted=interrupted, refused=refused)
        except Exception as error:
            self._break_off("closing the run", error)
            self._write_end(end=time.time(), **self._process_books(), notes=self._notes)
        self.plan.run.close()
        self._counting.take_crashes()
        locust_log.unhandled_greenlet_exception = False

    def _finish(self, *, interrupted: str | None, refused: str | None) -> None:
        self._flusher.kill()
        self._disk.close()
        self._meta.close()
        self._display.close()
        self._steering.stop_looking()
        self._sampler.stop()
        self._flush(before_second=None)
        end_s = time.time()
        self._steering.close(end_s)
        if refused:
            ended = "refused"
        elif interrupted:
            ended = "interrupted"
        elif self._crew.gone:
            ended = "workers lost"
        else:
            ended = self._steering.ended
        counters = self._service_counters()
        self._gathering.flush()  # a report may have come while the service was asked
        self._write_end(
            end=end_s,
            ended=ended,
            interrupted=ended if refused else interrupted,
            refusal=refused,
            **self._process_books(),
            **self._steering.as_json(end_s),
            service_counters=counters,
            notes=[*self._notes, *self._closing_notes()],
            complete=not self._disk.failed,
        )

    def _process_books(self) -> dict[str, Any]:
        return {
            "crashes": self._crashes(),
            "hosts": self._counting.hosts,
            "production_hosts": sorted(self._counting.production_hosts),
            "workers": self._crew.ledger.as_json(),
            "processes": max(1, len(self._crew.ledger.workers)),
        }

    def _write_end(self, **meta: Any) -> None:
        meta = self._secrets.redact_all(meta)
        try:
            self.plan.run.sync()  # `complete` must not outlive what it speaks of
            self.plan.run.write_meta(recorded=self.plan.run.recorded, **meta)
        except OSError as error:
            # The run then stays incomplete on disk, which no verdict takes for a good one.
            say(f"otaload: error: {self.plan.run.path} cannot be written ({error.strerror})")

    def _service_counters(self) -> dict[str, Any] | None:
        service = self.plan.aim.service if self.plan.aim else None
        if service is None:
            return None
        try:
            return service.counters()
        except (StagingError, OSError) as error:
            self._notes.append(f"the embedded service was lost: {error}")
            return None

    @property
    def workers_gone(self) -> bool:
        """Whether nobody is left to make the load."""
        return self._crew.gone

    def abandon(
        self, by: str | None, *, ended: str = "abandoned", notes: tuple[str, ...] = ()
    ) -> None:
        """Write down what there is, because the process ends at once; the run stays incomplete."""
        self._display.close()
        # What fails from here on fails because we leave, and says nothing of the service.
        self._flusher.kill(block=False)
        self._flush(before_second=None)
        self._meta.close()
        self._write_end(
            end=time.time(),
            ended=ended,
            interrupted=by,
            notes=[*self._notes, *notes],
            **self._process_books(),
        )

    def ended_early(self) -> bool:
        """Whether the planned end has not come, and nothing that is known has ended the run."""
        shape = self.plan.scenario.shape
        if self._steering.aborted or self._crew.gone:
            return False
        if shape is None:
            # Locust's own timer may fire a moment early by this clock.
            planned_s = (self.plan.settings.run_time_s or 0.0) - 1.0
            return time.time() - self.start_s < planned_s
        return (
            shape.ended_by is None
            and not math.isinf(shape.duration_s)
            and time.time() - self.start_s < shape.duration_s
        )

    def _count_own_users(self) -> int:
        runner = self.environment.runner
        return 0 if runner is None or self._master is not None else runner.user_count

    def _flush_forever(self) -> None:
        while True:
            gevent.sleep(FLUSH_S - time.time() % FLUSH_S)
            now_s = time.time()
            self._flush(before_second=int(now_s))
            self._watch_disk(now_s)
            self._steering.watch(now_s)
            if not self._crew.draining:
                self._crew.watch()
                self._arrivals.update(self._master, self._crew.at_work(), now_s=now_s)
            self._tell_at_once()
            self._display.show(now_s)

    def _on_broken(self, flusher: gevent.Greenlet[[], None]) -> None:
        """Nothing is flushed or watched any more: the run ends, and stays incomplete."""
        self._break_off("recording", flusher.exception)

    def _break_off(self, doing: str, error: BaseException | None) -> None:
        """Note that a part of recording has failed, which no verdict takes for a good run."""
        self._disk.failed = True
        note = f"{doing} broke ({type(error).__name__}: {error})"
        self._notes.append(f"{note}: what came after may be missing")
        self._on_trouble(self._secrets.redact(note))

    def _remember(self, windows: list[tuple[WindowKey, Window]]) -> None:
        self._tail.add(windows)
        self._standings.add(windows)

    def _flush(self, *, before_second: int | None) -> None:
        self._gathering.flush()
        windows = self._counting.take(before_second=before_second)
        self._remember(windows)
        now_s = time.time()
        shape, runner = self.plan.scenario.shape, self.environment.runner
        planned = shape.users_at(now_s - self.start_s) if shape else None
        if shape is None and runner is not None:
            planned = runner.target_user_count
        row = {
            "second": int(now_s),
            "planned": planned or 0,
            "users": runner.user_count if runner else 0,
            **self._arrivals.planned(now_s),
        }
        self._write(windows=windows, rows=[row, *self._sampler.take()])

    def _write(
        self,
        *,
        windows: list[tuple[WindowKey, Window]],
        rows: list[dict[str, Any]],
    ) -> None:
        self._arrivals.count(rows)
        try:
            self.plan.run.append_windows(windows)
            self.plan.run.append_users(rows)
        except OSError as error:
            self._disk_trouble(error)

    def _tell_at_once(self) -> None:
        """Write down at once what is no pass: a run that is killed later is no better for it."""
        told: dict[str, Any] = {}
        crashes = self._crashes()
        if crashes["count"] and not self._told_crash:
            self._told_crash = True
            told["crashes"] = crashes
        if self._crew.ledger.amiss != self._told_amiss:
            self._told_amiss = self._crew.ledger.amiss
            told["workers"] = self._crew.ledger.as_json(under_way=True)
        if told:
            self._meta.write(**told)

    def _watch_disk(self, now_s: float) -> None:
        error = self._disk.watch(now_s)
        if error is not None:
            self._disk_trouble(error)

    def _disk_trouble(self, error: OSError) -> None:
        if not self._disk.failed:
            self._disk.failed = True
            note = f"{self.plan.run.path} cannot be written ({error.strerror or error})"
            self._notes.append(f"{note}: what came after is missing")
            self._on_trouble(note)

    def progress(self, now_s: float) -> Progress:
        """How the run stands at this moment."""
        elapsed_s = now_s - self.start_s
        shape, runner = self.plan.scenario.shape, self.environment.runner
        until = int(now_s) - (REPORTED_S if self._master else 0)
        return Progress(
            scenario=self.plan.scenario.name,
            elapsed_s=elapsed_s,
            planned_s=shape.duration_s if shape else (self.plan.settings.run_time_s or math.inf),
            stage=self._steering.told or self.plan.scenario.stage_at(elapsed_s) or "running",
            users=runner.user_count if runner else 0,
            recent=Recent.of(self._tail, until=until, start_s=self.start_s),
            requests=self._tail.requests,
            failures=self._tail.failures,
            arrivals=self._arrivals.told(now_s),
            standings=self.standings(),
        )

    def standings(self) -> tuple[Standing, ...]:
        """How each threshold stands at this moment."""
        return self._standings.now()

    def _crashes(self) -> dict[str, Any]:
        crashes = self._counting.crashes + self._crew.ledger.crashes
        # Whatever Locust has noticed and this process has not is in its log.
        crashes = crashes or int(bool(locust_log.unhandled_greenlet_exception))
        return {"count": crashes, "first": self._counting.first_crash}

    def _closing_notes(self) -> list[str]:
        notes = [*self._crew.ledger.notes(), *self._steering.notes()]
        if locust_log.unhandled_greenlet_exception and self._counting.first_crash is None:
            notes.append("an exception outside the users was raised; locust's log has it")
        beyond = self._counting.hosts.get(OTHER)
        if beyond:
            notes.append(f"{beyond} requests to hosts beyond the bound are counted as other")
        folded = self._counting.recorder.folded + self._crew.ledger.folded
        folded += self._gathering.names.folded
        if folded:
            notes.append(f"{folded} requests beyond the bound on names are counted as other")
        return notes
