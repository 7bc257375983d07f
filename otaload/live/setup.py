"""What every process of a run must know alike; the master sends it to its workers."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from locust.env import Environment
from locust.exception import StopUser

from otaload.errors import RefusedError
from otaload.live.context import RunContext, attach, load_hook, secrets_of
from otaload.live.guard import connect_guard
from otaload.targets import Targets, targets_from_json, targets_to_json

_ATTRIBUTE = "otaload_setup"
"""Of the parsed options, which Locust hands to every worker together with its first users."""

KILL_GRACE_S = 5.0
"""How much longer than a request's own deadline a stopping user may take."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What travels; `targets` has no base URL for a locustfile that knows itself where it goes.

    `api_key` is set for the embedded service only, whose key is no secret; any other key stays in
    the environment of the process that needs it.
    """

    scenario: str
    allowed_on_production: bool
    targets: Targets
    api_key: str | None
    seed: int
    think_s: tuple[float, float]
    release_day: bool
    pacing_s: float | None = None
    worker_count: int = 1
    arrivals: dict[str, Any] | None = None
    """An `ArrivalPlan` as plain data, where the profile counts in arrivals."""
    run: str = ""
    """The run's name, by which a report that is late is told from one of the next run."""

    def put(self, options: Namespace) -> None:
        """Lay it into the options that Locust sends to workers."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields["targets"] = targets_to_json(self.targets)
        setattr(options, _ATTRIBUTE, orjson.dumps(fields).decode())

    @classmethod
    def get(cls, options: Namespace, *, own_api_key: str | None) -> Setup:
        """What the master laid in; `own_api_key` is this process's own."""
        fields = orjson.loads(getattr(options, _ATTRIBUTE))
        fields["think_s"] = tuple(fields["think_s"])
        key = fields["api_key"] or own_api_key
        fields["targets"] = targets_from_json(fields["targets"], api_key=key)
        return cls(**fields)

    def apply(
        self, environment: Environment, *, worker_index: int, on_refusal: Callable[[str], None]
    ) -> None:
        """Give the users of this process their context, and their HTTP clients the guard."""
        hook = self.targets.verify_hook
        context = RunContext(
            self.targets,
            seed=self.seed,
            worker_index=worker_index % self.worker_count,
            worker_count=self.worker_count,
            think_s=self.think_s,
            pacing_s=self.pacing_s,
            release_day=self.release_day,
            verify_hook=load_hook(hook) if hook else None,
            secrets=secrets_of(environment),
        )
        context.on_refusal = on_refusal
        check = connect_guard(
            self.targets, scenario=self.scenario, allowed=self.allowed_on_production
        )

        def guard(host: str, port: int) -> None:
            try:
                check(host, port)
            except RefusedError as error:
                context.refuse(str(error))
                raise StopUser from error

        attach(environment, context, guard)

    def check_host(
        self,
        host: str,
        *,
        on_production: Callable[[str], None],
        on_refusal: Callable[[str], None],
    ) -> None:
        """Hold a host that was contacted against the same rule.

        The only one that is left for clients that do not ask the guard, such as Locust's own.
        """
        try:
            hostname = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return  # no host that could be contacted
        if not self.targets.is_production(hostname):
            return
        on_production(host)
        if not self.allowed_on_production:
            on_refusal(
                f"{host}, which is production, was contacted by a client that does not ask first; "
                f"{self.scenario} was ended"
            )
