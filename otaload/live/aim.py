"""Settles where a run goes before it starts: the host, the guard, the embedded service."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from otaload.errors import ConfigurationError
from otaload.http.target import parse_url
from otaload.live.guard import kind_of, refuse_production
from otaload.targets import Targets, check_base_url
from staging.errors import StagingError
from staging.fault_spec import FaultSpecError, parse
from staging.launch import StagingProcess
from staging.launch import start as start_service

REACH_TIMEOUT_S = 10.0


@dataclass
class Aim:
    """Where a run goes: `source` says who said so; `service` is the embedded one, if it is ours."""

    targets: Targets
    source: str
    kind: str
    service: StagingProcess | None = None

    @property
    def base_url(self) -> str:
        """The base URL; an aim without one is never made."""
        assert self.targets.base_url is not None
        return self.targets.base_url

    @property
    def faults(self) -> list[str]:
        """The embedded service's active faults, a line each."""
        if self.service is None:
            return []
        try:
            return [fault["text"] for fault in self.service.faults()["faults"]]
        except StagingError as error:
            raise ConfigurationError(f"the embedded service was lost: {error}") from error

    def close(self) -> None:
        """Stop the embedded service, if there is one."""
        if self.service is not None:
            self.service.stop()


def take_aim(
    targets: Targets,
    *,
    host: str | None,
    scenario: str,
    allowed: bool,
    exercises: Collection[str],
    faults: str | None,
) -> Aim:
    """The aim of a run that asks for the endpoints `exercises`.

    `host` (given with `--host`) wins over the targets' base URL; without either the embedded
    service is started, with `faults`.
    Raises `RefusedError` for production and `ConfigurationError` for what is no usable target.
    """
    url, source = (host, "--host") if host else (targets.base_url, targets.base_url_source)
    if url is None:
        return _embedded(targets, faults)
    url = check_base_url(url, source)
    try:
        parse_url(url)  # what the HTTP client will make of it
    except ValueError as error:
        raise ConfigurationError(f"{source}: {error}") from error
    refuse_production(targets, url, scenario=scenario, allowed=allowed, source=source)
    if faults:
        raise ConfigurationError(
            f"--faults: {url} (from {source}) is not the embedded service; drop --faults, or drop "
            "the target to start the embedded service with them"
        )
    needing = [name for name in exercises if targets.endpoints[name].auth == "api_key"]
    if needing and targets.api_key is None:
        raise ConfigurationError(
            f"LOAD_TEST_API_KEY is not set, and {', '.join(needing)} of {url} needs it; export it, "
            "or set the endpoint's auth to none in targets.yaml"
        )
    kind = kind_of(targets, urlsplit(url).hostname or "")
    return Aim(dataclasses.replace(targets, base_url=url), source, kind)


def aim_again(service: StagingProcess, targets: Targets, faults: str | None) -> Aim:
    """The aim at an embedded service that already runs, with the faults of the next run.

    Raises `ConfigurationError` for a malformed fault spec.
    """
    _check_faults(faults)
    try:
        service.set_faults(faults or "")
    except StagingError as error:
        raise ConfigurationError(f"the embedded service was lost: {error}") from error
    return Aim(_aimed_at(service, targets), "embedded service", "embedded", service)


def reach(targets: Targets) -> None:
    """Connect once, and shake hands over TLS, without sending a request.

    Raises `ConfigurationError` where the target cannot be reached, so that a wrong host is told
    before the load and not by ten thousand failures.
    """
    url = targets.base_url or ""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), timeout=REACH_TIMEOUT_S) as connection:
            if parts.scheme == "https":
                with tls_context(targets).wrap_socket(connection, server_hostname=host):
                    pass
    except ssl.SSLCertVerificationError as error:
        raise ConfigurationError(
            f"{url}: the certificate is not accepted ({error.verify_message}); set "
            "target.tls_ca_file in targets.yaml for a private authority"
        ) from error
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"{url}: cannot be reached ({error}); start the service or correct the host"
        ) from error


def tls_context(targets: Targets) -> ssl.SSLContext:
    """The TLS settings of the targets; raises `OSError` where the authority's file is unusable."""
    context = ssl.create_default_context(cafile=targets.tls_ca_file)
    if not targets.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _embedded(targets: Targets, faults: str | None) -> Aim:
    _check_faults(faults)
    try:
        service = start_service(faults=faults or "")
    except StagingError as error:
        raise ConfigurationError(f"the embedded service did not start: {error}") from error
    return Aim(_aimed_at(service, targets), "embedded service", "embedded", service)


def _check_faults(faults: str | None) -> None:
    try:
        parse(faults or "")
    except FaultSpecError as error:
        raise ConfigurationError(f"--faults: {error}") from error


def _aimed_at(service: StagingProcess, targets: Targets) -> Targets:
    return dataclasses.replace(
        targets,
        base_url=service.base_url,
        app_id=service.app_id,
        release_id=service.release_id,
        api_key=service.api_key,
    )
