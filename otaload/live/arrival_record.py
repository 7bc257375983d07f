"""Arrivals on the process that owns the run: who takes which, and what has become of them.

The master deals shares to the workers that have reported, and anew whenever one joins or leaves.
A share counts from a moment ahead, so that all processes change over at the same arrival.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner

from otaload.live.arriving import SHARE, ArrivalPlan, ProcessArrivals
from otaload.live.scenario import Scenario
from otaload.live.tail import KEEP_S, forget_beyond

AHEAD_S = 1.0
"""How far ahead a share is dealt, so that it has reached every worker before it counts."""


class Shares:
    """The master's side: who takes which arrivals, dealt anew when members or plan change."""

    def __init__(self) -> None:
        self._members: Set[str] = frozenset()
        self._plan: ArrivalPlan | None = None

    def deal(
        self, members: Set[str], plan: ArrivalPlan, *, now_s: float
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The message for each member, by its id; none while all is as before."""
        if not members or (members == self._members and plan == self._plan):
            return
        self._members, self._plan = frozenset(members), plan
        # Before the first arrival nothing can be dealt twice, so all begin with it.
        from_s = max(plan.first_s, now_s - plan.start_s + AHEAD_S)
        for index, member in enumerate(sorted(members)):
            yield (
                member,
                {
                    "start_s": plan.start_s,
                    "sent_s": now_s,
                    "from_s": from_s,
                    "index": index,
                    "count": len(members),
                    "plan": plan.as_json(),
                },
            )


class ArrivalRecord:
    """One run's arrivals; every method does nothing where the scenario plans users instead.

    A profile may change its timeline while it runs, as a search for a limit does; what lies more
    than `AHEAD_S` and a flush ahead is then played as it says.
    """

    def __init__(
        self, environment: Environment, scenario: Scenario, *, start_s: float, keep_s: int = KEEP_S
    ) -> None:
        self._process = ProcessArrivals(environment)
        self._scenario = scenario
        self._shares = Shares()
        self._wanted = self._plan = ArrivalPlan.of(scenario, start_s=start_s)
        self._start_s = start_s
        self._arrived = self._missed = 0
        self._keep_s = keep_s
        self._seconds: dict[int, tuple[int, int]] = {}

    @property
    def plan_as_json(self) -> dict[str, Any] | None:
        """What every process must know."""
        return None if self._plan is None else self._plan.as_json()

    def begin(self) -> None:
        """This process is the only one: take every arrival."""
        self._process.begin(self.plan_as_json)
        self._process.take_all()

    def close(self) -> None:
        """This process hands out no further arrival."""
        self._process.close()

    def keys(self, before_second: int | None) -> dict[str, Any]:
        """What this process's row of `users.jsonl` has of arrivals."""
        return self._process.keys(before_second)

    def update(self, master: MasterRunner | None, members: Set[str], *, now_s: float) -> None:
        """Have every process take its share of what the profile now plans; once a second."""
        wanted = ArrivalPlan.of(self._scenario, start_s=self._start_s)
        if wanted is None or self._plan is None:
            return
        if wanted != self._wanted:
            self._wanted = wanted
            self._plan = self._plan.changed_to(wanted, now_s - self._start_s + AHEAD_S)
            if master is None:
                self._process.replan(self._plan)
        if master is not None:
            for member, share in self._shares.deal(members, self._plan, now_s=now_s):
                master.send_message(SHARE, share, client_id=member)

    def planned(self, now_s: float) -> dict[str, float]:
        """What the row of the whole run has: the rate that is planned for now."""
        shape = self._scenario.shape
        if self._plan is None or shape is None:
            return {}
        return {"rate": round(shape.rate_at(now_s - self._start_s) or 0.0, 3)}

    def count(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add up what rows of processes have."""
        for row in rows:
            counts = row.get("arrivals")
            if isinstance(counts, dict):
                planned, missed = counts.get("planned", 0), counts.get("missed", 0)
                self._arrived += planned
                self._missed += missed
                before = self._seconds.get(row["second"], (0, 0))
                self._seconds[row["second"]] = before[0] + planned, before[1] + missed
        forget_beyond(self._seconds, self._keep_s, now_s=time.time())

    def missed_ratio(self, first: int, end: int) -> float:
        """The share of the arrivals of the seconds in [first, end) that found no free user."""
        counts = [self._seconds.get(second, (0, 0)) for second in range(first, end)]
        planned = sum(count[0] for count in counts)
        return sum(count[1] for count in counts) / planned if planned else 0.0

    def told(self, now_s: float) -> str:
        """The end of the progress line: the rate, and how many arrivals were missed."""
        if self._plan is None:
            return ""
        rate = self.planned(now_s)["rate"]
        return f", {rate:.1f} arrivals/s, {self._missed} of {self._arrived} missed"
