"""A webhook on loopback that answers as it is told to, one answer after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/services/T000/B000/not-to-be-told"


@dataclass(frozen=True)
class Answer:
    """What one request gets; `raw` replaces all of it, and `silent` answers never."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    silent: bool = False


@dataclass
class Webhook:
    """Where it listens, and what was posted, when."""

    url: str
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)


@contextmanager
def webhook(*answers: Answer) -> Iterator[Webhook]:
    """Serve the answers in their order, and the last one from then on."""
    over = threading.Event()
    told: Sequence[Answer] = answers or (Answer(),)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            running.paths.append(self.path)
            running.bodies.append(body)
            running.times_s.append(time.monotonic())
            answer = told[min(len(running.bodies), len(told)) - 1]
            if answer.silent:
                over.wait(60)
            elif answer.raw:
                self.wfile.write(answer.raw)
            else:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815 -- http.server looks for this name; a redirect would end here

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = Webhook(f"http://127.0.0.1:{server.server_port}{PATH}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield running
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
