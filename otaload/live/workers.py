"""The master's book on its workers: who reported, what is missing, who is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from otaload import __version__
from otaload.live.clocks import WorkerClock
from otaload.live.reports import Report

MOST_REMARKS = 20
"""Notes on reports that were refused; what sends one a second would fill a file with them."""


@dataclass
class Worker:
    """One worker as the master knows it; times in seconds after the start of the run.

    `gaps` counts reports that never came or could not be read, `repeats` those that came again and
    were left out. `away_s` is how long the master heard nothing of it and took it for missing,
    `missing` whether no report has come since, `last_s` when its last report came, `clock` what its
    clock is behind the master's.
    """

    id: str
    index: int
    reports: int = 0
    gaps: int = 0
    repeats: int = 0
    users_max: int = 0
    crashes: int = 0
    folded: int = 0
    final: bool = False
    left_early: bool = False
    missing: bool = False
    away_s: int = 0
    last_s: float | None = None
    version: str = __version__
    clock: WorkerClock = field(default_factory=WorkerClock)

    @property
    def lost(self) -> bool:
        """Whether it left before the end, or without a word."""
        return not self.final or self.left_early

    @property
    def amiss(self) -> tuple[bool, ...]:
        """What is wrong with it by now; all of it is false where nothing is."""
        strange = self.version != __version__
        return (*map(bool, (self.gaps, self.repeats, self.away_s)), *self._gone, strange)

    @property
    def _gone(self) -> tuple[bool, bool]:
        return self.missing, self.left_early

    def as_json(self, *, under_way: bool = False) -> dict[str, Any]:
        """As `run.json` has it; while the run is `under_way` no last report is due yet."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        clock: WorkerClock = fields.pop("clock")
        del fields["missing"]
        offset_s = clock.offset_s
        return {
            **fields,
            "last_s": None if self.last_s is None else round(self.last_s, 3),
            "clock_offset_s": None if offset_s is None else round(offset_s, 3),
            "clock_shift_s": clock.shift_s,
            "clock_set": clock.times_set,
            "lost": any(self._gone) if under_way else self.lost,
        }

    def notes(self) -> list[str]:
        """What a reader must know of it."""
        notes = []
        if not self.reports:
            notes.append("never reported; start it with the same -f as the master")
        elif not self.final:
            notes.append(
                f"was lost: its last report came {self.last_s or 0:.0f} s after the start, "
                "and what it did after that is missing"
            )
        elif self.left_early:
            notes.append("left before the run was over")
        if self.gaps:
            notes.append(f"{self.gaps} of its reports are missing")
        if self.repeats:
            notes.append(f"{self.repeats} of its reports came twice and were left out")
        if self.away_s and self.final:
            notes.append(f"was out of touch for {self.away_s} s, and its users were dealt anew")
        if self.version != __version__:
            notes.append(f"runs otaload {self.version}, the master {__version__}")
        notes += self.clock.notes()
        return notes


@dataclass
class Ledger:
    """All workers of a run, by id, in the order in which they were first heard of.

    `draining` is set once the workers have been asked for their last report.
    """

    workers: dict[str, Worker] = field(default_factory=dict)
    draining: bool = False
    _remarks: list[str] = field(default_factory=list)

    def expect(self, worker_ids: Iterable[str]) -> None:
        """Book workers that take part, whether or not they ever report."""
        for worker_id in worker_ids:
            self.of(worker_id)

    def enter(self, report: Report, *, at_s: float) -> bool:
        """Book a report that came `at_s` after the start; answers whether it is to be counted.

        A number that was skipped is a gap; one that was there before is not counted again.
        """
        worker = self.of(report.worker)
        expected = worker.reports + worker.gaps + 1
        if report.sequence < expected:
            worker.repeats += 1
            return False
        worker.gaps += report.sequence - expected
        worker.reports += 1
        worker.missing = False
        worker.last_s = at_s
        # After its last report a worker counts anew, and speaks again if something is raised.
        worker.crashes = report.crashes + (worker.crashes if worker.final else 0)
        worker.final = worker.final or report.final
        worker.left_early = worker.left_early or (report.final and not self.draining)
        worker.users_max = max(worker.users_max, report.users)
        worker.folded = report.folded
        worker.version = report.version
        return True

    def enter_unreadable(self, worker_id: str, reason: str, *, known: bool = True) -> None:
        """Book a report that could not be read; one of a stranger is only remarked."""
        if known:
            self.of(worker_id).gaps += 1
        self.remark(f"worker {worker_id} sent a report that cannot be read: {reason}")

    def enter_stray(self, worker_id: str, run: str) -> None:
        """A report came that belongs to another run, which it was too late for."""
        self.remark(
            f"worker {worker_id} sent a report of {run[:60] or 'another run'}; it is left out"
        )

    def remark(self, note: str) -> None:
        """Keep a note once: a worker of another version would send one every second."""
        if note not in self._remarks and len(self._remarks) < MOST_REMARKS:
            self._remarks.append(note)

    def watch(self, missing: Iterable[str]) -> None:
        """Once a second: which workers the master now takes for missing."""
        for worker_id in missing:
            worker = self.workers.get(worker_id)
            if worker is not None and not worker.final:
                worker.missing = True
                worker.away_s += 1

    def of(self, worker_id: str) -> Worker:
        """The worker with an id, new or known."""
        return self.workers.setdefault(worker_id, Worker(worker_id, len(self.workers)))

    def finished(self) -> set[str]:
        """The ids of the workers whose last report is in."""
        return {worker.id for worker in self.workers.values() if worker.final}

    def at_work(self) -> set[str]:
        """The ids of the workers that have reported users and not taken their leave."""
        return {w.id for w in self.workers.values() if w.users_max and not w.final}

    def silent(self) -> set[str]:
        """The ids of the workers that have never reported."""
        return {worker.id for worker in self.workers.values() if not worker.reports}

    @property
    def crashes(self) -> int:
        """Exceptions of test code on all workers."""
        return sum(worker.crashes for worker in self.workers.values())

    @property
    def folded(self) -> int:
        """Requests whose names or texts were beyond the bounds of their workers."""
        return sum(worker.folded for worker in self.workers.values())

    @property
    def amiss(self) -> dict[str, tuple[bool, ...]]:
        """What is wrong by now with each worker of which anything is."""
        found = {worker.id: worker.amiss for worker in self.workers.values()}
        return {worker_id: amiss for worker_id, amiss in found.items() if any(amiss)}

    def as_json(self, *, under_way: bool = False) -> list[dict[str, Any]]:
        """As `run.json` has it."""
        return [worker.as_json(under_way=under_way) for worker in self.workers.values()]

    def notes(self) -> list[str]:
        """What a reader must know of the workers."""
        told = [
            f"worker {worker.index} ({worker.id}){':' if note[0].isdigit() else ''} {note}"
            for worker in self.workers.values()
            for note in worker.notes()
        ]
        return [*self._remarks, *told]
