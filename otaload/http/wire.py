"""Bytes to and from one peer: a bare non-blocking socket, TLS or not, and how to wait on it.

A wait starts the wire's own persistent watcher and switches to the hub: about 1 µs, where a gevent
socket takes 3 µs and a Timeout object. Every wait ends by readiness, by the shared deadline scan,
or by an exception thrown into the greenlet.
"""

import _socket
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gevent import getcurrent
from gevent.exceptions import BlockingSwitchOutError

from otaload.http import causes
from otaload.http.causes import ExchangeError
from otaload.http.deadline import NEVER
from otaload.http.reactor import BUFFER_BYTES, Reactor

WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

# What a read is tried again for: not yet, or an end that the next read reports as one.
RETRY: Final = (*WOULD_BLOCK, ssl.SSLEOFError, ssl.SSLZeroReturnError)
# Reads in a row before others get their turn.
BURST: Final = 8
_WAKE_BYTES: Final = 256 * 1024
_TLS_MARGIN_BYTES: Final = 64 * 1024
_READY: Final = object()
_EXPIRED: Final = object()
# tcp(7): the bytes leave the queue and are not copied. Elsewhere the flag means another thing.
_DISCARD: Final = socket.MSG_TRUNC if sys.platform == "linux" else 0


class Socket(_socket.socket):
    """The interpreter's own socket, which gevent leaves alone; TLS needs a weak reference to it."""

    __slots__ = ("__weakref__",)


class Wire:
    """One socket's life. `deadline`, `watched_until` and `expire` belong to the deadline scan."""

    __slots__ = (
        "burst",
        "deadline",
        "low_water",
        "ragged",
        "reactor",
        "read",
        "sent_bytes",
        "sock",
        "take",
        "timeout_cause",
        "tls",
        "waiter",
        "watched_until",
        "watcher",
        "write",
    )

    read: Callable[[memoryview], int]
    take: Callable[[int], bytes]
    write: Callable[[bytes | memoryview], int]

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.sock: Any = None  # a Socket while open
        self.tls: Any = None
        self.watcher: Any = None
        self.waiter: Any = None
        self.timeout_cause = causes.TIMEOUT_CONNECT
        self.burst = 0
        self.low_water = 1
        self.ragged = False  # TLS ended without a close_notify: what came may not be all
        self.sent_bytes = 0
        self.deadline = NEVER
        self.watched_until = NEVER

    def set_deadline(self, deadline: float, cause: str) -> None:
        """From now on waits end at `deadline` (perf_counter), with this cause."""
        self.timeout_cause = cause
        self.deadline = deadline
        if deadline < self.watched_until:
            self.reactor.deadlines.watch(self)

    def expire(self) -> None:
        """Called in the hub by the deadline scan."""
        if self.waiter is not None:
            self.waiter.switch(_EXPIRED)

    def wait(self, watcher: Any) -> None:
        """Switch to the hub until `watcher` fires; ExchangeError at the deadline."""
        waiter = self.waiter = getcurrent()
        reactor = self.reactor
        watcher.start(waiter.switch, _READY)
        try:
            woken = reactor.switch()
            while woken is not _READY:  # a switch by somebody else is not ours to end on
                if woken is _EXPIRED:
                    raise ExchangeError(self.timeout_cause)
                if waiter is reactor.hub:
                    raise BlockingSwitchOutError("a request needs a greenlet of its own")
                woken = reactor.switch()
        finally:
            watcher.stop()
            self.waiter = None

    def receive(self, view: memoryview) -> int:
        """Read what there is, waiting for it if need be; 0 at the end of the stream."""
        got: int = self._receive(self.read, view, len(view))
        return got

    def receive_piece(self, size: int) -> bytes:
        """Read up to `size` bytes, waiting if need be; empty at the end of the stream."""
        return self._receive(self.take, size, size) or b""

    def wake_late(self, left: int) -> None:
        """Wait from now on until up to 256 KiB have come: fewer wake-ups for the same body.

        `left` is how many are still to come for certain; 0 ends it. A FIN or an error still wakes.
        """
        if self.tls is not None:  # it may hold up to a record of what is still to come
            left -= _TLS_MARGIN_BYTES
        low_water = max(1, min(left, _WAKE_BYTES))
        if low_water != self.low_water:
            self.low_water = low_water
            with contextlib.suppress(OSError):  # it only saves wake-ups
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)

    def discard(self, size: int) -> int:
        """Receive and forget up to `size` bytes; 0 at the end of the stream."""
        wanted = min(size, BUFFER_BYTES)
        read = self.read
        if self.tls is None and _DISCARD:
            read = partial(self.sock.recv_into, flags=_DISCARD)
        got: int = self._receive(read, self.reactor.view[:wanted], wanted)
        return got

    def send_rest(self, data: bytes) -> None:
        """Send what the first write did not take, and count it in `sent_bytes`.

        It ends early when the peer answers before it has everything (plain connections only: under
        TLS readable may mean no more than a session ticket).
        """
        view = memoryview(data)
        watcher = self._send_watcher()
        try:
            while (sent := self.sent_bytes) < len(data):
                self.wait(watcher)
                try:
                    # All that is left: TLS must not be asked again with less than before.
                    self.sent_bytes += self.write(view[sent:])
                except ssl.SSLWantReadError:
                    self.wait(self.watcher)
                except WOULD_BLOCK:
                    if self.tls is None and self.has_input():
                        return
        finally:
            watcher.close()

    def has_input(self) -> bool:
        """Whether bytes, an end or an error wait to be read, at this very moment."""
        tls = self.tls
        try:
            if tls is None or not tls.pending():
                self.sock.recv(1, socket.MSG_PEEK)
            if tls is not None:
                # Perhaps no more than a session ticket. OpenSSL is asked last, because its "not
                # yet" is slow to raise.
                tls.read(1)
        except WOULD_BLOCK:
            return False
        except OSError:
            return True
        return True

    def _receive(self, read: Callable[[Any], Any], argument: memoryview | int, size: int) -> Any:
        """What `read` gives for `argument`; 0 at the end of the stream.

        Others get their turn after a burst, and whenever a read shows that the queue is empty.
        """
        while True:
            if self.burst <= 0 and not (self.tls is not None and self.tls.pending()):
                self.wait(self.watcher)
                self.burst = BURST
            try:
                got = read(argument)
            except ssl.SSLWantWriteError:
                self.wait_writable()
            except WOULD_BLOCK:
                self.burst = 0
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLEOFError:
                self.ragged = True
                return 0
            else:
                # A TLS read gives one record at a time and says nothing about the queue.
                if self.tls is not None or (got if type(got) is int else len(got)) == size:
                    self.burst -= 1
                else:
                    self.burst = 0
                return got

    def close(self) -> None:
        """Let go of everything; safe at any time and more than once."""
        self.deadline = NEVER
        self.reactor.deadlines.forget(self)
        if self.tls is not None and self.waiter is None:
            # A close_notify if it can be sent at once; the peer is not waited for.
            with contextlib.suppress(OSError, ValueError):
                self.tls.shutdown()
        self.drop()

    def wait_writable(self) -> None:
        """Wait until something can be sent."""
        watcher = self._send_watcher()
        try:
            self.wait(watcher)
        finally:
            watcher.close()

    def _send_watcher(self) -> Any:
        return self.reactor.write_watcher(self.sock.fileno(), or_readable=self.tls is None)

    def drop(self) -> None:
        """Close the socket, and nothing more."""
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None
        self.tls = None
        if self.sock is not None:
            self.sock.close()
            self.sock = None
