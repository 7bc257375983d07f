"""Bytes to and from one peer: a bare non-blocking socket, TLS or not, and how to wait on it.

A wait starts the wire's own persistent watcher and switches to the hub: about 1 µs, where a gevent
socket takes 3 µs and a Timeout object. Every wait ends by readiness, by the shared deadline scan,
or by an exception thrown into the greenlet.
"""

import _socket
import contextlib
import errno
import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Final

from gevent import getcurrent

from otaload.http import causes
from otaload.http.causes import ExchangeError, cause_of_os_error
from otaload.http.deadline import NEVER
from otaload.http.reactor import BUFFER_BYTES, Reactor
from otaload.http.resolve import Address, LookupTimedOutError
from otaload.http.target import Origin

WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

# Reads in a row before others get their turn.
BURST: Final = 8
_WAKE_BYTES: Final = 256 * 1024
_TLS_MARGIN_BYTES: Final = 64 * 1024
_READY: Final = object()
_EXPIRED: Final = object()
# tcp(7): the bytes leave the queue and are not copied. Elsewhere the flag means another thing.
_DISCARD: Final = socket.MSG_TRUNC if sys.platform == "linux" else 0


class _Socket(_socket.socket):
    """The interpreter's own socket, which gevent leaves alone; TLS needs a weak reference to it."""

    __slots__ = ("__weakref__",)


