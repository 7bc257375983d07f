"""The kept connections of one client, and the one safe repetition.

A server may close an idle connection at the very moment it is used again. Such a request is sent
once more, on a new connection, where that is safe: not a byte of a response had come, and either
the method is idempotent or not a byte had been sent.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Settings:
    """What the clients of a user class have in common."""

    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 30.0
    total_timeout_s: float = 60.0
    max_redirects: int = 5
    max_kept_bytes: int = 64 * 1024 * 1024
    tls_verify: bool = True
    tls_ca_file: str | None = None


class Slot:
    """One origin's place in a pool."""

    __slots__ = ("connection", "left", "origin", "tls")

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None) -> None:
        self.origin = origin
        self.tls = tls
        self.connection: Connection | None = None
        self.left = False  # the pool no longer knows it

    def take(self, now: float) -> Connection | None:
        """The kept connection, unless it has been closed by the peer."""
        connection, self.connection = self.connection, None
        if connection is None or now - connection.idle_since <= _FRESH_S:
            return connection
        if connection.has_input():
            connection.close()
            return None
        return connection

    def leave(self) -> None:
        """Close the kept connection, and keep none from now on."""
        self.left = True
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Pool:
    """At most one kept connection for each of at most 16 origins."""

    __slots__ = ("_guards", "_settings", "_slots", "connects", "retried")

    def __init__(self, settings: Settings, guards: tuple[ConnectGuard, ...]) -> None:
        self._settings = settings
        self._guards = guards
        self._slots: dict[Origin, Slot] = {}
        self.connects = 0
        self.retried = 0

    def slot(self, origin: Origin) -> Slot:
        """An origin's place; its first use may be refused, by raising, before a byte is sent."""
        return self._slots.get(origin) or self._admit(origin)

    def _admit(self, origin: Origin) -> Slot:
        for guard in self._guards:
            guard(origin.host, origin.port)
        refuse_proxy(origin)
        tls = None
        if origin.scheme == "https":
            settings = self._settings
            tls = tls_context(verify=settings.tls_verify, ca_file=settings.tls_ca_file)
        if len(self._slots) >= MAX_ORIGINS:
            self._slots.pop(next(iter(self._slots))).leave()
        slot = self._slots[origin] = Slot(origin, tls)
        return slot

    def perform(self, slot: Slot, payload: bytes, response: Response, sink: Sink | None) -> None:
        """Send a request and receive its response; what goes wrong is the response's cause.

        Whatever else is raised in the meantime, such as GreenletExit, closes the connection.
        """
        started = response.started
        connection = None if slot.connection is None else slot.take(started)
        response.reused = connection is not None
        first_byte_timeout_s = self._settings.first_byte_timeout_s
        while True:
            try:
                if connection is None:
                    connection = Connection(current_reactor())
                    self._open(connection, slot, response)
                connection.exchange(payload, response, sink, first_byte_timeout_s)
            except ExchangeError as failure:
                if connection is not None:
                    connection.close()
                if _may_repeat(failure, connection, response):
                    response.reused = False
                    response.retried += 1
                    self.retried += 1
                    connection = None
                    continue
                response.cause = failure.cause
                response.total_s = perf_counter() - started
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            else:
                ended = perf_counter()
                response.total_s = ended - started
                if connection.reusable and slot.connection is None and not slot.left:
                    connection.idle_since = ended
                    slot.connection = connection
                else:
                    connection.close()
            return

    def close(self) -> None:
        """Close the kept connections and forget the origins."""
        for slot in self._slots.values():
            slot.leave()
        self._slots.clear()

    def _open(self, connection: Connection, slot: Slot, response: Response) -> None:
        self.connects += 1
        connect_by = perf_counter() + self._settings.connect_timeout_s
        connection.open(slot.origin, slot.tls, response, connect_by)


def _may_repeat(failure: ExchangeError, connection: Connection | None, response: Response) -> bool:
    return (
        connection is not None
        and response.reused
        and failure.lost
        and not connection.answered
        and (response.method in IDEMPOTENT or connection.sent_bytes == 0)
    )
