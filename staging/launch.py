"""The service as a child process, for tests and for a load test without a target.

Works in a process that gevent has patched and in one that it has not: the child writes to files
and not to pipes, so nothing here blocks on reading, and waiting is polling with `time.sleep`,
which gevent's patch makes cooperative.
"""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit

from staging.errors import LaunchError, StagingError
from staging.seed import APP_ID, DEFAULT_API_KEY, DEFAULT_BUNDLE_BYTES

_POLL_S = 0.01
_STOP_S = 5.0
_ADMIN_TIMEOUT_S = 10.0
_PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class _Ready:
    """The child's ready line."""

    base_url: str
    admin_url: str
    pid: int
    app_id: str
    release_id: str
    releases: tuple[str, ...]
    api_key: str
    data_dir: Path


class StagingProcess:
    """A running service; ends with its `with` block, or with the process that started it."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        ready: _Ready,
        *,
        owns_data_dir: bool,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._process = process
        self._owner_pid = os.getpid()
        self._owns_data_dir = owns_data_dir
        self._tls = tls
        self.base_url = ready.base_url
        self.admin_url = ready.admin_url
        self.pid = ready.pid
        self.app_id = ready.app_id
        self.release_id = ready.release_id
        self.releases = ready.releases
        self.api_key = ready.api_key
        self.data_dir = ready.data_dir

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the child: politely, then for good; at most a few seconds, and twice does no harm."""
        # A worker forked from the owner inherits this object, and must not end its sibling.
        if os.getpid() != self._owner_pid:
            return
        _end(self._process)
        if self._owns_data_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def counters(self) -> dict[str, Any]:
        """What the service counted; `staging.counters` defines each number."""
        return self._admin("GET", "/counters")

    def reset_counters(self) -> None:
        """Begin a new generation of counts, and start the faults over."""
        self._admin("DELETE", "/counters")

    def state(self) -> dict[str, Any]:
        return self._admin("GET", "/state")

    def faults(self) -> dict[str, Any]:
        """The active faults and how often each was applied."""
        return self._admin("GET", "/faults")

    def set_faults(self, spec: str) -> None:
        """Replace the active faults; an empty spec ends them."""
        self._admin("PUT", "/faults", spec.encode())

    def _admin(self, method: str, page: str, body: bytes | None = None) -> dict[str, Any]:
        parts = urlsplit(self.admin_url)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.netloc, timeout=_ADMIN_TIMEOUT_S, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=_ADMIN_TIMEOUT_S)
        try:
            connection.request(method, parts.path + page, body=body)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            state = "runs" if self.running else f"ended with code {self._process.returncode}"
            raise LaunchError(
                f"{self.admin_url}{page}: {type(error).__name__}: {error}; the service {state}"
            ) from error
        finally:
            connection.close()
        if response.status != 200:
            raise StagingError(str(answer.get("message", answer)))
        return answer


def start(
    *,
    faults: str | None = None,
    data_dir: Path | str | None = None,
    bundle_bytes: int | Sequence[int] = DEFAULT_BUNDLE_BYTES,
    releases: int = 2,
    app_id: str = APP_ID,
    api_key: str = DEFAULT_API_KEY,
    host: str = "127.0.0.1",
    port: int = 0,
    base_path: str = "",
    redirect_downloads: str | None = None,
    mau_limit: int | None = None,
    rate_limits: bool = False,
    tls_cert: Path | str | None = None,
    tls_key: Path | str | None = None,
    timeout_s: float = 15.0,
) -> StagingProcess:
    """Start the service and wait until it is ready.

    `faults=None` leaves them to the environment variable OTALOAD_FAULTS; an empty string is none.
    The child is in a session of its own, so a Ctrl-C in the terminal does not reach it: the
    parent stops it once it has drained its load.  Raises `LaunchError` with the child's own words.
    """
    sizes = [bundle_bytes] if isinstance(bundle_bytes, int) else bundle_bytes
    options: dict[str, object | None] = {
        "--faults": faults,
        "--data-dir": data_dir,
        "--bundle-bytes": ",".join(f"{size}B" for size in sizes),
        "--releases": releases,
        "--app-id": app_id,
        "--api-key": api_key,
        "--host": host,
        "--port": port,
        "--base-path": base_path,
        "--redirect-downloads": redirect_downloads,
        "--mau-limit": mau_limit,
        "--tls-cert": tls_cert,
        "--tls-key": tls_key,
        "--exit-with-parent": os.getpid(),
    }
    # One word each, so that a value that begins with a dash is still a value.
    command = [f"{name}={value}" for name, value in options.items() if value is not None]
    command += ["--rate-limits"] if rate_limits else []
    tls = None if tls_cert is None else ssl.create_default_context(cafile=str(tls_cert))
    process, ready = _launch(command, timeout_s)
    return StagingProcess(process, ready, owns_data_dir=data_dir is None, tls=tls)


def _launch(command: list[str], timeout_s: float) -> "tuple[subprocess.Popen[bytes], _Ready]":
    search_path = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(  # noqa: S603 - our own module with our own options
            [sys.executable, "-m", "staging", *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
        )
        try:
            return process, _await_ready(process, out, err, timeout_s)
        except BaseException:
            _end(process)
            raise


def _await_ready(
    process: "subprocess.Popen[bytes]", out: IO[bytes], err: IO[bytes], timeout_s: float
) -> _Ready:
    deadline_s = time.monotonic() + timeout_s
    while True:
        ended = process.poll()
        line, newline, _ = _written(out).partition(b"\n")
        if newline:
            return _read_ready(line)
        if ended is not None:
            words = _written(err).decode("utf-8", "replace").strip() or "it said nothing"
            raise LaunchError(f"the staging service ended with code {ended}: {words}")
        if time.monotonic() > deadline_s:
            raise LaunchError(f"the staging service was not ready within {timeout_s:g} s")
        time.sleep(_POLL_S)


def _written(file: IO[bytes]) -> bytes:
    """What the child has written so far; it shares the file's position, which stays untouched."""
    return os.pread(file.fileno(), 1 << 16, 0)


def _read_ready(line: bytes) -> _Ready:
    values = json.loads(line)
    return _Ready(
        base_url=values["base_url"],
        admin_url=values["admin_url"],
        pid=values["pid"],
        app_id=values["app_id"],
        release_id=values["release_id"],
        releases=tuple(values["releases"]),
        api_key=values["api_key"],
        data_dir=Path(values["data_dir"]),
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=_STOP_S)
