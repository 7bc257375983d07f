"""Names to addresses, through gevent's resolver and a small cache.

At most 256 names are kept, each for 60 s; failures are not kept. Users that ask for the same name
at the same time share one lookup, so that 1,000 users starting do not queue for gevent's 10
threads.
"""

import socket
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, NamedTuple

import gevent
from gevent.event import AsyncResult

MAX_NAMES: Final = 256
KEEP_S: Final = 60.0


class LookupTimedOutError(Exception):
    """The name was not found in the time given; the lookup goes on for others who wait."""


class Address(NamedTuple):
    """One address to connect to."""

    family: int
    sockaddr: tuple[Any, ...]


class Resolver:
    """The lookups of one event loop."""

    __slots__ = ("_clock", "_known", "_lookup", "_running", "_turn")

    def __init__(
        self,
        lookup: Callable[..., list[Any]] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._lookup = lookup or _gevent_lookup
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}
        self._running: dict[tuple[str, int], Any] = {}  # AsyncResult
        self._turn = 0

    def addresses(self, host: str, port: int, timeout_s: float) -> tuple[Address, ...]:
        """All addresses of a host, beginning with another one each time.

        Raises socket.gaierror for a name that cannot be found, and LookupTimedOutError.
        """
        literal = _literal(host, port)
        if literal is not None:
            return literal
        key = (host, port)
        known = self._known.get(key)
        if known is None or known[0] < self._clock():
            return self._rotated(self._shared_lookup(key, timeout_s))
        return self._rotated(known[1])

    def _shared_lookup(self, key: tuple[str, int], timeout_s: float) -> tuple[Address, ...]:
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = AsyncResult()
            # A greenlet of its own: the user that asked first may be killed while others wait.
            gevent.spawn(self._look_up, key, running)
        timer = gevent.Timeout.start_new(timeout_s)
        try:
            return tuple(running.get() or ())
        except gevent.Timeout as expired:
            if expired is not timer:  # one of the caller's own
                raise
            raise LookupTimedOutError from None
        finally:
            timer.close()

    def _look_up(self, key: tuple[str, int], result: Any) -> None:
        try:
            key[0].encode("idna")  # here, since gevent prints what its thread stumbles over
            found = _unique(self._lookup(key[0], key[1], 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failure = error
            if not isinstance(error, OSError):
                failure = socket.gaierror(socket.EAI_NONAME, "not a host name")
            result.set_exception(failure)
        else:
            if len(self._known) >= MAX_NAMES:
                self._known.clear()
            self._known[key] = (self._clock() + KEEP_S, found)
            result.set(found)
        finally:
            self._running.pop(key, None)

    def _rotated(self, found: tuple[Address, ...]) -> tuple[Address, ...]:
        # Only among the family that the system put first: its order of families means something.
        first = sum(1 for address in found if address.family == found[0].family)
        if first < 2:
            return found
        self._turn += 1
        turn = self._turn % first
        same = [address for address in found if address.family == found[0].family]
        other = [address for address in found if address.family != found[0].family]
        return (*same[turn:], *same[:turn], *other)


def _unique(infos: list[Any]) -> tuple[Address, ...]:
    found = dict.fromkeys(Address(int(info[0]), tuple(info[4])) for info in infos)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return tuple(found)


def _literal(host: str, port: int) -> tuple[Address, ...] | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return (Address(int(family), (host, port)),)
    return None


def _gevent_lookup(host: str, port: int, family: int, kind: int) -> list[Any]:
    return gevent.get_hub().resolver.getaddrinfo(host, port, family, kind)
