"""Servers and clients for the tests: peers that do what they are told, byte by byte."""

import contextlib
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
from gevent.server import StreamServer
from locust.env import Environment

from otaload.http import HttpClient, LeanHttpUser

Handler = Callable[[gevent.socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Lean:
    """A user's client, and the events that it fired."""

    client: HttpClient
    user: LeanHttpUser
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def causes(self) -> list[str | None]:
        return [None if e["exception"] is None else str(e["exception"]) for e in self.events]

    @property
    def names(self) -> list[str]:
        return [event["name"] for event in self.events]


def lean_user(base: str, **attributes: Any) -> Lean:
    """A user on `base` that nobody started; its class has the given attributes."""
    kind = type(
        "TestUser",
        (LeanHttpUser,),
        {"host": base, "total_timeout_s": 8.0, "abstract": True, **attributes},
    )
    environment = Environment(user_classes=[])
    user = kind(environment)
    lean = Lean(user.client, user)
    environment.events.request.add_listener(lambda **event: lean.events.append(event))
    return lean


@contextlib.contextmanager
def serving(handler: Handler, **options: Any) -> Iterator[str]:
    """A server in this process whose connections are each given to `handler`."""

    def handle(sock: gevent.socket.socket, _address: object) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handler(sock)

    server = StreamServer(("127.0.0.1", 0), handle, **options)
    server.start()
    try:
        scheme = "https" if options else "http"
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.stop(timeout=0)


def read_request(sock: gevent.socket.socket) -> tuple[bytes, bytes]:
    """One request's head and body; empty at the end of the stream."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return data, b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = sock.recv(65536)
        if not piece:
            break
        body += piece
    return head, body


def answering(*answers: bytes, close: bool = False) -> Handler:
    """Answers each request of a connection with the next of `answers`, the last one for ever."""

    def handler(sock: gevent.socket.socket) -> None:
        left = list(answers)
        while read_request(sock)[0]:
            sock.sendall(left[0])
            if len(left) > 1:
                left.pop(0)
            elif close:
                return

    return handler


def reset(sock: gevent.socket.socket) -> None:
    """Close with a RST in place of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def open_files() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextlib.contextmanager
def no_leaks() -> Iterator[None]:
    """Fails if the block leaves descriptors behind."""
    gevent.sleep(0.01)
    before = open_files()
    yield
    give_up = time.monotonic() + 2
    while open_files() > before and time.monotonic() < give_up:
        gevent.sleep(0.01)
    assert open_files() <= before


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process_on(port: int, command: list[str], **options: Any) -> Iterator[None]:
    """A server process that listens on `port` within 10 s."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    ) as process:
        try:
            give_up = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, f"{command[0]} ended"
                    assert time.monotonic() < give_up, f"{command[0]} does not listen"
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(5)


@dataclass(frozen=True)
class Certificates:
    """Certificates made for one test session, by what is wrong with them."""

    ca: Path
    folder: Path

    def server(self, name: str) -> ssl.SSLContext:
        """A server's context with the named certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


def make_certificates(folder: Path) -> Certificates:
    """An authority; good, expired, early and wrong-host certificates by it; a self-signed one."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    def key(name: str) -> None:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def signed(name: str, san: str, start: str, end: str) -> None:
        key(name)
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (folder / f"{name}.ext").write_text(f"subjectAltName={san}\n")
        openssl(
            *("ca", "-batch", "-notext", "-config", "ca.cnf", "-in", f"{name}.csr"),
            *("-out", f"{name}.pem", "-startdate", start, "-enddate", end),
            *("-extfile", f"{name}.ext"),
        )

    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
        "certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
        "[p]\ncommonName=supplied\n"
    )
    key("ca")
    openssl(
        *("req", "-x509", "-new", "-key", "ca.key", "-days", "3650", "-subj", "/CN=test ca"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", "ca.pem"),
    )
    here = "DNS:localhost,IP:127.0.0.1"
    signed("good", here, "20200101000000Z", "20450101000000Z")
    signed("expired", here, "20200101000000Z", "20210101000000Z")
    signed("early", here, "20440101000000Z", "20450101000000Z")
    signed("elsewhere", "DNS:elsewhere.example", "20200101000000Z", "20450101000000Z")
    key("selfsigned")
    openssl(
        *("req", "-x509", "-new", "-key", "selfsigned.key", "-days", "30"),
        *("-subj", "/CN=localhost", "-addext", f"subjectAltName={here}", "-out", "selfsigned.pem"),
    )
    return Certificates(folder / "ca.pem", folder)
