"""The kept connections of one client, and the one safe repetition.

A server may close an idle connection at the very moment it is used again. Such a request is sent
once more, on a new connection, where that is safe: not a byte of a response had come, and either
the method is idempotent or not a byte had been sent.
"""

import ssl
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, NamedTuple

from otaload.http.body import Sink
from otaload.http.causes import ExchangeError
from otaload.http.connection import Connection
from otaload.http.message import IDEMPOTENT
from otaload.http.proxy import refuse_proxy
from otaload.http.reactor import current_reactor
from otaload.http.response import Response
from otaload.http.target import Origin
from otaload.http.tls import tls_context

ConnectGuard = Callable[[str, int], None]

MAX_ORIGINS: Final = 16

# Up to this age a kept connection is used unseen; later one system call asks whether it is open.
_FRESH_S: Final = 0.005


class Settings(NamedTuple):
    """What the clients of a user class have in common."""

    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 30.0
    total_timeout_s: float = 60.0
    max_redirects: int = 5
    max_kept_bytes: int = 64 * 1024 * 1024
    tls_verify: bool = True
    tls_ca_file: str | None = None


class Pool:
    """At most one kept connection for each of at most 16 origins."""

    __slots__ = ("_guards", "_kept", "_reactor", "_settings", "connects", "retried")

    def __init__(self, settings: Settings, guards: tuple[ConnectGuard, ...]) -> None:
        self._settings = settings
        self._guards = guards
        self._kept: dict[Origin, Connection | None] = {}
        self._reactor: Any = None
        self.connects = 0
        self.retried = 0

    def __contains__(self, origin: Origin) -> bool:
        return origin in self._kept

    def admit(self, origin: Origin) -> None:
        """The first use of an origin: it may be refused, by raising, before a byte is sent."""
        for guard in self._guards:
            guard(origin.host, origin.port)
        refuse_proxy(origin)
        self._tls_of(origin)
        if self._reactor is None:
            self._reactor = current_reactor()
        if len(self._kept) >= MAX_ORIGINS:
            connection = self._kept.pop(next(iter(self._kept)))
            if connection is not None:
                connection.close()
        self._kept[origin] = None

    def perform(
        self, origin: Origin, payload: bytes, response: Response, sink: Sink | None
    ) -> None:
        """Send a request and receive its response; what goes wrong is the response's cause.

        Whatever else is raised in the meantime, such as GreenletExit, closes the connection.
        """
        connection = self._kept.get(origin)
        if connection is not None:
            self._kept[origin] = None
            if response.started - connection.idle_since > _FRESH_S and connection.has_input():
                connection.close()
                connection = None
            else:
                response.reused = True
        if connection is None:
            connection = self._new_connection()
        first_byte_timeout_s = self._settings.first_byte_timeout_s
        while True:
            try:
                if not response.reused:
                    self._open(connection, origin, response)
                connection.exchange(payload, response, sink, first_byte_timeout_s)
            except ExchangeError as failure:
                connection.close()
                if not _may_repeat(failure, connection, response):
                    response.cause = failure.cause
                    return
                response.reused = False
                response.retried += 1
                self.retried += 1
                connection = self._new_connection()
            except BaseException:
                connection.close()
                raise
            else:
                self._keep(origin, connection)
                return

    def close(self) -> None:
        """Close the kept connections and forget the origins."""
        for connection in self._kept.values():
            if connection is not None:
                connection.close()
        self._kept.clear()

    def _new_connection(self) -> Connection:
        self.connects += 1
        return Connection(self._reactor)

    def _open(self, connection: Connection, origin: Origin, response: Response) -> None:
        connect_by = perf_counter() + self._settings.connect_timeout_s
        connection.open(origin, self._tls_of(origin), response, connect_by)

    def _keep(self, origin: Origin, connection: Connection) -> None:
        if connection.reusable and self._kept.get(origin) is None:
            connection.idle_since = perf_counter()
            self._kept[origin] = connection
        else:
            connection.close()

    def _tls_of(self, origin: Origin) -> ssl.SSLContext | None:
        if origin.scheme == "http":
            return None
        return tls_context(verify=self._settings.tls_verify, ca_file=self._settings.tls_ca_file)


def _may_repeat(failure: ExchangeError, connection: Connection, response: Response) -> bool:
    return (
        response.reused
        and failure.lost
        and not connection.answered
        and (response.method in IDEMPOTENT or connection.sent_bytes == 0)
    )
