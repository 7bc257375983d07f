"""Keeps secrets out of what Locust writes of its own: its log, and its table of exceptions."""

from __future__ import annotations

import logging
from typing import Any

from locust.runners import Runner

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
    """Have Locust's table of exceptions, which the web UI shows, hold no secret."""
    log_exception = runner.log_exception

    def log(node_id: str, msg: str, formatted_tb: str) -> Any:
        return log_exception(node_id, secrets.redact(msg), secrets.redact(formatted_tb))

    runner.log_exception = log  # type: ignore[method-assign]
