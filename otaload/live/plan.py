"""What is settled about a run before it starts, so that everything wrong is told at once."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from dataclasses import dataclass, replace

from locust import FastHttpUser, HttpUser
from locust.env import Environment

from analysis.thresholds import Thresholds, load_thresholds
from otaload.errors import ConfigurationError, OtaloadError
from otaload.http import LeanHttpUser
from otaload.live.aim import Aim, aim_again, reach, take_aim
from otaload.live.arriving import dispatcher_for, why_unfit
from otaload.live.context import load_hook, secrets_of
from otaload.live.guard import refuse_production
from otaload.live.metadata import describe_run
from otaload.live.options import Settings, read_settings
from otaload.live.scenario import Scenario, scenario_of
from otaload.live.setup import KILL_GRACE_S, Setup
from otaload.record import RunDirectory
from otaload.redaction import Secrets
from otaload.targets import Targets, load_targets
from otaload.yamlfile import did_you_mean, read_text

FOREIGN_STOP_S = 30.0
"""How long users of a foreign locustfile may take to end; --stop-timeout says otherwise."""


@dataclass(frozen=True)
class Plan:
    """A run that can start: `aim` is None for a locustfile that knows itself where it goes."""

    scenario: Scenario
    settings: Settings
    thresholds: Thresholds
    aim: Aim | None
    setup: Setup
    run: RunDirectory

    def discard(self) -> None:
        """Forget a run that was planned and never began."""
        self.run.discard()


def make_plan(environment: Environment, options: Namespace, *, standing: Aim | None) -> Plan:
    """Settle scales, thresholds, target and run directory.

    `standing` is the aim of the run before, whose embedded service is used again. The directory
    comes last, so that nothing is left behind by what cannot start. Raises `OtaloadError` with what
    is wrong and how to mend it.
    """
    scenario = scenario_of(environment)
    settings = read_settings(options)
    if scenario.shape is None and environment.shape_class is not None:
        # Locust does not end a shape by --run-time; somebody else's ends when it says so.
        settings = replace(settings, run_time_s=None)
    _plan_shape(scenario, settings, options)
    thresholds = load_thresholds(settings.thresholds_path)
    _check_endpoints(scenario, thresholds, settings)
    targets = load_targets(settings.targets_path, os.environ)
    if targets.verify_hook:
        load_hook(targets.verify_hook)
    aim = settle_aim(environment, scenario, settings, targets, standing=standing)
    try:
        if aim is not None and aim.service is None:
            reach(aim.targets)
        run = _make_run(
            *(scenario, settings, aim),
            users=options.num_users,
            secrets=secrets_of(environment),
        )
    except OtaloadError:
        if aim is not None and (standing is None or aim.service is not standing.service):
            aim.close()
        raise
    if aim is not None:
        environment.host = aim.base_url
    if not environment.stop_timeout:
        # Until a request's own deadline, a user may finish what it is doing: nothing is cut off.
        own_s = targets.total_timeout_s + KILL_GRACE_S
        environment.stop_timeout = own_s if scenario.has_devices else FOREIGN_STOP_S
    environment.dispatcher_class = dispatcher_for(scenario)
    setup = _setup_for(scenario, settings, targets, aim)
    return Plan(scenario, settings, thresholds, aim, setup, run)


def settle_aim(
    environment: Environment,
    scenario: Scenario,
    settings: Settings,
    targets: Targets,
    *,
    standing: Aim | None,
    form: bool = False,
) -> Aim | None:
    """Where the run goes; None for a locustfile that knows it itself.

    With `form`, a host may still be given in the web UI's form.
    """
    host = environment.host or None
    if standing is not None and standing.service is not None and host == standing.base_url:
        if standing.service.running:
            return aim_again(standing.service, targets, settings.faults)
        host = None
    allowed = scenario.allowed_on_production
    if not scenario.has_devices and not host and targets.base_url is None:
        class_hosts = sorted({str(cls.host) for cls in scenario.user_classes if cls.host})
        for url in class_hosts:
            refuse_production(
                targets, url, scenario=scenario.name, allowed=allowed, source="its user class"
            )
        if class_hosts and settings.faults:
            raise ConfigurationError(
                f"--faults: {class_hosts[0]} (from its user class) is not the embedded service; "
                "drop --faults"
            )
        if not settings.faults:
            if not form:
                _check_has_host(scenario)
            return None
    return take_aim(
        targets,
        host=host,
        scenario=scenario.name,
        allowed=allowed,
        exercises=scenario.exercises or (),
        faults=settings.faults,
    )


def _check_has_host(scenario: Scenario) -> None:
    for cls in scenario.user_classes:
        if issubclass(cls, HttpUser | FastHttpUser | LeanHttpUser) and not cls.host:
            raise ConfigurationError(
                f"{scenario.locustfile}: {cls.__name__} has no host; pass --host"
            )


def _plan_shape(scenario: Scenario, settings: Settings, options: Namespace) -> None:
    shape = scenario.shape
    if scenario.profiles > 1:
        raise ConfigurationError("several scenarios were named with -f; run one at a time")
    if shape is None:
        if settings.is_rehearsal:
            raise ConfigurationError(
                f"--time-scale, --user-scale: {scenario.locustfile} has no profile of otaload's "
                "to scale; use locust's --users and --run-time"
            )
        return
    if (options.headless or options.autostart) and (options.num_users or options.spawn_rate):
        raise ConfigurationError(
            f"--users, --spawn-rate: {scenario.name} plans its users itself; use --user-scale"
        )
    strangers = [cls.__name__ for cls in scenario.user_classes if cls not in shape.mix]
    if strangers:
        raise ConfigurationError(
            f"{scenario.name}: {', '.join(strangers)} is not in its mix; run one scenario at a time"
        )
    unfit = why_unfit(scenario)
    if unfit:
        raise ConfigurationError(f"{scenario.name}: {unfit}")
    shape.plan(
        time_scale=settings.time_scale,
        user_scale=settings.user_scale,
        run_time_s=settings.run_time_s,
    )


def _check_endpoints(scenario: Scenario, thresholds: Thresholds, settings: Settings) -> None:
    """A misspelt endpoint would not apply to any scenario, and so never be judged."""
    known = scenario.known_endpoints
    named = [(endpoint, f"endpoints.{endpoint}") for endpoint in thresholds.endpoints]
    named += [
        (rule.endpoint, f"abort: {rule.endpoint}") for rule in thresholds.abort if rule.endpoint
    ]
    for endpoint, where in named if known is not None else ():
        name = endpoint.removesuffix(" (redirect)").rpartition(" ")[2]
        if name not in (known or ()):
            raise ConfigurationError(
                f"{settings.thresholds_path}: {where}: no such endpoint"
                f"{did_you_mean(name, known or ())}"
            )


def _make_run(
    scenario: Scenario,
    settings: Settings,
    aim: Aim | None,
    *,
    users: int | None,
    secrets: Secrets,
) -> RunDirectory:
    start_s = time.time()
    return RunDirectory.create(
        settings.reports_dir,
        scenario=scenario.name,
        start_s=start_s,
        meta=secrets.redact_all(
            describe_run(scenario, settings, aim, start_s=start_s, users=users)
        ),
        thresholds=read_text(settings.thresholds_path),
    )


def _setup_for(scenario: Scenario, settings: Settings, targets: Targets, aim: Aim | None) -> Setup:
    shape = scenario.shape
    return Setup(
        scenario=scenario.name,
        allowed_on_production=scenario.allowed_on_production,
        targets=aim.targets if aim else targets,
        api_key=aim.targets.api_key if aim and aim.service else None,
        seed=settings.seed,
        think_s=shape.think_s if shape else (1.0, 3.0),
        pacing_s=shape.pacing_s if shape else None,
        release_day=shape.release_day if shape else False,
    )
