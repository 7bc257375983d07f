"""What the generators are pointed at: nginx with a small JSON, a bundle and TLS, on one core."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

JSON_BODY = b'{"updateAvailable":false,"note":"' + b"x" * 165 + b'"}'
BUNDLE_BYTES = 2 * 1024 * 1024

_CONFIG = """
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log crit;
worker_rlimit_nofile 40000;
events {{ worker_connections 32000; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_timeout 300s; keepalive_requests 100000000;
  default_type application/json;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=16384 reuseport;
    listen 127.0.0.1:{tls_port} ssl backlog=16384 reuseport;
    ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
    root {root}/www;
    location = /check {{ return 200 '{body}'; }}
  }}
}}
"""


@dataclass(frozen=True)
class Target:
    """A running target."""

    url: str
    tls_url: str
    ca_file: Path
    pid: int


@contextlib.contextmanager
def nginx(root: Path, core: int) -> Iterator[Target]:
    """Run nginx on one core for as long as the block lasts."""
    (root / "www").mkdir(parents=True)
    (root / "www" / "bundle.js").write_bytes(os.urandom(BUNDLE_BYTES))
    make_certificate(root)
    port, tls_port = free_port(), free_port()
    config = root / "nginx.conf"
    config.write_text(
        _CONFIG.format(root=root, port=port, tls_port=tls_port, body=JSON_BODY.decode())
    )
    command = ["taskset", "-c", str(core), "nginx", "-p", str(root), "-c", str(config)]
    with subprocess.Popen(command) as process:
        try:
            await_port(port)
            await_port(tls_port)
            yield Target(
                f"http://127.0.0.1:{port}",
                f"https://localhost:{tls_port}",
                root / "cert.pem",
                process.pid,
            )
        finally:
            process.terminate()


def make_certificate(root: Path) -> None:
    """A certificate for localhost that is its own authority."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(root / "key.pem"), "-out", str(root / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, timeout_s: float = 10.0) -> None:
    """Wait until somebody listens."""
    give_up = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def on_path(*commands: str) -> list[str]:
    """Those of the commands that are installed."""
    return [command for command in commands if shutil.which(command)]
