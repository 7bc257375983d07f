"""Connects otaload to Locust's events; importing it does so, once for a process."""

from __future__ import annotations

import atexit
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.event import EventHook
from locust.runners import MasterRunner, WorkerRunner

from otaload.errors import ConfigurationError, OtaloadError
from otaload.live.console import calm_locust, prepare_console
from otaload.live.context import secrets_of
from otaload.live.crashes import (
    Note,
    is_meant,
    refuse_to_start,
    tell_uncaught,
    watch_test_code,
)
from otaload.live.defusing import defuse_output
from otaload.live.forked import end_forked_workers_at_exit
from otaload.live.judging import INCONCLUSIVE
from otaload.live.last_words import hear_workers_out, speak_last
from otaload.live.options import add_options
from otaload.live.redacting import redact_exceptions, redact_logs
from otaload.live.reports import REPORT
from otaload.live.session import Session
from otaload.live.signals import Interrupts, WorkerInterrupts
from otaload.live.strangers import endure_strange_bytes, endure_strange_messages
from otaload.live.stuck_users import StuckUsers
from otaload.live.telling import name_of, tell_unstarted
from otaload.live.worker import WorkerSession, hold_users_until_ready
from otaload.redaction import Secrets
from otaload.standard_output import write_error


def on_parser(parser: ArgumentParser, **_: Any) -> None:
    """Locust builds its command line."""
    add_options(parser)
    defuse_output(os.environ)
    prepare_console()


def on_init(environment: Environment, runner: Any, web_ui: Any, **_: Any) -> None:
    """Locust is set up and has not started anything."""
    secrets = secrets_of(environment)
    redact_logs(secrets)
    redact_exceptions(runner, secrets)
    if isinstance(runner, WorkerRunner):
        _take_part(environment, runner)
    else:
        _own_runs(environment, runner, web_ui)


def _take_part(environment: Environment, runner: WorkerRunner) -> None:
    worker = WorkerSession(environment, runner)
    watch_test_code(worker.counting.note_crash, worker.counting.secrets)
    _listen_first(events.test_start, worker.begin)
    events.quitting.add_listener(lambda **_: worker.drain())
    speak_last(worker.tell_late_crashes)
    StuckUsers(environment, worker.end_without_users).watch()
    WorkerInterrupts(worker).install()


def _listen_first(event: EventHook, act: Callable[[], None]) -> None:
    """Act before the listeners of the locustfile, so that what they ask for is recorded, too."""
    event._handlers.insert(0, lambda **_: act())


def _own_runs(environment: Environment, runner: Any, web_ui: Any) -> None:
    if environment.parsed_options is not None and environment.parsed_options.processes:
        end_forked_workers_at_exit()
    try:
        if environment.parsed_options is not None and environment.parsed_options.class_picker:
            raise ConfigurationError(
                "--class-picker: a run is planned before it starts; name the user classes after "
                "the options instead"
            )
        session = Session(environment)
        # Before anything is started that a signal would leave behind.
        Interrupts(session).install()
        if _is_unattended(environment, web_ui):
            atexit.register(session.discard)
            session.prepare()
        else:
            session.offer_target()
    except OtaloadError as error:
        write_error(f"otaload: error: {secrets_of(environment).redact(str(error))}\n")
        if _is_unattended(environment, web_ui):
            tell_unstarted(name_of(environment.parsed_options), str(error))
        sys.exit(error.exit_code)
    calm_locust(headless=session.headless)
    runner.register_message(REPORT, session.on_report)
    if isinstance(runner, MasterRunner):
        endure_strange_messages(runner, session.remark)
        hear_workers_out(runner)
    else:
        StuckUsers(environment, session.end_without_users).watch()
    _listen_first(events.test_start, session.begin)
    events.test_stopping.add_listener(lambda **_: session.drain())
    events.test_stop.add_listener(lambda **_: session.finish())
    # The listeners of this event are called backwards: those of the locustfile come first, and
    # what they raise is judged, too.
    events.quitting._handlers.insert(0, _once(lambda: _conclude(session)))
    events.quit.add_listener(lambda **_: _conclude_late(session))
    if web_ui is not None:
        # Imported here, because a worker and a headless run have no use for a web framework.
        from otaload.live.webui import extend

        extend(web_ui, environment, session)
    name = name_of(environment.parsed_options) if _is_unattended(environment, web_ui) else None
    watch_test_code(_refusing_while_set_up(session.counting.note_crash, name), session.secrets)


def _is_unattended(environment: Environment, web_ui: Any) -> bool:
    """Whether a run begins by itself, without anybody at a form who would see why it does not."""
    options = environment.parsed_options
    return web_ui is None or bool(options and options.autostart)


def _once(act: Callable[[], None]) -> Callable[..., None]:
    """Act at the first call alone; a second one never returns.

    At SIGTERM Locust ends twice at once: by its own handler, and because the load has ended. The
    first ends the process, and two would end it with a traceback.
    """
    begun = False

    def listen(**_: Any) -> None:
        nonlocal begun
        while begun:
            gevent.sleep(1)
        begun = True
        act()

    return listen


def _conclude(session: Session) -> None:
    """Locust is about to end: close what is open, judge, and set the exit code."""
    environment = session.environment
    theirs = environment.process_exit_code
    if session.failed is not None:
        environment.process_exit_code = session.failed
    elif session.running or session.last is not None or session.headless:
        environment.process_exit_code = INCONCLUSIVE  # until a verdict says otherwise
    try:
        session.stop()
        session.finish()
    finally:
        session.close()
    late = session.take_late_crashes()
    code = session.judge() if late is None else late
    if code is not None:
        # A listener of the locustfile may find fault with a run, and not acquit one.
        environment.process_exit_code = code or theirs or 0


def _conclude_late(session: Session) -> None:
    """Locust's very last event: what was raised since the verdict is judged, too."""
    code = session.take_late_crashes()
    if code is not None:
        sys.exit(code)


def _refusing_while_set_up(note: Note, name: str | None) -> Note:
    """End the process where a listener raises while Locust is being set up.

    Locust would end as well, with a code that says nothing. Those who wait for the verdict of the
    run of that name are told.
    """
    setting_up = True

    def done() -> None:
        nonlocal setting_up
        setting_up = False

    def see(error: BaseException) -> None:
        note(error)
        if setting_up and not is_meant(error):
            if name is not None:
                tell_unstarted(name, f"the test code raised ({type(error).__name__})")
            refuse_to_start(error)

    gevent.spawn(done)  # runs once Locust has set everything up and waits for the first time
    return see


tell_uncaught(Secrets(os.environ))
hold_users_until_ready()
endure_strange_bytes()
events.init_command_line_parser.add_listener(on_parser)
events.init.add_listener(on_init)