class Wire:
    """One socket's life. `deadline`, `watched_until` and `expire` belong to the deadline scan."""

    __slots__ = (
        "burst",
        "deadline",
        "low_water",
        "reactor",
        "read",
        "sent_bytes",
        "sock",
        "timeout_cause",
        "tls",
        "waiter",
        "watched_until",
        "watcher",
        "write",
    )

    read: Callable[[memoryview], int]
    write: Callable[[bytes | memoryview], int]

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.sock: Any = None  # a _Socket while open
        self.tls: Any = None
        self.watcher: Any = None
        self.waiter: Any = None
        self.timeout_cause = causes.TIMEOUT_CONNECT
        self.burst = 0
        self.low_water = 1
        self.sent_bytes = 0
        self.deadline = NEVER
        self.watched_until = NEVER

    def connect(self, origin: Origin, connect_by: float, total_by: float) -> None:
        """Look the host up and connect, trying its addresses in turn; raises ExchangeError.

        Each address but the last gets only its share of the time, so that one black hole does not
        hide the others.
        """
        by, late = _sooner(connect_by, causes.TIMEOUT_CONNECT, total_by)
        addresses = self._addresses(origin, by, late)
        for tried, address in enumerate(addresses):
            now = perf_counter()
            self.set_deadline(now + (by - now) / (len(addresses) - tried), late)
            try:
                self._connect_to(address)
            except ExchangeError:
                self._drop()
                if tried + 1 == len(addresses):
                    raise
            else:
                return

    def shake_hands(
        self, context: ssl.SSLContext, host: str, connect_by: float, total_by: float
    ) -> None:
        """Put TLS on the connected socket, with SNI and verification as the context says."""
        self.set_deadline(*_sooner(connect_by, causes.TIMEOUT_TLS, total_by))
        # The C layer under ssl.SSLSocket, as gevent uses it: no Python object or lock on the way.
        wrap: Any = context._wrap_socket  # type: ignore[attr-defined]
        tls = wrap(self.sock, False, host)  # noqa: FBT003 - the interpreter's own signature
        try:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.wait(self.watcher)
                except ssl.SSLWantWriteError:
                    self.wait_writable()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise ExchangeError(causes.TLS_CLOSED) from None
        except OSError as error:
            raise ExchangeError(cause_of_os_error(error)) from None
        self.tls = tls
        self.write = tls.write
        self.read = partial(tls.read, BUFFER_BYTES)

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
        watcher.start(waiter.switch, _READY)
        try:
            woken = self.reactor.switch()
            while woken is not _READY:  # a switch by somebody else is not ours to end on
                if woken is _EXPIRED:
                    raise ExchangeError(self.timeout_cause)
                woken = self.reactor.switch()
        finally:
            watcher.stop()
            self.waiter = None

    def receive(self, view: memoryview) -> int:
        """Read what there is, waiting for it if need be; 0 at the end of the stream.

        Others get their turn after a burst, and whenever a read shows that the queue is empty.
        """
        while True:
            if self.burst <= 0 and not (self.tls is not None and self.tls.pending()):
                self.wait(self.watcher)
                self.burst = BURST
            try:
                count = self.read(view)
            except ssl.SSLWantWriteError:
                self.wait_writable()
            except WOULD_BLOCK:
                self.burst = 0
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return 0
            else:
                # A TLS read gives one record at a time and says nothing about the queue.
                full = count == len(view) or self.tls is not None
                self.burst = self.burst - 1 if full else 0
                return count

    def wake_late(self, left: int) -> None:
        """Wait from now on until many bytes have come: half a wire's wake-ups are for few.

        `left` is how many are still to come for certain; 0 ends it. A FIN or an error still wakes.
        """
        if self.tls is not None:  # which may hold up to a record, and the rest is longer than `left`
            left -= _TLS_MARGIN_BYTES
        low_water = max(1, min(left, _WAKE_BYTES))
        if low_water != self.low_water:
            self.low_water = low_water
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)

    def discard(self, count: int) -> int:
        """Receive and forget up to `count` bytes; 0 at the end of the stream."""
        wanted = min(count, BUFFER_BYTES)
        if self.tls is not None or not _DISCARD:
            return self.receive(self.reactor.view[:wanted])
        while True:
            if self.burst <= 0:
                self.wait(self.watcher)
                self.burst = BURST
            try:
                got: int = self.sock.recv_into(self.reactor.buffer, wanted, _DISCARD)
            except BlockingIOError:
                self.burst = 0
            else:
                self.burst = self.burst - 1 if got == wanted else 0
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
        try:
            if self.tls is not None:
                self.tls.read(1)
            else:
                self.sock.recv(1, socket.MSG_PEEK)
        except WOULD_BLOCK:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Let go of everything; safe at any time and more than once."""
        self.deadline = NEVER
        self.reactor.deadlines.forget(self)
        if self.tls is not None and self.waiter is None:
            # A close_notify if it can be sent at once; the peer is not waited for.
            with contextlib.suppress(OSError, ValueError):
                self.tls.shutdown()
        self._drop()

    def wait_writable(self) -> None:
        """Wait until something can be sent."""
        watcher = self._send_watcher()
        try:
            self.wait(watcher)
        finally:
            watcher.close()

    def _send_watcher(self) -> Any:
        return self.reactor.write_watcher(self.sock.fileno(), or_readable=self.tls is None)

    def _addresses(self, origin: Origin, by: float, late: str) -> tuple[Address, ...]:
        timeout_s = max(0.001, by - perf_counter())
        try:
            return self.reactor.resolver.addresses(origin.host, origin.port, timeout_s)
        except OSError as error:
            raise ExchangeError(cause_of_os_error(error)) from None
        except LookupTimedOutError:
            raise ExchangeError(late) from None

    def _connect_to(self, address: Address) -> None:
        try:
            sock = self.sock = _Socket(address.family, socket.SOCK_STREAM)
            sock.setblocking(False)  # noqa: FBT003 - the interpreter's own signature
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watcher = self.reactor.read_watcher(sock.fileno())
            error = sock.connect_ex(address.sockaddr)
            if error == errno.EINPROGRESS:
                writable = self.reactor.write_watcher(sock.fileno())
                try:
                    self.wait(writable)
                finally:
                    writable.close()
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError as failure:
            raise ExchangeError(cause_of_os_error(failure)) from None
        if error:
            raise ExchangeError(cause_of_os_error(OSError(error, "")))
        self.write = sock.send
        self.read = sock.recv_into

    def _drop(self) -> None:
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None
        self.tls = None
        if self.sock is not None:
            self.sock.close()
            self.sock = None


def _sooner(connect_by: float, cause: str, total_by: float) -> tuple[float, str]:
    if total_by <= connect_by:
        return total_by, causes.TIMEOUT_TOTAL
    return connect_by, cause
