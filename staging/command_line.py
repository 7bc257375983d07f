"""The service's command line."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from staging import quantities
from staging.errors import UsageError
from staging.fault_spec import parse
from staging.seed import APP_ID, DEFAULT_API_KEY, DEFAULT_BUNDLE_BYTES

FAULTS_VARIABLE = "OTALOAD_FAULTS"


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """A checked command line."""

    host: str
    port: int
    base_path: str
    data_dir: Path | None
    app_id: str
    api_key: str
    bundle_bytes: tuple[int, ...]
    releases: int
    faults: str
    redirect_downloads: str | None
    mau_limit: int | None
    rate_limits: bool
    tls_cert: Path | None
    tls_key: Path | None
    exit_with_parent: int | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def read_command_line(
    argv: Sequence[str], *, environ: dict[str, str] | None = None
) -> ServerOptions:
    """Parse and check everything that can be checked before a socket or a file is touched."""
    given = _parser().parse_args(argv)
    environ = dict(os.environ) if environ is None else environ
    faults = environ.get(FAULTS_VARIABLE, "") if given.faults is None else given.faults
    parse(faults)
    if (given.tls_cert is None) != (given.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together; give both or none")
    for option, path in (("--tls-cert", given.tls_cert), ("--tls-key", given.tls_key)):
        if path is not None and not path.is_file():
            raise UsageError(f"{option} {path}: no such file")
    sizes = given.bundle_bytes
    if len(sizes) not in (1, given.releases):
        raise UsageError(
            f"--bundle-bytes: {len(sizes)} sizes for {given.releases} releases; give one size for "
            "all or one for each"
        )
    return ServerOptions(
        **{**vars(given), "faults": faults, "bundle_bytes": sizes * (given.releases // len(sizes))}
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="otaload staging",
        description="The embedded over-the-air update service, in the foreground until a signal.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    add("--port", type=_port, default=0, help="port to bind; 0 takes a free one (default: 0)")
    add("--base-path", type=_base_path, default="", help="path before every route, e.g. /v1")
    add("--data-dir", type=Path, help="where database and bundles live (default: a temporary one)")
    add("--app-id", default=APP_ID, help="id of the test app (default: %(default)s)")
    add("--api-key", default=DEFAULT_API_KEY, help="API key to accept (default: %(default)s)")
    add(
        "--bundle-bytes",
        type=_sizes,
        default=(DEFAULT_BUNDLE_BYTES,),
        metavar="SIZE[,SIZE...]",
        help="bundle size, e.g. 2MiB, or one for each release from the oldest on (default: 2MiB)",
    )
    add("--releases", type=_whole, default=2, help="how many releases to seed (default: 2)")
    add("--faults", help=f"fault spec, see docs/faults.md (default: ${FAULTS_VARIABLE})")
    add(
        "--redirect-downloads",
        type=_redirect,
        metavar="path|host|ORIGIN",
        help="answer downloads with 302: to another path here, to the same port under the name "
        "localhost, or to the given origin",
    )
    add("--mau-limit", type=_whole, help="403 for new devices beyond this many (default: off)")
    add(
        "--rate-limits",
        action="store_true",
        help="429 beyond 60 checks or 10 registrations a minute of one device (default: off)",
    )
    add("--tls-cert", type=Path, help="certificate chain (PEM) to serve HTTPS with")
    add("--tls-key", type=Path, help="private key (PEM) of the certificate")
    add(
        "--exit-with-parent",
        type=int,
        nargs="?",
        const=0,
        metavar="PID",
        help="exit when the parent process is no longer PID (default PID: the parent at start)",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _whole(text: str) -> int:
    try:
        return quantities.whole(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(quantities.size_bytes(size) for size in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _base_path(text: str) -> str:
    path = text.rstrip("/")
    if path and not path.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} must begin with a slash, e.g. /v1")
    return path


def _redirect(text: str) -> str:
    parts = urlsplit(text)
    is_origin = parts.scheme in ("http", "https") and parts.netloc and not parts.path.strip("/")
    if text not in ("path", "host") and not is_origin:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither path, host nor an origin such as http://localhost:8080"
        )
    return text.rstrip("/")
