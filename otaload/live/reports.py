"""What a worker tells the master once a second, packed to bytes.

Locust loses a worker's report without a word when it holds a type that its serialiser does not
know, so reports are packed here, and numbered, so that a gap shows.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from otaload import __version__
from otaload.record import WindowKey
from otaload.record.packing import FORMAT, PackedWindow, from_wire, to_wire

REPORT = "otaload_report"
DRAIN = "otaload_drain"
"""Locust message types: worker to master, and master to worker."""


@dataclass
class Report:
    """Everything of one worker since its last report; `final` once its users have stopped."""

    worker: str
    sequence: int
    users: int
    windows: list[tuple[WindowKey, PackedWindow]]
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
    """A report as bytes: a frame, the fields as JSON, the buckets of the windows."""
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    fields["windows"], buckets = to_wire(report.windows)
    head = orjson.dumps(fields)
    checksum = zlib.crc32(buckets, zlib.crc32(head, len(head)))
    return b"".join((FORMAT, _FRAME.pack(checksum, len(head)), head, buckets))


def unpack(data: object) -> Report:
    """The report in some bytes; raises `MalformedReportError` where they hold none."""
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
    if not isinstance(report.worker, str) or type(report.sequence) is not int:
        raise MalformedReportError("no worker or no number")
    return report


_FRAME = struct.Struct("<II")
"""The checksum of all that follows, which begins with the length of the JSON in it; that length."""
