"""From an origin to a connected wire: addresses in turn, then TLS.

A silent address gets only its share of the connect timeout, so that one black hole does not hide
the others of the same name.
"""

import errno
import socket
import ssl
from functools import partial
from time import perf_counter
from typing import Any

from otaload.http import causes
from otaload.http.causes import ExchangeError, cause_of_os_error
from otaload.http.reactor import BUFFER_BYTES
from otaload.http.resolve import Address, LookupTimedOutError
from otaload.http.target import Origin
from otaload.http.wire import Socket, Wire


def connect(wire: Wire, origin: Origin, connect_by: float, total_by: float) -> None:
    """Look the host up and connect, trying its addresses in turn; raises ExchangeError."""
    by, late = _sooner(connect_by, causes.TIMEOUT_CONNECT, total_by)
    addresses = _addresses(wire, origin, by, late)
    for tried, address in enumerate(addresses):
        now = perf_counter()
        wire.set_deadline(now + (by - now) / (len(addresses) - tried), late)
        try:
            _connect_to(wire, address)
        except ExchangeError:
            wire.drop()
            if tried + 1 == len(addresses):
                raise
        else:
            return


def shake_hands(
    wire: Wire, context: ssl.SSLContext, host: str, connect_by: float, total_by: float
) -> None:
    """Put TLS on a connected wire, with SNI and verification as the context says."""
    wire.set_deadline(*_sooner(connect_by, causes.TIMEOUT_TLS, total_by))
    # The C layer under ssl.SSLSocket, as gevent uses it: no Python object or lock on the way.
    wrap: Any = context._wrap_socket  # type: ignore[attr-defined]
    tls = wrap(wire.sock, False, host)  # noqa: FBT003 - the interpreter's own signature
    try:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.wait(wire.watcher)
            except ssl.SSLWantWriteError:
                wire.wait_writable()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise ExchangeError(causes.TLS_CLOSED) from None
    except OSError as error:
        raise ExchangeError(cause_of_os_error(error)) from None
    wire.tls = tls
    wire.write = tls.write
    wire.read = partial(tls.read, BUFFER_BYTES)
    wire.take = tls.read


def _addresses(wire: Wire, origin: Origin, by: float, late: str) -> tuple[Address, ...]:
    timeout_s = max(0.001, by - perf_counter())
    try:
        return wire.reactor.resolver.addresses(origin.host, origin.port, timeout_s)
    except OSError as error:
        raise ExchangeError(cause_of_os_error(error)) from None
    except LookupTimedOutError:
        raise ExchangeError(late) from None


def _connect_to(wire: Wire, address: Address) -> None:
    try:
        sock = wire.sock = Socket(address.family, socket.SOCK_STREAM)
        sock.setblocking(False)  # noqa: FBT003 - the interpreter's own signature
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.watcher = wire.reactor.read_watcher(sock.fileno())
        error = sock.connect_ex(address.sockaddr)
        if error == errno.EINPROGRESS:
            writable = wire.reactor.write_watcher(sock.fileno())
            try:
                wire.wait(writable)
            finally:
                writable.close()
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except OSError as failure:
        raise ExchangeError(cause_of_os_error(failure)) from None
    if error:
        raise ExchangeError(cause_of_os_error(OSError(error, "")))
    wire.write = sock.send
    wire.read = sock.recv_into
    wire.take = sock.recv


def _sooner(connect_by: float, cause: str, total_by: float) -> tuple[float, str]:
    if total_by <= connect_by:
        return total_by, causes.TIMEOUT_TOTAL
    return connect_by, cause
