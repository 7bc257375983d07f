"""Connects otaload to Locust's events; importing it does so, once for a process."""

from __future__ import annotations

import atexit
import sys
from argparse import ArgumentParser
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from otaload.errors import ConfigurationError, OtaloadError
from otaload.live.console import calm_locust, prepare_console
from otaload.live.judging import INCONCLUSIVE
from otaload.live.options import add_options
from otaload.live.reports import REPORT
from otaload.live.session import Session
from otaload.live.signals import Interrupts, WorkerInterrupts
from otaload.live.worker import WorkerSession, hold_users_until_ready


def on_parser(parser: ArgumentParser, **_: Any) -> None:
    """Locust builds its command line."""
    add_options(parser)
    prepare_console()


def on_init(environment: Environment, runner: Any, web_ui: Any, **_: Any) -> None:
    """Locust is set up and has not started anything."""
    if isinstance(runner, WorkerRunner):
        worker = WorkerSession(environment, runner)
        events.test_start.add_listener(lambda **_: worker.begin())
        events.quitting.add_listener(lambda **_: worker.drain())
        WorkerInterrupts(worker).install()
        return
    try:
        if environment.parsed_options is not None and environment.parsed_options.class_picker:
            raise ConfigurationError(
                "--class-picker: a run is planned before it starts; name the user classes after "
                "the options instead"
            )
        session = Session(environment)
        autostart = bool(environment.parsed_options and environment.parsed_options.autostart)
        if web_ui is None or autostart:
            session.prepare()
            atexit.register(session.discard)
        else:
            session.offer_target()
    except OtaloadError as error:
        sys.stderr.write(f"otaload: error: {error}\n")
        sys.exit(error.exit_code)
    calm_locust(headless=session.headless)
    Interrupts(session).install()
    runner.register_message(REPORT, session.on_report)
    events.test_start.add_listener(lambda **_: session.begin())
    events.test_stopping.add_listener(lambda **_: session.drain())
    events.test_stop.add_listener(lambda **_: session.finish())
    if web_ui is not None:
        # Imported here, because a worker and a headless run have no use for a web framework.
        from otaload.live.webui import extend

        extend(web_ui, environment, session)

    def on_quitting(environment: Environment, **_: Any) -> None:
        if session.failed is not None:
            environment.process_exit_code = session.failed
        elif session.running or session.last is not None or session.headless:
            environment.process_exit_code = INCONCLUSIVE  # until a verdict says otherwise
        try:
            session.stop()
            session.finish()
        finally:
            session.close()
        code = session.judge()
        if code is not None:
            environment.process_exit_code = code

    events.quitting.add_listener(on_quitting)


hold_users_until_ready()
events.init_command_line_parser.add_listener(on_parser)
events.init.add_listener(on_init)
