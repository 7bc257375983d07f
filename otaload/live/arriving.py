"""Arrivals in a process that has users: what it is told, and the desk that it keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from locust.dispatch import UsersDispatcher
from locust.env import Environment

from otaload.arrivals import Curve, Desk, Stretch, spliced
from otaload.http import LeanHttpUser
from otaload.live.scenario import Scenario

SHARE = "otaload_share"
"""Locust message type, master to worker."""
SAME_CLOCK_S = 1.0
"""Clocks that agree so well are taken as one; else a message is taken to arrive as it is sent."""
ATTRIBUTE = "arrivals"
"""Of Locust's environment, where users look whether they are to wait for arrivals."""


@dataclass(frozen=True, kw_only=True)
class ArrivalPlan:
    """The arrivals of a run: their rate, its end, the classes' weights, the run's start."""

    stretches: tuple[Stretch, ...]
    end_s: float
    weights: Mapping[str, float]
    start_s: float

    @classmethod
    def of(cls, scenario: Scenario, *, start_s: float) -> ArrivalPlan | None:
        """The arrivals of a scenario that starts at a Unix time; None for one of users."""
        shape = scenario.shape
        if shape is None or not shape.has_arrivals:
            return None
        stretches = tuple(
            Stretch(stage.start_s, stage.end_s, stage.rate_from or 0.0, stage.rate_to or 0.0)
            for stage in shape.timeline
        )
        weights = {name: float(weight) for name, weight in scenario.mix().items()}
        return cls(stretches=stretches, end_s=shape.duration_s, weights=weights, start_s=start_s)

    def as_json(self) -> dict[str, Any]:
        """As it travels in a `Setup`; an end that never comes is None."""
        return {
            "stretches": [
                [s.start_s, _finite(s.end_s), s.from_per_s, s.to_per_s] for s in self.stretches
            ],
            "end_s": _finite(self.end_s),
            "weights": dict(self.weights),
            "start_s": self.start_s,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> ArrivalPlan:
        """The reverse of `as_json`."""
        return cls(
            stretches=tuple(
                Stretch(start_s, _or_never(end_s), from_per_s, to_per_s)
                for start_s, end_s, from_per_s, to_per_s in fields["stretches"]
            ),
            end_s=_or_never(fields["end_s"]),
            weights=fields["weights"],
            start_s=fields["start_s"],
        )

    @property
    def curve(self) -> Curve:
        """When the arrivals are due."""
        return Curve(self.stretches, end_s=self.end_s)

    def changed_to(self, other: ArrivalPlan, at_s: float) -> ArrivalPlan:
        """This plan up to a moment of the run and another one from there on."""
        return replace(other, stretches=spliced(self.stretches, other.stretches, at_s))

    @property
    def first_s(self) -> float:
        """When the rate first leaves zero."""
        for stretch in self.stretches:
            if stretch.from_per_s or stretch.to_per_s:
                return stretch.start_s
        return 0.0


class ProcessArrivals:
    """The arrivals of one process: a desk while a run plans any, nothing otherwise."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._plan: ArrivalPlan | None = None
        self._desk: Desk | None = None
        self._dealt = False

    def begin(self, plan: Mapping[str, Any] | None) -> None:
        """A run begins: its users find the desk at the environment when they start."""
        self.close()
        self._plan = self._desk = None
        self._dealt = False
        if plan is not None:
            found = self._plan = ArrivalPlan.from_json(plan)
            self._desk = Desk(found.curve, found.weights, start_s=found.start_s)
            self._desk.open()
        setattr(self._environment, ATTRIBUTE, self._desk)

    def take_all(self) -> None:
        """The process is the only one."""
        if self._desk is not None:
            self._desk.share(0.0, index=0, count=1)

    def on_share(self, share: Mapping[str, Any], *, now_s: float) -> None:
        """The master deals a share; `now_s` is this machine's Unix time."""
        if self._desk is None or self._plan is None or share["start_s"] != self._plan.start_s:
            return  # of a run that is over
        ahead_s = now_s - share["sent_s"]
        if not self._dealt and abs(ahead_s) >= SAME_CLOCK_S:
            self._desk.start_at(self._plan.start_s + ahead_s)
        self._dealt = True
        self.replan(ArrivalPlan.from_json(share["plan"]))
        self._desk.share(share["from_s"], index=share["index"], count=share["count"])

    def replan(self, plan: ArrivalPlan) -> None:
        """Go on by another plan, which is the same up to now."""
        if self._desk is not None:
            self._desk.replan(plan.curve)

    def close(self) -> None:
        """No further arrival is handed out; what was counted can still be asked for."""
        if self._desk is not None:
            self._desk.close()

    def keys(self, before_second: int | None) -> dict[str, Any]:
        """What a row of `users.jsonl` has of arrivals that were due before a second."""
        counts = None if self._desk is None else self._desk.take(before_second=before_second)
        return {} if counts is None else {"arrivals": counts.as_json()}


class EvenDispatcher(UsersDispatcher):
    """Gives every worker the same users, class by class.

    Locust's own deals users out in one row, so that of two workers one may get every user of a
    class, while each process takes its share of the arrivals of every class.
    """

    def _user_gen(self) -> Iterator[str | None]:
        for user in super()._user_gen():
            for _ in self._worker_nodes:
                yield user


def dispatcher_for(scenario: Scenario) -> type[UsersDispatcher]:
    """How a scenario's users are shared out among workers."""
    shape = scenario.shape
    return EvenDispatcher if shape is not None and shape.has_arrivals else UsersDispatcher


def why_unfit(scenario: Scenario) -> str | None:
    """What keeps a scenario's user classes from taking arrivals; None if nothing does."""
    if scenario.shape is None or not scenario.shape.has_arrivals:
        return None
    for cls in scenario.user_classes:
        if not issubclass(cls, LeanHttpUser):
            return f"{cls.__name__} cannot take arrivals; derive it from otaload.http.LeanHttpUser"
        if any(isinstance(task, type) for task in cls.tasks):
            return (
                f"{cls.__name__} has a TaskSet, which would run on without further arrivals; write "
                "what one arrival does as a @task function"
            )
    return None


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds


def _or_never(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds
