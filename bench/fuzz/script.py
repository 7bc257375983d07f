"""What one fuzz case is made of: a request, what the server does with it, what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

End = Literal["keep", "fin", "reset", "hang"]
"""After the last byte: await the next request, half-close, reset, or say nothing more."""


Reads = Literal["all", "head", "nothing"]
"""How much of the request is read before it is answered; the rest never is."""


@dataclass(frozen=True)
class Send:
    """Bytes for one write, and how long to pause after it."""

    data: bytes
    pause_s: float = 0.0


@dataclass(frozen=True)
class Script:
    """What the server does with one request."""

    sends: tuple[Send, ...]
    end: End = "keep"
    reads: Reads = "all"

    @property
    def stream(self) -> bytes:
        """Every byte that is sent."""
        return b"".join(send.data for send in self.sends)


@dataclass(frozen=True)
class Expected:
    """What must be reported of a well-formed answer; None where it cannot be known."""

    cause: str | None
    status: int
    headers: Mapping[str, str]
    wire_bytes: int
    content: bytes


@dataclass(frozen=True)
class Case:
    """One call: `scripts` answers its hops in turn, the last one for ever.

    `end_after_s` times the caller out from outside. `stale_later` says that bytes or an end may
    come after the answer is over; no client can tell them from what its next request gets.
    """

    number: int
    kind: str
    method: str
    scripts: tuple[Script, ...]
    options: dict[str, Any] = field(default_factory=dict)
    timeout_s: float = 2.0
    secure: bool = False
    expected: Expected | None = None
    end_after_s: float | None = None
    stale_later: bool = False
