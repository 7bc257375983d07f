"""What came back for one request, read lazily.

Headers, text and JSON are parsed at the first look; most of a load test's responses are never
looked at beyond their status.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson
from gevent import GreenletExit
from locust.exception import (
    InterruptTaskSet,
    LocustError,
    RescheduleTask,
    RescheduleTaskImmediately,
    ResponseError,
    StopTest,
    StopUser,
)

from otaload.http.causes import INTERRUPTED, RequestError
from otaload.http.head import Headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otaload.http.client import HttpClient
    from otaload.http.message import Message

# Raised by users on purpose to steer Locust: they say nothing about the response.
_FLOW = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser)


class Timings(NamedTuple):
    """Where the time of one request went, in seconds; `total_s` includes all the others."""

    connect_s: float  # name lookup and TCP; 0 on a reused connection
    tls_s: float  # the handshake; 0 on a reused or plain connection
    first_byte_s: float  # from the start of the request, so connect_s and tls_s are in it
    total_s: float


class Response:
    """One response, or what stands in for it when there was none (`status_code` 0 and a `cause`).

    Made by `HttpClient`. With `catch_response=True` it is a context manager that reports the
    request when its block ends, as Locust's is; `failure` and `success` decide within the block.
    """

    # Defaults live on the class: a request sets only what differs, which saves about 0.5 µs.
    status_code: int = 0
    cause: str | None = None
    body_bytes: int = 0
    digest: str | None = None
    reused: bool = False
    retried: int = 0
    history: "tuple[Response, ...]" = ()
    connect_s: float = 0.0
    tls_s: float = 0.0
    first_byte_at: float = 0.0
    total_s: float = 0.0
    head: bytes | bytearray = b""
    parts: "Sequence[bytes | bytearray]" = ()
    decodes: bool = False
    exception: Exception | None = None

    reporter: "HttpClient | None" = None  # with catch_response: who fires the event
    _entered: bool = False
    _decided: bool = False
    _headers: Headers | None = None
    _content: bytes | None = None

    def __init__(
        self,
        message: "Message",
        name: str,
        context: dict[str, Any],
        start_time: float,
        started: float,
        deadline: float,
        max_kept_bytes: int,
    ) -> None:
        self.message = message
        self.name = name
        self.context = context
        self.start_time = start_time  # Unix seconds
        self.started = started  # perf_counter
        self.deadline = deadline  # perf_counter
        self.max_kept_bytes = max_kept_bytes

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.message.method

    @property
    def url(self) -> str:
        """Where the request was sent."""
        return self.message.target.url

    @property
    def ok(self) -> bool:
        """Whether nothing has gone wrong so far."""
        return self.cause is None

    @property
    def headers(self) -> Headers:
        """The response headers, without regard to case; empty when there was no response."""
        if self._headers is None:
            self._headers = Headers(self.head)
        return self._headers

    @property
    def content(self) -> bytes:
        """The kept body, decoded when the request sent an Accept-Encoding."""
        if self._content is None:
            parts = self.parts
            if len(parts) == 1:
                self._content = bytes(parts[0])
            else:
                self._content = b"".join(parts)
            self.parts = ()
        return self._content

    @property
    def text(self) -> str:
        """The kept body as text, by the charset of Content-Type or UTF-8; never raises."""
        _, found, charset = self.headers.get("content-type", "").partition("charset=")
        encoding = charset.split(";")[0].strip(" \"'") if found else "utf-8"
        try:
            return self.content.decode(encoding, errors="replace")
        except (LookupError, ValueError):  # codecs such as idna and undefined know no errors=
            return self.content.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The kept body as JSON; ValueError when it is none."""
        return orjson.loads(self.content)

    @property
    def timings(self) -> Timings:
        """Where the time went."""
        first_byte_s = self.first_byte_at - self.started if self.first_byte_at else 0.0
        return Timings(self.connect_s, self.tls_s, first_byte_s, self.total_s)

    def failure(self, reason: object) -> None:
        """Report the request as failed: an exception is passed on, anything else is its text."""
        self._must_be_entered("failure")
        self.exception = reason if isinstance(reason, Exception) else RequestError(str(reason))
        self.cause = str(reason)
        self._decided = True

    def success(self) -> None:
        """Report the request as a success, whatever its status."""
        self._must_be_entered("success")
        self.exception = None
        self.cause = None
        self._decided = True

    def __enter__(self) -> Self:
        if self.reporter is None:
            raise LocustError("a with block needs catch_response=True in the request")
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        swallowed = False
        if error is not None and not self._decided:
            swallowed = isinstance(error, ResponseError)
            self._judge_block(error)
        if self.reporter is not None:
            self.reporter.report(self, self.name)
        return swallowed

    def _judge_block(self, error: BaseException) -> None:
        if isinstance(error, ResponseError):
            self.exception = error
            self.cause = str(error)
        elif isinstance(error, GreenletExit):
            self.cause = INTERRUPTED
        elif not isinstance(error, _FLOW):
            # Locust would not count the request at all; the server did.
            self.cause = f"check raised {type(error).__name__}"

    def _must_be_entered(self, method: str) -> None:
        if not self._entered:
            raise LocustError(
                f"{method}() only decides within a with block: "
                f"with client.get(..., catch_response=True) as response: response.{method}(...)"
            )

    def __repr__(self) -> str:
        return f"<Response {self.method} {self.url} {self.cause or self.status_code}>"
