"""A tiny service of one's own making, for answers that the embedded service would never give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Stub:
    """Where it listens, and what it was asked: paths and headers."""

    url: str
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def stub(
    answer: Callable[[str], Answer] | None = None, *, host: str = "127.0.0.1"
) -> Iterator[Stub]:
    """Serve `answer(path)` on an address of loopback; without one, everything is healthy."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            running.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            status, headers, body = answer(self.path) if answer else healthy()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = reply  # noqa: N815 -- http.server looks for these names

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    running = Stub(f"http://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def healthy() -> Answer:
    """The answer of a service that is well."""
    return 200, {"Content-Type": "application/json"}, b'{"status":"healthy"}'


def offering(bundle_url: str) -> Callable[[str], Answer]:
    """Answers every update check with a release at some URL, and everything else with health."""

    def answer(path: str) -> Answer:
        if path != "/updates/check":
            return healthy()
        release = {
            "version": "9.9.9",
            "releaseId": "r9",
            "bundleUrl": bundle_url,
            "bundleSize": 20,
            "bundleHash": "ab" * 32,
        }
        body = json.dumps({"updateAvailable": True, "release": release}).encode()
        return 200, {"Content-Type": "application/json"}, body

    return answer


def redirecting(to: str) -> Callable[[str], Answer]:
    """Sends every request elsewhere."""
    return lambda path: (302, {"Location": to + path}, b"")
