"""One client connection: what faults and exact counts need to know beyond plain ASGI.

ASGI hides the transport.  A TCP reset, a body that is cut short and the news that a client has gone
need it, so the service's uvicorn protocol puts itself into each request's scope.
"""

import asyncio
import socket
import struct
import time
from collections.abc import MutableMapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SCOPE_KEY = "staging.connection"

# uvloop's timers count whole milliseconds of a clock that stands still during an iteration, so a
# timer may fire a millisecond early.  Waits are checked against the real clock and end within
# half a tick of their deadline, which leaves a mean error near zero without spinning.
_HALF_TICK_S = 0.0005

# Data must have left for the peer before the reset, which discards whatever is still queued.
_RESET_DELAY_S = 0.02


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP protocol that hands itself to the application."""

    gone = False
    lost_with: Exception | None = None
    _waiter: "asyncio.Future[None] | None" = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(MutableMapping[str, Any], self.scope)[SCOPE_KEY] = self

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.lost_with = exc
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self.config.loaded_app.counters.malformed += 1
        super().send_400_response(msg)

    async def wait_until(self, deadline_s: float) -> bool:
        """Wait for a moment of `time.perf_counter`; False at once when the client has gone."""
        while not self.gone:
            remaining_s = deadline_s - time.perf_counter()
            if remaining_s < _HALF_TICK_S:
                return True
            await self._wait(remaining_s)
        return False

    async def wait_gone(self) -> None:
        """Wait until the connection is lost, from whichever side."""
        while not self.gone:
            await self._wait(None)

    async def _wait(self, timeout_s: float | None) -> None:
        waiter = self._waiter = self.loop.create_future()
        timer = None if timeout_s is None else self.loop.call_later(timeout_s, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    @property
    def leaving(self) -> bool:
        """Whether what is written now would be thrown away: the connection is lost or closing."""
        return self.gone or self.transport.is_closing()

    async def drained(self) -> bool:
        """Wait until the transport has passed on what it holds; False when the client leaves."""
        if self.flow.write_paused:
            await self.flow.drain()
        return not self.leaving

    async def all_passed_on(self) -> bool:
        """Wait for the last byte to leave for the kernel; False when the connection broke first.

        A transport that closes in an orderly way, as with `Connection: close`, passes on everything
        before it is lost, and then without an error.
        """
        if self.flow.write_paused:
            await self.flow.drain()
        return not self.gone or self.lost_with is None

    def watch_every_byte(self) -> None:
        """From now on `drained` means that nothing is left in the transport."""
        # With 0, uvloop's TLS transport counts an empty buffer as a full one and waits for ever.
        self.transport.set_write_buffer_limits(high=1)

    async def reset(self, *, flush: bool) -> None:
        """End the connection with a TCP RST; `flush` lets what was written arrive first."""
        if flush and await self.drained():
            await self.wait_until(time.perf_counter() + _RESET_DELAY_S)
        if not self.gone:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        await self.wait_gone()

    async def close(self) -> None:
        """End the connection in an orderly way (FIN) once what was written has been passed on."""
        self.transport.close()
        await self.wait_gone()


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
