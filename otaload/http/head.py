"""Heads: of requests, checked before they are sent, and of responses, read when asked for.

Response headers are kept as the bytes that came and are parsed at the first look, since most checks
never look.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

Pairs = tuple[tuple[str, str], ...]

USER_AGENT: Final = "otaload"

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_METHOD: Final = re.compile(r"[A-Z]+")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OWNED: Final = frozenset({"content-length", "transfer-encoding", "expect", "upgrade"})


def request_head(method: str, path: str, host_header: str, headers: Pairs, media: str) -> bytes:
    """A head without its last empty line, to which a length and a body may be added.

    `media` is the content type of the body unless the headers name one; "" for none.
    """
    if not _METHOD.fullmatch(method):
        raise ValueError(f"method {method!r}: must be upper-case letters, such as GET")
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {path} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host_header}")
    if "user-agent" not in names:
        lines.append(f"User-Agent: {USER_AGENT}")
    if "accept" not in names:
        lines.append("Accept: application/json" if media == "application/json" else "Accept: */*")
    if media and "content-type" not in names:
        lines.append(f"Content-Type: {media}")
    for name, value in headers:
        _check_header(name, value)
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def pairs_of(headers: Mapping[str, str]) -> Pairs:
    """A header set as a key for the cache."""
    return tuple(headers.items())


def without(headers: Pairs, names: frozenset[str]) -> Pairs:
    """The header set less the named ones (lower case)."""
    return tuple(pair for pair in headers if pair[0].lower() not in names)


def asks_for_encoding(headers: Pairs) -> bool:
    """Whether an Accept-Encoding is sent, and so the body is to be decoded."""
    return any(name.lower() == "accept-encoding" for name, _ in headers)


def _check_header(name: str, value: str) -> None:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r}: must be an HTTP token")
    if name.lower() in _OWNED:
        raise ValueError(f"header {name}: the client sets it itself; leave it out")
    if not isinstance(value, str):
        raise TypeError(f"header {name}: the value must be str, not {type(value).__name__}")
    if _BAD_VALUE.search(value):
        raise ValueError(f"header {name}: control characters are not allowed in a value")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"header {name}: the value must be Latin-1; encode it first") from None


class Headers(Mapping[str, str]):
    """Response headers: names without regard to case, repeated ones joined by ", "."""

    __slots__ = ("_values",)

    def __init__(self, head: bytes | bytearray = b"") -> None:
        values: dict[str, str] = {}
        for line in head.split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            if not colon:
                continue
            key = name.decode("latin-1").lower()
            text = value.strip(b" \t").decode("latin-1")
            values[key] = f"{values[key]}, {text}" if key in values else text
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


def final_head(raw: bytes) -> bytes:
    """The last head in `raw`, past any interim 1xx ones, up to and without its empty line."""
    start = 0
    while True:
        while raw.startswith(b"\r\n", start):  # llhttp allows empty lines before a status line
            start += 2
        end = raw.find(b"\r\n\r\n", start)
        if end < 0:
            return raw[start:]
        status = raw[start:end].split(b"\r\n", 1)[0].split(b" ", 2)
        interim = len(status) > 1 and status[1].startswith(b"1") and status[1] != b"101"
        if not interim:
            return raw[start:end]
        start = end + 4


def is_chunked(headers: Headers) -> bool:
    """Whether the last transfer coding is chunked."""
    return headers.get("transfer-encoding", "").rpartition(",")[2].strip().lower() == "chunked"


def stays_open(head: bytes | bytearray, headers: Headers) -> bool:
    """Whether the peer keeps the connection, by its version and its Connection header."""
    tokens = {token.strip().lower() for token in headers.get("connection", "").split(",")}
    if head.startswith(b"HTTP/1.1"):
        return "close" not in tokens
    return "keep-alive" in tokens
