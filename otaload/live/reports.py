"""What a worker tells the master once a second, packed to bytes.

Locust loses a worker's report without a word when it holds a type that its serialiser does not
know, so reports are packed here, and numbered, so that a gap shows.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from otaload import __version__
from otaload.record import WindowKey
from otaload.record.packing import FORMAT, PackedWindow, from_wire, to_wire
from otaload.record.text import dump_json

REPORT = "otaload_report"
DRAIN = "otaload_drain"
"""Locust message types: worker to master, and master to worker."""


@dataclass
class Report:
    """Everything of one worker since its last report; `final` once its users have stopped.

    `run` names the run that it belongs to, `sent_s` is the worker's own Unix time, and `heard_s`
    the master's time less that, when the worker last heard from the master.
    """

    worker: str
    sequence: int
    users: int
    windows: list[tuple[WindowKey, PackedWindow]]
    health: list[dict[str, Any]]
    hosts: dict[str, int] = field(default_factory=dict)
    production_hosts: list[str] = field(default_factory=list)
    folded: int = 0
    crashes: int = 0
    first_crash: str | None = None
    refused: str | None = None
    final: bool = False
    run: str = ""
    sent_s: float = 0.0
    heard_s: float | None = None
    version: str = __version__


class MalformedReportError(ValueError):
    """A report that cannot be read; its text says why."""


def pack(report: Report) -> bytes:
    """A report as bytes: a frame, the fields as JSON, the buckets of the windows."""
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    fields["windows"], buckets = to_wire(report.windows)
    head = dump_json(fields)
    checksum = zlib.crc32(buckets, zlib.crc32(head, len(head)))
    return b"".join((FORMAT, _FRAME.pack(checksum, len(head)), head, buckets))


def unpack(data: object, *, of: str | None = None) -> Report:
    """The report in some bytes, `of` a certain worker if given.

    Raises `MalformedReportError` where they hold none.
    """
    if not isinstance(data, bytes):
        raise MalformedReportError(f"expected bytes, not {type(data).__name__}")
    begin = len(FORMAT) + _FRAME.size
    if not data.startswith(FORMAT) or len(data) < begin:
        raise MalformedReportError("it is not of this version; run the same otaload everywhere")
    checksum, length = _FRAME.unpack_from(data, len(FORMAT))
    if zlib.crc32(memoryview(data)[begin:], length) != checksum:
        raise MalformedReportError("it was damaged on its way")
    try:
        fields = orjson.loads(memoryview(data)[begin : begin + length])
        fields["windows"] = from_wire(fields["windows"], data[begin + length :])
        report = Report(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedReportError(f"{type(error).__name__}: {error}") from error
    _check(report)
    if of is not None and report.worker != of:
        raise MalformedReportError("it bears the name of another worker")
    return report


def _check(report: Report) -> None:
    """Everything that is reckoned with has its kind; what is booked must not break the books."""
    if type(report.worker) is not str or not report.worker or not _is_count(report.sequence):
        raise MalformedReportError("no worker or no number")
    texts = {"run": report.run, "version": report.version}
    texts |= {"refused": report.refused or "", "first_crash": report.first_crash or ""}
    kinds = {
        **{name: type(value) is str for name, value in texts.items()},
        "users": _is_count(report.users),
        "folded": _is_count(report.folded),
        "crashes": _is_count(report.crashes),
        "final": type(report.final) is bool,
        "sent_s": _is_number(report.sent_s),
        "heard_s": report.heard_s is None or _is_number(report.heard_s),
        "hosts": type(report.hosts) is dict and all(map(_is_count, report.hosts.values())),
        "production_hosts": _is_texts(report.production_hosts),
        "health": type(report.health) is list and all(map(_is_row, report.health)),
    }
    wrong = [name for name, right in kinds.items() if not right]
    if wrong:
        raise MalformedReportError(f"{', '.join(wrong)}: not of the kind expected")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(value))  # type: ignore[arg-type]


def _is_texts(value: object) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _is_row(row: object) -> bool:
    if type(row) is not dict or not _is_count(row.get("second")):
        return False
    arrivals = row.get("arrivals")
    return arrivals is None or (
        type(arrivals) is dict
        and all(_is_count(arrivals.get(name, 0)) for name in ("planned", "missed"))
    )


_FRAME = struct.Struct("<II")
"""The checksum of all that follows, which begins with the length of the JSON in it; that length."""
