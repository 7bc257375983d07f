"""Keeps load away from production: only the health scenario may go there."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from otaload.errors import RefusedError
from otaload.targets import Targets


def kind_of(targets: Targets, hostname: str) -> str:
    """`production`, `loopback` or `staging` (everything that is not known as production)."""
    if targets.is_production(hostname):
        return "production"
    if hostname in {"localhost", "::1"} or hostname.startswith("127."):
        return "loopback"
    return "staging"


def refuse_production(
    targets: Targets, url: str, *, scenario: str, allowed: bool, source: str
) -> None:
    """Raise `RefusedError` for a URL on production that this scenario may not load."""
    hostname = urlsplit(url).hostname or ""
    if targets.is_production(hostname) and not allowed:
        raise RefusedError(
            f"{hostname} (from {source}) is production and may get the health scenario only; "
            f"{scenario} was not started. Point it at staging with --host or API_BASE_URL, or "
            "correct `production` in targets.yaml"
        )


def connect_guard(targets: Targets, *, scenario: str, allowed: bool) -> Callable[[str, int], None]:
    """A check that the HTTP client makes before it first connects to a host: whatever an answer or
    a redirect names is held against the same rule."""

    def check(host: str, port: int) -> None:
        if not allowed and targets.is_production(host):
            raise RefusedError(
                f"an answer of the service leads to {host}:{port}, which is production; "
                f"{scenario} was ended"
            )

    return check
