"""One HTTP/1.1 exchange after another on one wire.

Bodies past the first 16 KiB bypass the parser when their length is known: received into place,
through the shared 256 KiB buffer, or (dropped, plain, on Linux) thrown away by the kernel without a
copy. A response head may have 64 KiB. What is kept of a body is bounded before it is received when
its length is announced, and as it comes when it is not.
"""

import ssl
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from otaload.http import causes
from otaload.http.body import Piece, Sink, gather
from otaload.http.causes import ExchangeError, cause_of_os_error
from otaload.http.deadline import NEVER
from otaload.http.dial import connect, shake_hands
from otaload.http.head import final_head, is_chunked, stays_open
from otaload.http.reactor import BUFFER_BYTES, FIRST_READ_BYTES, Reactor
from otaload.http.target import Origin
from otaload.http.wire import BURST, RETRY, WOULD_BLOCK, Wire

if TYPE_CHECKING:
    from otaload.http.response import Response

MAX_HEAD_BYTES: Final = 64 * 1024

_NONE: Final[list[bytes | bytearray]] = []


class Connection(Wire):
    """A connection to one origin, used by one request at a time.

    Methods that begin with `on_` belong to the parser.
    """

    __slots__ = (
        "answered",
        "body_bytes",
        "done",
        "head_done",
        "idle_since",
        "interim",
        "parser",
        "parts",
        "reusable",
        "status_code",
        "surplus",
    )

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(reactor)
        self.answered = False
        self.idle_since = 0.0
        self.parser: Any = None  # an HttpResponseParser while open
        self.parts: list[bytes | bytearray] = _NONE

    def open(
        self,
        origin: Origin,
        context: ssl.SSLContext | None,
        response: "Response",
        connect_by: float,
    ) -> None:
        """Look up, connect and shake hands; the times go to the response. Raises ExchangeError."""
        started = perf_counter()
        try:
            connect(self, origin, connect_by, response.deadline)
        finally:
            connected = perf_counter()
            response.connect_s += connected - started
        if context is not None:
            try:
                shake_hands(self, context, origin.host, connect_by, response.deadline)
            finally:
                response.tls_s += perf_counter() - connected
        self.parser = HttpResponseParser(self)

    def exchange(
        self, payload: bytes, response: "Response", sink: Sink | None, first_byte_timeout_s: float
    ) -> None:
        """Send one request and receive its response; raises ExchangeError.

        Without a sink the body is kept, up to `response.max_kept_bytes`.
        """
        self.done = self.head_done = self.interim = self.surplus = self.answered = False
        self.body_bytes = self.sent_bytes = 0
        parts = self.parts = []
        total_by = response.deadline
        first_byte_by = perf_counter() + first_byte_timeout_s
        if total_by <= first_byte_by:
            self.set_deadline(total_by, causes.TIMEOUT_TOTAL)
        else:
            self.set_deadline(first_byte_by, causes.TIMEOUT_FIRST_BYTE)
        reactor = self.reactor
        try:
            self._send(payload)
            self.wait(self.watcher)
            try:
                count = self.read(reactor.first_view)
                # A record of TLS says nothing about what else there is.
                self.burst = BURST if count == FIRST_READ_BYTES or self.tls is not None else 0
            except RETRY:
                self.burst = 0
                count = self.receive(reactor.first_view)
            if count == 0:
                raise ExchangeError(causes.CLOSED_BEFORE_RESPONSE, lost=True)
            response.first_byte_at = perf_counter()
            self.answered = True
            # Not sooner than before, so that the scan need not be told.
            self.deadline = total_by
            self.timeout_cause = causes.TIMEOUT_TOTAL
            self._feed(reactor.first_view[:count])
            end = 0
            if self.head_done and not self.interim:
                end = reactor.buffer.find(b"\r\n\r\n", 0, count)
            if end > 0:
                response.head = reactor.buffer[:end]
            else:  # in several pieces, after an interim one, or after empty lines
                response.head = self._receive_head(bytearray(reactor.first_view[:count]))
            response.status_code = self.status_code
            small = self.done and self.body_bytes <= response.max_kept_bytes
            if small and sink is None and response.method != "HEAD":
                response.parts = parts
            else:
                self._take_body(sink, response)
        except OSError as error:
            raise ExchangeError(cause_of_os_error(error), lost=True) from None
        finally:
            self.deadline = NEVER
            self.parts = _NONE  # a kept connection does not hold the last body
            response.body_bytes = self.body_bytes
        if self.surplus or self.sent_bytes < len(payload):
            self.reusable = False

    def on_message_begin(self) -> None:
        """A second message, where there should be none, is not parsed."""
        if self.done:
            raise ValueError("surplus")

    def on_headers_complete(self) -> None:
        """A head is there; one that is interim (1xx) is followed by another."""
        parser = self.parser
        status = self.status_code = parser.get_status_code()
        if status >= 200 or status == 101:
            self.reusable = parser.should_keep_alive()
            self.head_done = True
        else:
            self.interim = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self.body_bytes += len(data)
        self.parts.append(data)

    def on_message_complete(self) -> None:
        """The end of the response, or of an interim one."""
        self.done = self.head_done

    def _send(self, payload: bytes) -> None:
        try:
            self.sent_bytes = self.write(payload)
        except WOULD_BLOCK:
            self.sent_bytes = 0
        if self.sent_bytes < len(payload):
            try:
                self.send_rest(payload)
            except OSError:
                # A server may refuse a body before all of it was sent, answer and close.
                if not self.sent_bytes:
                    raise

    def _feed(self, view: memoryview) -> None:
        try:
            self.parser.feed_data(view)
        except HttpParserUpgrade:
            self.reusable = False
        except HttpParserError:
            if not self.done:
                raise ExchangeError(causes.MALFORMED_RESPONSE) from None
            self.surplus = True

    def _receive_head(self, raw: bytearray) -> bytes:
        """The final head, after interim ones or in several pieces, of which `raw` came first."""
        view = self.reactor.first_view
        while not self.head_done:
            if len(raw) > MAX_HEAD_BYTES:
                raise ExchangeError(causes.HEAD_TOO_LARGE)
            count = self.receive(view)
            if count == 0:
                raise ExchangeError(causes.HEAD_TRUNCATED)
            raw += view[:count]
            self._feed(view[:count])
        return final_head(bytes(raw))

    def _end_at_head(self, response: "Response") -> None:
        """A HEAD's response ends there, whatever length it announces."""
        if self.body_bytes:
            self.surplus = True
            self.body_bytes = 0
            self.parts.clear()
        self.reusable = stays_open(response.head, response.headers)
        self._renew_parser()

    def _take_body(self, sink: Sink | None, response: "Response") -> None:
        if response.method == "HEAD":
            self._end_at_head(response)
        if sink is None:
            self._deliver(None, response)
            if not self.done:
                self._receive_body(response, None)
            response.parts = self.parts
            return
        if response.decodes:
            sink.decode(response.headers.get("content-encoding", ""), response.deadline)
        self._deliver(sink, response)
        if not self.done:
            self._receive_body(response, sink)
        sink.finish()
        response.parts = sink.pieces
        response.digest = sink.digest

    def _receive_body(self, response: "Response", sink: Sink | None) -> None:
        headers = response.headers
        if is_chunked(headers):
            while not self.done:
                count = self.receive(self.reactor.view)
                if count == 0:
                    raise ExchangeError(causes.BODY_TRUNCATED)
                self._feed(self.reactor.view[:count])
                self._deliver(sink, response)
        elif "content-length" in headers and "transfer-encoding" not in headers:
            self._receive_counted(int(headers["content-length"]), response, sink)
            self._renew_parser()
            # Bytes behind it would be taken for the next response; the parser has not seen them.
            self.surplus = self.has_input()
        else:
            self.reusable = False
            while count := self.receive(self.reactor.view):
                self.on_body(bytes(self.reactor.view[:count]))
                self._deliver(sink, response)
            if self.ragged:  # RFC 9112, 9.8: such an end does not end a body
                raise ExchangeError(causes.BODY_TRUNCATED)

    def _receive_counted(self, length: int, response: "Response", sink: Sink | None) -> None:
        view = self.reactor.view
        if sink is None and length > response.max_kept_bytes:
            raise ExchangeError(causes.BODY_TOO_LARGE)
        while (left := length - self.body_bytes) > 0:
            self.wake_late(left)
            if sink is None:
                data = self.receive_piece(min(left, BUFFER_BYTES))
                count = len(data)
                self.parts.append(data)
                gather(self.parts)
            elif sink.drops:
                count = self.discard(left)
            else:
                piece = view if left >= BUFFER_BYTES else view[:left]
                count = self.receive(piece)
                sink.feed(piece[:count])
            if count == 0:
                raise ExchangeError(causes.BODY_TRUNCATED)
            self.body_bytes += count
        self.wake_late(0)

    def _deliver(self, sink: Sink | None, response: "Response") -> None:
        if sink is None:
            if self.body_bytes > response.max_kept_bytes:
                raise ExchangeError(causes.BODY_TOO_LARGE)
            gather(self.parts)
            return
        piece: Piece
        for piece in self.parts:
            sink.feed(piece)
        self.parts.clear()

    def _renew_parser(self) -> None:
        # The old one still waits for the body that went past it.
        self.done = True
        self.parser = HttpResponseParser(self)

    def close(self) -> None:
        """Let go of everything; safe at any time and more than once."""
        super().close()
        self.parser = None  # it holds our methods, and so a cycle
