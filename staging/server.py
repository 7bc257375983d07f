"""The service as a process: sockets, signals, the ready line, and an end that leaves nothing."""

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import orjson
import uvicorn
import uvloop

from staging.command_line import ServerOptions, read_command_line
from staging.connection import Connection
from staging.errors import StagingError
from staging.seed import seed
from staging.service import Service, ServiceOptions
from staging.store import Store

EXIT_USAGE = 104

# As many connections as a release day brings may wait to be accepted; the kernel caps it.
_BACKLOG = 4096

# A user thinks for a few seconds between requests: an idle connection must outlive that, or the
# service closes it just as the next request is on its way.
_KEEP_ALIVE_S = 75

# Bounds what the kernel takes off our hands for one client, so that one that stops reading in the
# middle of a bundle is noticed.
_SEND_BUFFER_BYTES = 128 << 10

# How long answers under way may take once the process is asked to end.
_GRACE_S = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service until SIGTERM or SIGINT; the process's exit code."""
    try:
        options = read_command_line(sys.argv[1:] if argv is None else argv)
        with _data_dir(options.data_dir) as data_dir, _listen(options) as listener:
            return _serve(options, data_dir, listener)
    except StagingError as error:
        sys.stderr.write(f"otaload staging: {error}\n")
        return EXIT_USAGE


@contextlib.contextmanager
def _data_dir(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    temporary = Path(tempfile.mkdtemp(prefix="otaload-staging-"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _listen(options: ServerOptions) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise StagingError(f"--host {options.host}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StagingError(
            f"--port {options.port}: cannot listen on {options.host}:{options.port} "
            f"({error.strerror}); choose another port, or 0 for a free one"
        ) from error
    listener.settimeout(0)
    return listener


def _serve(options: ServerOptions, data_dir: Path, listener: socket.socket) -> int:
    store = Store(data_dir)
    try:
        seeded = seed(
            store,
            app_id=options.app_id,
            api_key=options.api_key,
            bundle_bytes=options.bundle_bytes,
            releases=options.releases,
        )
        host, port = listener.getsockname()[:2]
        scheme = "http" if options.tls_cert is None else "https"
        redirect = options.redirect_downloads
        service = Service(
            store,
            seeded,
            ServiceOptions(
                base_path=options.base_path,
                redirect_downloads=f"{scheme}://localhost:{port}"
                if redirect == "host"
                else redirect,
                mau_limit=options.mau_limit,
                rate_limits=options.rate_limits,
            ),
        )
        service.set_faults(options.faults)
        origin = f"{scheme}://{_reachable(host)}:{port}"
        service.addresses = (f"{host}:{port}",)
        ready = {
            "ready": True,
            "base_url": origin + options.base_path,
            "admin_url": f"{origin}/__admin",
            "pid": os.getpid(),
            "app_id": seeded.app_id,
            "release_id": seeded.release_id,
            "releases": seeded.releases,
            "api_key": seeded.api_key,
            "data_dir": str(data_dir),
        }
        server = _Server(_uvicorn_config(service, options), ready, options.exit_with_parent)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listener]))
        return 0
    finally:
        store.close()


def _reachable(host: str) -> str:
    """The address under which this machine reaches a bound one."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return f"[{host}]" if ":" in host else host


def _uvicorn_config(service: Service, options: ServerOptions) -> uvicorn.Config:
    config = uvicorn.Config(
        cast(Any, service),
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise StagingError(
            f"--tls-cert {options.tls_cert}, --tls-key {options.tls_key}: {error}; "
            "give a PEM certificate and its own key"
        ) from error
    return config


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready, watches its parent and does not wait for hung clients."""

    def __init__(
        self, config: uvicorn.Config, ready: dict[str, Any], exit_with_parent: int | None
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._parent = os.getppid() if exit_with_parent == 0 else exit_with_parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(orjson.dumps(self._ready).decode() + "\n")
        sys.stdout.flush()

    async def on_tick(self, counter: int) -> bool:
        # Polling the parent's id, and not PR_SET_PDEATHSIG, which follows the thread that forked,
        # nor EOF on a pipe, whose other end any process forked from the parent keeps open.
        if self._parent is not None and os.getppid() != self._parent:
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        # uvicorn would raise the signal again after a clean end; ours is an exit code of 0.
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        abort = asyncio.get_running_loop().call_later(_GRACE_S, self._abort_connections)
        try:
            await super().shutdown(sockets)
        finally:
            abort.cancel()

    def _abort_connections(self) -> None:
        for connection in list(self.server_state.connections):
            cast(Connection, connection).transport.abort()
