"""A second opinion: h11, which shares no code with the client's parser, on the same bytes."""

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import h11

_MAX_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Reading:
    """A whole response, as far as transfer decoding goes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read(stream: bytes, method: str, *, ended: bool) -> Reading | str:
    """The first final response in a stream, or why there is none.

    `ended` says that the peer closed in order after the last byte; a reset is no end.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    head: h11.Response | None = None
    body = bytearray()
    try:
        connection.receive_data(stream)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if not ended:
                    return "incomplete"
                ended = False
                connection.receive_data(b"")
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Reading(head.status_code, _merged(head.headers.raw_items()), bytes(body))
            elif not isinstance(event, h11.InformationalResponse):
                return f"unexpected {event!r}"
    except h11.RemoteProtocolError as error:
        return f"invalid: {error}"


def normalised(stream: bytes) -> bytes:
    """The stream as it should have been, where the client is lenient on purpose (as llhttp is).

    Line ends before the status line are skipped, and a reason may hold anything but a line end.
    """
    status_line, end, rest = stream.lstrip(b"\r\n").partition(b"\r\n")
    return b" ".join(status_line.split(b" ", 2)[:2]) + b" " + end + rest


def decoded(body: bytes, content_encoding: str, *, limit: int) -> bytes | None:
    """A body with its codings undone; None where that cannot be, or comes to more than `limit`."""
    for name in reversed([part.strip().lower() for part in content_encoding.split(",")]):
        if name in {"", "identity"}:
            continue
        try:
            if name in {"gzip", "x-gzip"}:
                body = gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1) if body else b""
            elif name == "deflate":
                body = _inflated(body, limit)
            elif name == "br":
                body = _unbrotlied(body, limit)
            else:
                return None
        except (OSError, EOFError, zlib.error, brotli.error):
            return None
        if len(body) > limit:
            return None
    return body


def _inflated(body: bytes, limit: int) -> bytes:
    if not body:
        return b""
    try:
        stream = zlib.decompressobj(15)
        out = stream.decompress(body, limit + 1)
    except zlib.error:
        stream = zlib.decompressobj(-15)
        out = stream.decompress(body, limit + 1)
    if len(out) <= limit and not stream.eof:
        raise EOFError
    return out


def _unbrotlied(body: bytes, limit: int) -> bytes:
    if not body:
        return b""
    stream = brotli.Decompressor()
    out = stream.process(body, output_buffer_limit=limit + 1)
    while len(out) <= limit and not stream.is_finished():
        more = stream.process(b"", output_buffer_limit=limit + 1)
        if not more:
            raise EOFError
        out += more
    return bytes(out)


def _merged(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged
