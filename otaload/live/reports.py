"""What a worker tells the master once a second, packed to bytes.

Locust loses a worker's report without a word when it holds a type that its serialiser does not
know, so reports are packed here, and numbered, so that a gap shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from otaload import __version__
from otaload.record import Window, WindowKey, window_from_json, window_to_json

REPORT = "otaload_report"
DRAIN = "otaload_drain"
"""Locust message types: worker to master, and master to worker."""


@dataclass
class Report:
    """Everything of one worker since its last report; `final` once its users have stopped."""

    worker: str
    sequence: int
    users: int
    windows: list[tuple[WindowKey, Window]]
    health: list[dict[str, Any]]
    hosts: dict[str, int] = field(default_factory=dict)
    crashes: int = 0
    first_crash: str | None = None
    refused: str | None = None
    final: bool = False
    version: str = __version__


class MalformedReportError(ValueError):
    """A report that cannot be read; its text says why."""


def pack(report: Report) -> bytes:
    """A report as bytes."""
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    fields["windows"] = [window_to_json(key, window) for key, window in report.windows]
    return orjson.dumps(fields)


def unpack(data: object) -> Report:
    """The report in some bytes; raises `MalformedReportError` where they hold none."""
    if not isinstance(data, bytes):
        raise MalformedReportError(f"expected bytes, not {type(data).__name__}")
    try:
        fields = orjson.loads(data)
        fields["windows"] = [window_from_json(record) for record in fields["windows"]]
        report = Report(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedReportError(f"{type(error).__name__}: {error}") from error
    if not isinstance(report.worker, str) or type(report.sequence) is not int:
        raise MalformedReportError("no worker or no number")
    return report
