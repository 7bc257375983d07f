"""A request as bytes, and what becomes of it at a redirect."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from otaload.http.head import Pairs, request_head, without
from otaload.http.target import Target

Data = bytes | str | Mapping[str, Any]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# RFC 9110, 9.2.2: sent twice, these do what they do once.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})

# RFC 9110, 8.6: these announce even an empty body.
_WITH_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})
_OF_BODY: Final = frozenset({"content-type", "content-encoding", "content-language"})


class Message(NamedTuple):
    """One request, before it is written out."""

    method: str
    target: Target
    pairs: Pairs
    body: bytes | None
    media: str  # the body's content type unless the headers name one; "" for none

    def encode(self) -> bytes:
        """The whole request as it goes on the wire; ValueError or TypeError if it cannot."""
        method, target, pairs, body, media = self
        head = request_head(method, target.path, target.host_header, pairs, media)
        if body is not None:
            return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
        if method in _WITH_LENGTH:
            return head + b"Content-Length: 0\r\n\r\n"
        return head + b"\r\n"

    def redirected(self, status: int, target: Target, credentials: Collection[str]) -> "Message":
        """The request that follows a redirect with this status to this target.

        303 turns everything but HEAD into GET, 301 and 302 turn POST into GET, as browsers do; 307
        and 308 keep method and body. Credentials and cookies do not go to another origin.
        """
        method, _, pairs, body, media = self
        if target.origin != self.target.origin:
            pairs = without(pairs, frozenset({"cookie", *(name.lower() for name in credentials)}))
        if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
            return Message("GET", target, without(pairs, _OF_BODY), None, "")
        return Message(method, target, pairs, body, media)


def encode_body(json: Any, data: Data | None) -> tuple[bytes, str]:
    """The body and its media type; a mapping as `data` becomes a form."""
    if json is not None:
        if data is not None:
            raise ValueError("json= and data= were both given; a request has one body")
        return orjson.dumps(json), "application/json"
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if isinstance(data, Mapping):
        return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data), "application/octet-stream"
    raise TypeError(f"data: must be bytes, str or a mapping, not {type(data).__name__}")
