"""What the service itself counted, so that a client's totals can be reconciled with it exactly.

Definitions, for each endpoint (admin pages are never counted):

requests
    Requests whose head and body were received completely.  A client that goes away while it still
    sends is no request.  A redirect is a request and an answer of its own (`302`), and so is
    the request that follows it; both belong to `/bundles/download`.
responses
    Answers by status: the head was handed to the transport.
bytes_out
    Bytes of response bodies handed to the transport, of error answers too.  Heads are not counted.
    Of an answer whose client went away, only the parts handed over until then are.
errors
    Requests that did not end well, by kind; a request is at most one of them:
    `status` (an answer of 400 or more), `reset`, `truncate`, `hang` (a fault ended it), `corrupt`
    (a fault changed the bytes; a client that verifies the hash fails it), `client_gone` (the
    connection was lost before the last byte had left for the kernel).
in_flight
    Requests counted and not ended yet.

Always: requests = sum(responses) + requests that ended without an answer + those in flight that
have none yet.  Resetting starts a new generation: requests still in flight end in the old one,
so no number ever counts half a request.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CHECK = "/updates/check"
REGISTER = "/devices/register"
DOWNLOAD = "/bundles/download"
HEALTH = "/health"
OTHER = "other"
ENDPOINTS = (CHECK, REGISTER, DOWNLOAD, HEALTH, OTHER)


@dataclass(slots=True)
class EndpointCounts:
    """The counts of one endpoint in one generation."""

    requests: int = 0
    ended: int = 0
    bytes_out: int = 0
    responses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def in_flight(self) -> int:
        return self.requests - self.ended

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "responses": {str(status): n for status, n in sorted(self.responses.items())},
            "errors": dict(sorted(self.errors.items())),
            "error_count": self.errors.total(),
            "bytes_out": self.bytes_out,
            "in_flight": self.in_flight,
        }


class Counters:
    """All counts since the start or the last reset."""

    def __init__(self) -> None:
        self.generation = 0
        self.malformed = 0
        self.keys_at_cdn = 0
        self.by_endpoint = {name: EndpointCounts() for name in ENDPOINTS}

    def reset(self) -> None:
        """Begin a new generation; requests in flight end in the old one."""
        self.generation += 1
        self.malformed = 0
        self.keys_at_cdn = 0
        self.by_endpoint = {name: EndpointCounts() for name in ENDPOINTS}

    def as_json(self) -> dict[str, Any]:
        """The page `GET /__admin/counters`."""
        counts = self.by_endpoint.values()
        return {
            "generation": self.generation,
            "endpoints": {name: each.as_json() for name, each in self.by_endpoint.items()},
            "total": {
                "requests": sum(each.requests for each in counts),
                "error_count": sum(each.errors.total() for each in counts),
                "bytes_out": sum(each.bytes_out for each in counts),
                "in_flight": sum(each.in_flight for each in counts),
            },
            # Bytes that were not HTTP: answered 400 by the protocol, before there was a request.
            "malformed": self.malformed,
            # Requests to the redirect's target that carried an Authorization header.
            "keys_at_cdn": self.keys_at_cdn,
        }
