"""Where a response body goes that is not simply kept as it comes: hashed, decoded, dropped.

A body is handed on in the pieces it arrives in, at most 256 KiB each, and each piece decodes to at
most 1 MiB at a time: memory does not depend on what the server sends. 2 KB of brotli may decode to
gigabytes, so that the deadline is looked at and others get their turn while decoding.
"""

import hashlib
import zlib
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Final, Protocol

import brotli  # type: ignore[import-untyped]
import gevent

from otaload.http.causes import BODY_TOO_LARGE, BODY_UNDECODABLE, TIMEOUT_TOTAL, ExchangeError
from otaload.http.deadline import NEVER

Piece = bytes | bytearray | memoryview

_STEP_BYTES: Final = 1024 * 1024
_MAX_PIECES: Final = 4096
# As curl has it; each one is a level of recursion and has a window of its own.
_MAX_CODINGS: Final = 5
# Steps of decoding before others get their turn: about 10 ms.
_TURN_STEPS: Final = 4
# Above 0, for which gevent looks at neither timers nor sockets.
_TURN_S: Final = 0.0001


class Decoder(Protocol):
    """One content coding, undone piece by piece."""

    def pieces(self, data: Piece) -> Iterator[bytes]:
        """What `data` decodes to; raises zlib.error or brotli.error."""

    def complete(self) -> bool:
        """Whether the coded stream came to its end."""


class Sink:
    """Takes a body piece by piece; `kept` and `digest` are what is left of it."""

    __slots__ = (
        "_deadline",
        "_decoders",
        "_fed",
        "_hash",
        "_keep",
        "_max_kept",
        "_pieces",
        "_size",
        "_steps",
    )

    def __init__(self, *, keep: bool, digest: str | None, max_kept_bytes: int) -> None:
        self._keep = keep
        self._hash: Any = new_hash(digest) if digest is not None else None
        self._max_kept = max_kept_bytes
        self._pieces: list[bytes | bytearray] = []
        self._size = 0
        self._decoders: list[Decoder] = []
        self._fed = False  # an empty body is complete in any coding
        self._deadline = NEVER
        self._steps = 0

    @property
    def drops(self) -> bool:
        """Whether nobody looks at the bytes."""
        return not self._keep and self._hash is None and not self._decoders

    def decode(self, content_encoding: str, deadline: float) -> None:
        """Undo the codings of a Content-Encoding header, before the first piece.

        A `feed` then may switch to other greenlets, and ends at `deadline` (perf_counter).
        """
        self._deadline = deadline
        names = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
        if len(names) > _MAX_CODINGS:
            raise ExchangeError(BODY_UNDECODABLE)
        self._decoders = [_decoder(name) for name in reversed(names) if name != "identity"]

    def feed(self, data: Piece) -> None:
        """Take the next piece; it may be reused by the caller afterwards."""
        if not self._decoders:
            self._take(data)
            return
        self._fed = self._fed or len(data) > 0
        try:
            # A copy, because the caller's buffer is everybody's while others have their turn.
            for piece in self._decoded(bytes(data), 0):
                self._take(piece)
        except (zlib.error, brotli.error):
            raise ExchangeError(BODY_UNDECODABLE) from None

    def finish(self) -> None:
        """The body has ended; a coded stream that has not is a failure."""
        if self._fed and not all(decoder.complete() for decoder in self._decoders):
            raise ExchangeError(BODY_UNDECODABLE)

    @property
    def pieces(self) -> list[bytes | bytearray]:
        """What was kept."""
        return self._pieces

    @property
    def digest(self) -> str | None:
        """The hex digest of all that came, decoded."""
        return None if self._hash is None else str(self._hash.hexdigest())

    def _decoded(self, data: Piece, depth: int) -> Iterator[bytes]:
        for piece in self._decoders[depth].pieces(data):
            self._steps += 1
            if self._steps % _TURN_STEPS == 0:
                gevent.sleep(_TURN_S)
                # Here, since the deadline scan passes by those who do not wait for their wire.
                if perf_counter() >= self._deadline:
                    raise ExchangeError(TIMEOUT_TOTAL)
            if not piece:
                continue
            if depth + 1 < len(self._decoders):
                yield from self._decoded(piece, depth + 1)
            else:
                yield piece

    def _take(self, data: Piece) -> None:
        self._size += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._keep:
            if self._size > self._max_kept:
                raise ExchangeError(BODY_TOO_LARGE)
            self._pieces.append(bytes(data))
            gather(self._pieces)


def gather(pieces: list[bytes | bytearray]) -> None:
    """Make one of many pieces: a peer that sends single bytes must not cost 40 for each."""
    if len(pieces) > _MAX_PIECES:
        whole = pieces[0] if isinstance(pieces[0], bytearray) else bytearray(pieces[0])
        for piece in pieces[1:]:
            whole += piece
        pieces[:] = [whole]


def new_hash(name: str) -> Any:
    """A hash by its name, such as sha256; ValueError names those there are."""
    if name not in hashlib.algorithms_available or name.startswith("shake"):
        known = ", ".join(
            sorted(one for one in hashlib.algorithms_guaranteed if "shake" not in one)
        )
        raise ValueError(f"digest {name!r}: unknown; use one of {known}")
    return hashlib.new(name, usedforsecurity=False)


def _decoder(name: str) -> Decoder:
    if name in {"gzip", "x-gzip"}:
        return _Zlib(wbits=31)
    if name == "deflate":
        return _Deflate()
    if name == "br":
        return _Brotli()
    raise ExchangeError(BODY_UNDECODABLE)


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)

    def pieces(self, data: Piece) -> Iterator[bytes]:
        left: Piece = data
        while left:
            if self._stream.eof:  # a gzip file may have several members, and zeros behind them
                left = bytes(left).lstrip(b"\0")
                if not left:
                    return
                self._stream = zlib.decompressobj(self._wbits)
            yield self._stream.decompress(left, _STEP_BYTES)
            left = self._stream.unconsumed_tail or self._stream.unused_data

    def complete(self) -> bool:
        return self._stream.eof


class _Deflate:
    """`deflate` means zlib's format, yet some servers send the bare stream."""

    def __init__(self) -> None:
        self._inner: _Zlib | None = None

    def pieces(self, data: Piece) -> Iterator[bytes]:
        if self._inner is None and len(data):
            # RFC 1950: the low four bits of the first byte are 8 in every zlib stream.
            self._inner = _Zlib(wbits=15 if data[0] & 0x0F == 8 else -15)
        if self._inner is not None:
            yield from self._inner.pieces(data)

    def complete(self) -> bool:
        return self._inner is None or self._inner.complete()


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def pieces(self, data: Piece) -> Iterator[bytes]:
        stream = self._stream
        piece = stream.process(bytes(data), output_buffer_limit=_STEP_BYTES)
        while piece:
            yield piece
            if stream.is_finished():
                return
            # It may hold back output even where it says that it takes more input.
            piece = stream.process(b"", output_buffer_limit=_STEP_BYTES)

    def complete(self) -> bool:
        return bool(self._stream.is_finished())
