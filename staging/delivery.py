"""Sending an answer and counting exactly what was sent."""

import time

from staging.connection import Connection
from staging.counters import EndpointCounts
from staging.injection import Treatment
from staging.messages import Response, Send

# One write at a time, so that a client that goes away mid-body is noticed and not sent the rest.
_PART_BYTES = 256 << 10

# A slow body leaves in twenty parts a second.
_PARTS_PER_S = 20


async def deliver(
    response: Response,
    conn: Connection,
    send: Send,
    counts: EndpointCounts,
    *,
    head_only: bool,
    treatment: Treatment | None = None,
) -> str | None:
    """Send an answer; the kind of error that the request ended in, or None."""
    status = response.status
    body = b"" if head_only else response.body
    if conn.flow.write_paused:
        await conn.drained()
    if conn.leaving:
        return "client_gone"
    counts.responses[status] += 1
    start = {"type": "http.response.start", "status": status, "headers": response.headers}
    if treatment is None and len(body) <= _PART_BYTES:
        counts.bytes_out += len(body)
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return "status" if status >= 400 else None
    await send(start)
    return await _deliver_parts(status, body, conn, send, counts, treatment or Treatment())


async def _deliver_parts(
    status: int,
    body: bytes,
    conn: Connection,
    send: Send,
    counts: EndpointCounts,
    treatment: Treatment,
) -> str | None:
    corrupted = treatment.corrupt is not None and status in (200, 206) and len(body) > 0
    if treatment.corrupt is not None and corrupted:
        body = _with_one_byte_changed(body, treatment.corrupt.randrange(len(body)))
    cut, end = None, len(body)
    if treatment.cut is not None and end:
        cut = treatment.cut
        end = min(int(end * treatment.keep), end - 1)
    rate = treatment.bytes_per_s
    part_bytes = _PART_BYTES if rate is None else max(1, int(rate / _PARTS_PER_S))
    began_s = time.perf_counter()
    view = memoryview(body)
    conn.watch_every_byte()
    for offset in range(0, max(end, 1), part_bytes):
        part = view[offset : min(offset + part_bytes, end)]
        sent = offset + len(part)
        if rate is not None:
            await conn.wait_until(began_s + sent / rate)
        if not await conn.drained():
            return "client_gone"
        counts.bytes_out += len(part)
        more = cut is not None or sent < end
        await send({"type": "http.response.body", "body": part, "more_body": more})
    if cut == "reset":
        await conn.reset(flush=True)
        return cut
    if cut == "truncate":
        await conn.close()
        return cut
    if not await conn.all_passed_on():
        return "client_gone"
    if corrupted:
        return "corrupt"
    return "status" if status >= 400 else None


def _with_one_byte_changed(body: bytes, position: int) -> bytes:
    changed = bytearray(body)
    changed[position] ^= 0xFF
    return bytes(changed)
