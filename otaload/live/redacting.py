"""Keeps secrets out of what Locust writes of its own: its log, and its table of exceptions."""

from __future__ import annotations

import logging
from typing import Any

from locust.rpc import Message
from locust.runners import Runner, WorkerRunner

from otaload.record.text import as_text
from otaload.redaction import Secrets


class _Redacting(logging.Formatter):
    """Formats as another formatter does, and takes secrets out of the result."""

    def __init__(self, formatter: logging.Formatter | None, secrets: Secrets) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return self._secrets.redact(self._formatter.format(record))


def redact_logs(secrets: Secrets) -> None:
    """Have every handler of a log, the web UI's among them, write without secrets."""
    named = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    for handler in {handler for log in (logging.root, *named) for handler in log.handlers}:
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter, secrets))


def redact_exceptions(runner: Runner, secrets: Secrets) -> None:
    """Have Locust's table of exceptions, which the web UI shows, hold no secret.

    A worker sends what its users raise to the table of its master, which does not know the secrets
    that the worker has learnt.
    """
    if isinstance(runner, WorkerRunner):
        _redact_sent_exceptions(runner, secrets)
        return
    log_exception = runner.log_exception

    def log(node_id: str, msg: str, formatted_tb: str) -> Any:
        return log_exception(node_id, secrets.redact(msg), secrets.redact(formatted_tb))

    runner.log_exception = log  # type: ignore[method-assign]


def _redact_sent_exceptions(runner: WorkerRunner, secrets: Secrets) -> None:
    send = runner.client.send

    def send_redacted(message: Message) -> None:
        if message.type == "exception":
            # What is no text to the serialiser would take the message with it.
            told = {name: secrets.redact(as_text(text)) for name, text in message.data.items()}
            message = Message(message.type, told, message.node_id)
        send(message)

    runner.client.send = send_redacted
