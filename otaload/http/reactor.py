"""What the connections of one event loop share: buffer, deadlines, resolver.

Nothing here is made at import. A native thread has its own gevent hub and so its own reactor; a
forked process makes a new one.
"""

import os
from collections.abc import Callable
from typing import Any, Final

import gevent
from greenlet import greenlet

from otaload.http.deadline import DeadlineScan
from otaload.http.resolve import Resolver

BUFFER_BYTES: Final = 256 * 1024
# The first read of a response: enough for nearly every head and small body, little to copy.
FIRST_READ_BYTES: Final = 16 * 1024

_READ: Final = 1  # libev's EV_READ
_WRITE: Final = 2  # libev's EV_WRITE
_TURN: Final = object()


class Reactor:
    """One event loop's share of the client.

    The buffer is used between a read and the end of its parsing, and no greenlet switch lies in
    between.
    """

    __slots__ = (
        "buffer",
        "deadlines",
        "first_view",
        "hub",
        "loop",
        "pid",
        "resolver",
        "switch",
        "view",
    )

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self.loop: Any = hub.loop
        # The raw switch: gevent's own also looks for a switch_out method that nobody has.
        self.switch: Callable[[], object] = greenlet.switch.__get__(hub)
        self.pid = os.getpid()
        self.deadlines = DeadlineScan(hub.loop)
        self.resolver = Resolver()
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.first_view = self.view[:FIRST_READ_BYTES]

    def give_way(self) -> None:
        """Let everybody else who is ready run first: `gevent.sleep(0)` at a third of its cost.

        Users that answer one wave of responses with one wave of requests wake a server once.
        """
        turn = self.loop.run_callback(gevent.getcurrent().switch, _TURN)
        try:
            while self.switch() is not _TURN:  # a switch by somebody else is not ours
                pass
        finally:
            turn.stop()

    def read_watcher(self, fd: int) -> Any:
        """A watcher for a readable socket, not started."""
        return self.loop.io(fd, _READ)

    def write_watcher(self, fd: int, *, or_readable: bool = False) -> Any:
        """A watcher for a writable socket, not started."""
        return self.loop.io(fd, _WRITE | _READ if or_readable else _WRITE)


_reactors: dict[Any, Reactor] = {}


def current_reactor() -> Reactor:
    """The reactor of the running event loop."""
    hub = gevent.get_hub()
    reactor = _reactors.get(hub)
    if reactor is None or reactor.pid != os.getpid():
        reactor = _reactors[hub] = Reactor(hub)
    return reactor
