"""Answers that are right by RFC 9112, in every framing, coding and splitting, and their meaning."""

import gzip
import itertools
import zlib
from dataclasses import dataclass
from random import Random

import brotli  # type: ignore[import-untyped]

from bench.fuzz.script import Send

NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
REASONS = ("", "OK", "Not Found", "I'm a teapot", "Gr\xfc\xdf Gott", "x" * 300)
STATUSES = (200, 200, 200, 200, 201, 202, 204, 206, 304, 400, 404, 409, 418, 429, 500, 503, 599)
BODILESS = frozenset({204, 304})


@dataclass(frozen=True)
class Answer:
    """A well-formed answer: its bytes, and what they mean."""

    head: bytes
    framed: bytes  # the body as it goes on the wire
    status: int
    headers: dict[str, str]
    wire_body: bytes  # the body after transfer decoding
    body: bytes  # and after content decoding
    until_close: bool

    @property
    def stream(self) -> bytes:
        """All of it."""
        return self.head + self.framed


def generate(rng: Random, method: str, mark: str, *, decodes: bool, large: bool) -> Answer:
    """A random answer to a request; `mark` is in its header `x-case`."""
    status = rng.choice(STATUSES)
    bodiless = method == "HEAD" or status in BODILESS
    body = b"" if bodiless else random_body(rng, large=large)
    wire_body, coding = coded(rng, body) if decodes and not bodiless else (body, "")
    lines = [("X-Case", mark), *random_headers(rng)]
    if coding:
        lines.append((rng.choice(("Content-Encoding", "content-encoding")), coding))
    framing = rng.choice(("length", "length", "chunked", "close"))
    framed = wire_body
    if framing == "length" and status != 204:
        length = rng.randrange(5000) if bodiless else len(wire_body)
        lines.append((rng.choice(("Content-Length", "content-length")), str(length)))
    elif framing == "chunked" and status != 204:
        lines.append(("Transfer-Encoding", rng.choice(("chunked", "Chunked"))))
        framed = b"" if bodiless else chunked(rng, wire_body)
    until_close = not bodiless and framing not in {"length", "chunked"}
    rng.shuffle(lines)
    head = f"HTTP/1.1 {status} {rng.choice(REASONS)}\r\n".encode("latin-1")
    for name, value in lines:
        before, after = rng.choice((("", ""), (" ", ""), (" ", ""), ("\t ", " \t")))
        if name == "Transfer-Encoding":  # llhttp knows no tab behind it, and the docs say so
            after = ""
        head += f"{name}:{before}{value}{after}\r\n".encode("latin-1")
    merged: dict[str, str] = {}
    for name, value in lines:
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return Answer(head + b"\r\n", framed, status, merged, wire_body, body, until_close)


def interim(rng: Random, count: int) -> bytes:
    """Interim heads, which mean nothing to the caller."""
    heads = []
    for _ in range(count):
        status = rng.choice((b"100 Continue", b"102 Processing", b"103 Early Hints"))
        link = b"Link: </a.css>; rel=preload\r\n" if rng.random() < 0.5 else b""
        heads.append(b"HTTP/1.1 " + status + b"\r\n" + link + b"\r\n")
    return b"".join(heads)


def random_body(rng: Random, *, large: bool) -> bytes:
    """Nothing, a little, or past the buffers of 16 and 256 KiB."""
    sizes = [0, 1, rng.randrange(2, 300), rng.randrange(300, 40_000)]
    if large:
        sizes += [16_384 + rng.randrange(-300, 300), 262_144 + rng.randrange(-5, 5), 1_500_000]
    size = rng.choice(sizes)
    piece = rng.randbytes(min(size, 997))
    return (piece * (size // max(1, len(piece)) + 1))[:size]


def coded(rng: Random, body: bytes) -> tuple[bytes, str]:
    """A body in a content coding, and the coding's name."""
    name = rng.choice(("", "identity", "gzip", "x-gzip", "deflate", "raw", "br", "gzip, br"))
    if name in {"gzip", "x-gzip"}:
        half = len(body) // 2  # of two members, which is one body
        if rng.random() < 0.3:
            return gzip.compress(body[:half], 1) + gzip.compress(body[half:], 1), name
        return gzip.compress(body, 1), name
    if name == "deflate":
        return zlib.compress(body, 1), name
    if name == "raw":
        raw = zlib.compressobj(1, zlib.DEFLATED, -15)
        return raw.compress(body) + raw.flush(), "deflate"
    if name == "br":
        return brotli.compress(body, quality=1), name
    if name == "gzip, br":
        return brotli.compress(gzip.compress(body, 1), quality=1), name
    return body, name


def chunked(rng: Random, body: bytes) -> bytes:
    """A body in chunks of random size, with extensions and trailers now and then."""
    out, at = bytearray(), 0
    longest = max(1, len(body) // rng.choice((1, 3, 20)))
    while at < len(body):
        size = rng.randint(1, longest)
        piece = body[at : at + size]
        at += size
        extension = rng.choice((b"", b"", b"", b";a", b";name=value", b';q="a b"'))
        digits = rng.choice((b"%x", b"%X", b"000%x")) % len(piece)
        out += digits + extension + b"\r\n" + piece + b"\r\n"
    trailer = rng.choice((b"", b"", b"X-Trailer: 1\r\n"))
    return bytes(out + b"0\r\n" + trailer + b"\r\n")


def random_headers(rng: Random) -> list[tuple[str, str]]:
    """Names and values as odd as is allowed; none that frame the message or rule the connection."""
    found = []
    for _ in range(rng.choice((0, 1, 3, 3, 12))):
        name = "X-" + "".join(rng.choice(NAME_CHARACTERS) for _ in range(rng.randint(1, 12)))
        value = "".join(
            chr(rng.choice((rng.randint(0x21, 0x7E), rng.randint(0xA1, 0xFF))))
            for _ in range(rng.choice((0, 1, 8, 8, 200)))
        )
        found.append((name, value))
    return found


def split(rng: Random, data: bytes, *, pauses: bool = True) -> tuple[Send, ...]:
    """The bytes in random writes, some with a pause that makes the other side read them apart."""
    way = rng.random()
    if way < 0.35 or len(data) < 2:
        return (Send(data),)
    if way < 0.5 and len(data) <= 400:
        cuts = list(range(1, len(data)))
    else:
        # Most cuts in the head, where the parser has states.
        near = min(len(data), 600)
        cuts = sorted(
            {rng.randrange(1, rng.choice((near, len(data)))) for _ in range(rng.randint(1, 8))}
        )
    edges = [0, *cuts, len(data)]
    longest = 0.004 if pauses else 0.0
    return tuple(
        Send(data[a:b], rng.choice((0.0, 0.0005, longest)) if len(edges) < 20 else 0.0002)
        for a, b in itertools.pairwise(edges)
    )
