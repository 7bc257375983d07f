"""What every process of a run must know alike; the master sends it to its workers."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from locust.env import Environment

from otaload.live.context import RunContext, attach
from otaload.live.guard import connect_guard
from otaload.targets import Targets, targets_from_json, targets_to_json

_ATTRIBUTE = "otaload_setup"
"""Of the parsed options, which Locust hands to every worker together with its first users."""

KILL_GRACE_S = 5.0
"""How much longer than a request's own deadline a stopping user may take."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """`targets` is None for a locustfile that knows itself where it goes.

    `api_key` is set for the embedded service only, whose key is no secret; any other key stays in
    the environment of the process that needs it.
    """

    scenario: str
    allowed_on_production: bool
    targets: Targets | None
    api_key: str | None
    seed: int
    think_s: tuple[float, float]
    release_day: bool
    worker_count: int = 1

    def put(self, options: Namespace) -> None:
        """Lay it into the options that Locust sends to workers."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["targets"] = targets_to_json(self.targets) if self.targets else None
        setattr(options, _ATTRIBUTE, orjson.dumps(fields).decode())

    @classmethod
    def get(cls, options: Namespace, *, own_api_key: str | None) -> Setup:
        """What the master laid in; `own_api_key` is this process's own."""
        fields = orjson.loads(getattr(options, _ATTRIBUTE))
        fields["think_s"] = tuple(fields["think_s"])
        if fields["targets"] is not None:
            key = fields["api_key"] or own_api_key
            fields["targets"] = targets_from_json(fields["targets"], api_key=key)
        return cls(**fields)

    def apply(
        self, environment: Environment, *, worker_index: int, on_refusal: Callable[[str], None]
    ) -> None:
        """Give the users of this process their context, and time to finish at the end."""
        if self.targets is None:
            return
        context = RunContext(
            self.targets,
            seed=self.seed,
            worker_index=worker_index,
            worker_count=self.worker_count,
            think_s=self.think_s,
            release_day=self.release_day,
        )
        context.on_refusal = on_refusal
        guard = connect_guard(
            self.targets, scenario=self.scenario, allowed=self.allowed_on_production
        )
        attach(environment, context, guard)
