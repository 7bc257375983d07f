"""The master's book on its workers: who reported, what is missing, who is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from otaload import __version__
from otaload.live.reports import Report


@dataclass
class Worker:
    """One worker; `gaps` counts reports that never came or could not be read."""

    id: str
    index: int
    reports: int = 0
    gaps: int = 0
    users_max: int = 0
    crashes: int = 0
    final: bool = False
    left_early: bool = False
    version: str = __version__


@dataclass
class Ledger:
    """All workers of a run, by id, in the order in which they were first heard of.

    `draining` is set once the workers have been asked for their last report.
    """

    workers: dict[str, Worker] = field(default_factory=dict)
    draining: bool = False

    def expect(self, worker_ids: Iterable[str]) -> None:
        """Book workers that take part, whether or not they ever report."""
        for worker_id in worker_ids:
            self.of(worker_id)

    def enter(self, report: Report) -> None:
        """Book a report; a number that was skipped is a gap."""
        worker = self.of(report.worker)
        expected = worker.reports + worker.gaps + 1
        worker.gaps += max(0, report.sequence - expected)
        worker.reports += 1
        worker.final = worker.final or report.final
        worker.left_early = worker.left_early or (report.final and not self.draining)
        worker.users_max = max(worker.users_max, report.users)
        worker.crashes = report.crashes
        worker.version = report.version

    def enter_unreadable(self, worker_id: str) -> None:
        """Book a report that could not be read."""
        self.of(worker_id).gaps += 1

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

    def as_json(self) -> list[dict[str, Any]]:
        """As `run.json` has it; a worker that left before the end, or without a word, is lost."""
        return [{**asdict(w), "lost": not w.final or w.left_early} for w in self.workers.values()]

    def notes(self) -> list[str]:
        """What a reader must know of the workers."""
        notes = []
        for worker in self.workers.values():
            if not worker.reports:
                notes.append(
                    f"worker {worker.id} never reported; start it with the same -f as the master"
                )
            elif not worker.final:
                notes.append(f"worker {worker.id} was lost: its last report never came")
            elif worker.left_early:
                notes.append(f"worker {worker.id} left before the run was over")
            if worker.gaps:
                notes.append(f"worker {worker.id}: {worker.gaps} of its reports are missing")
            if worker.version != __version__:
                notes.append(
                    f"worker {worker.id} runs otaload {worker.version}, the master {__version__}"
                )
        return notes
