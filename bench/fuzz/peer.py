"""The hostile server: it plays the script of the case that it is told, byte by byte."""

import contextlib
import re
import socket
import ssl
import struct
from typing import Any

import gevent
import gevent.socket
from gevent.server import StreamServer

from bench.fuzz.script import Case, Script

_LONGEST_HANG_S = 20.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Peer:
    """One server on loopback, for one case at a time."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server = StreamServer(("127.0.0.1", 0), self._serve, backlog=64)
        self._server.start()
        self._case: Case | None = None
        self._hops = 0
        scheme = "https" if tls else "http"
        self.base = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def play(self, case: Case) -> None:
        """From the next request on."""
        self._case, self._hops = case, 0

    def close(self) -> None:
        """Stop listening, and end what is left of its connections."""
        self._server.stop(timeout=0)

    def _serve(self, sock: Any, _address: object) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock:
                while (script := self._next_script(sock)) is not None:
                    if not _play(sock, script):
                        return

    def _next_script(self, sock: Any) -> Script | None:
        # Peeking tells a request from the end without reading it; TLS cannot peek.
        secure = isinstance(sock, ssl.SSLSocket)
        begun = sock.recv(1) if secure else sock.recv(1, socket.MSG_PEEK)
        case = self._case
        if not begun or case is None:
            return None
        script = case.scripts[min(self._hops, len(case.scripts) - 1)]
        self._hops += 1
        whole = script.reads == "all"
        if script.reads != "nothing" and not _read_request(sock, begun if secure else b"", whole):
            return None
        return script


def _play(sock: Any, script: Script) -> bool:
    """Whether the connection lives on."""
    for send in script.sends:
        sock.sendall(send.data)
        if send.pause_s:
            gevent.sleep(send.pause_s)
    if script.end == "keep":
        return True
    if script.end == "reset":
        _reset(sock)
    elif script.end == "fin":
        _half_close(sock)
    else:
        _drain(sock)
    return False


def _read_request(sock: Any, begun: bytes, whole: bool) -> bool:  # noqa: FBT001 - private
    data = bytearray(begun)
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return False
        data += piece
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    left = int(found[1]) - len(body) if found else 0
    while whole and left > 0:
        piece = sock.recv(1 << 18)
        if not piece:
            return False
        left -= len(piece)
    return True


def _reset(sock: Any) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _half_close(sock: Any) -> None:
    if isinstance(sock, ssl.SSLSocket):
        with contextlib.suppress(OSError):
            sock.unwrap()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
    _drain(sock)


def _drain(sock: Any) -> None:
    """Read until the other side has closed."""
    with contextlib.suppress(OSError, gevent.Timeout), gevent.Timeout(_LONGEST_HANG_S):
        while sock.recv(65536):
            pass
