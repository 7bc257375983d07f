"""What is under test and how it is spoken to: `targets.yaml` and the environment."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otaload.errors import ConfigurationError
from otaload.yamlfile import Section, did_you_mean, read_yaml

AUTH_KINDS = ("none", "api_key", "device_token")
DOWNLOAD_MODES = ("follow", "fixed", "template")

DEFAULT_PATH = Path(__file__).resolve().parent.parent / "targets.yaml"
"""The file that ships with the project."""


@dataclass(frozen=True)
class Endpoint:
    """One route: its path below the base URL, its authentication, the statuses of a success."""

    path: str
    auth: str
    expect: tuple[int, ...]


@dataclass(frozen=True)
class Credential:
    """Where a key or token goes: `header: scheme value`, or the bare value where scheme is ""."""

    header: str = "Authorization"
    scheme: str = "Bearer"

    def value(self, secret: str) -> str:
        """The header's value for a secret."""
        return f"{self.scheme} {secret}" if self.scheme else secret


@dataclass(frozen=True)
class FleetPlan:
    """What the simulated devices look like; weights are relative shares."""

    id_header: str | None = "X-Device-ID"
    fleet_size: int = 10_000
    outdated_version: str = "1.0.1"
    check_retries: int = 0
    platforms: Mapping[str, float] = field(default_factory=lambda: {"ios": 55.0, "android": 45.0})
    app_versions: Mapping[str, float] = field(default_factory=lambda: {"2.4.0": 1.0})
    channels: Mapping[str, float] = field(default_factory=lambda: {"production": 1.0})


@dataclass(frozen=True)
class ProductionRule:
    """A host pattern that means production, unless a second pattern matches too."""

    host: str
    unless: str | None = None

    @property
    def described(self) -> str:
        """The rule in words."""
        return f"{self.host} (but not {self.unless})" if self.unless else self.host

    def matches(self, hostname: str) -> bool:
        """Whether a host name is production by this rule."""
        name = hostname.lower().rstrip(".")
        if not fnmatch.fnmatchcase(name, self.host.lower()):
            return False
        return not (self.unless and fnmatch.fnmatchcase(name, self.unless.lower()))


@dataclass(frozen=True)
class Targets:
    """The whole of `targets.yaml`, with the environment's values in place; times in seconds.

    `api_key` is a secret: it is kept out of `repr`, of files and of messages.
    """

    base_url: str | None
    base_url_source: str
    app_id: str
    release_id: str | None
    api_key: str | None = field(repr=False)
    check: Endpoint
    register: Endpoint
    download: Endpoint
    download_mode: str
    verify_hook: str | None
    health: Endpoint
    api_key_credential: Credential
    device_token_credential: Credential
    fleet: FleetPlan
    production: tuple[ProductionRule, ...]
    tls_verify: bool
    tls_ca_file: str | None
    connect_timeout_s: float
    first_byte_timeout_s: float
    total_timeout_s: float

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """The endpoints by their names in the statistics."""
        return {
            "/updates/check": self.check,
            "/devices/register": self.register,
            "/bundles/download": self.download,
            "/health": self.health,
        }

    def is_production(self, hostname: str) -> bool:
        """Whether a host may get the health scenario only."""
        return any(rule.matches(hostname) for rule in self.production)


def load_targets(path: Path, environ: Mapping[str, str]) -> Targets:
    """Read `targets.yaml`; the environment's API_BASE_URL and LOAD_TEST_* win over it.

    Raises `ConfigurationError` with file, line and remedy.
    """
    top = read_yaml(path)
    target = top.section("target")
    endpoints = top.section("endpoints")
    auth = top.section("auth")
    timeouts = top.section("timeouts")
    download = endpoints.section("download")
    mode = download.choice("mode", DOWNLOAD_MODES, "follow")
    verify_hook = download.text("verify_hook")
    # Read even where the environment wins: a key nobody reads is an unknown one.
    app_id, release_id = target.text("app_id") or "test-app-001", target.text("release_id")
    base_url, source = environ.get("API_BASE_URL") or None, "API_BASE_URL"
    configured = target.text("base_url")
    if base_url is None and configured:
        base_url, source = configured, path.name
    targets = Targets(
        base_url=check_base_url(base_url, source) if base_url else None,
        base_url_source=source,
        app_id=environ.get("LOAD_TEST_APP_ID") or app_id,
        release_id=environ.get("LOAD_TEST_RELEASE_ID") or release_id,
        api_key=_api_key(environ),
        check=_endpoint(endpoints.section("check"), "/updates/check", "none", (200,)),
        register=_endpoint(endpoints.section("register"), "/devices/register", "none", (200, 201)),
        download=_endpoint(download, "/bundles/download", "api_key", (200,)),
        download_mode=mode,
        verify_hook=verify_hook,
        health=_endpoint(endpoints.section("health"), "/health", "none", (200,)),
        api_key_credential=_credential(auth.section("api_key")),
        device_token_credential=_credential(auth.section("device_token")),
        fleet=_fleet(top.section("devices")),
        production=_production(top),
        tls_verify=target.flag("tls_verify", default=True),
        tls_ca_file=target.text("tls_ca_file"),
        connect_timeout_s=timeouts.number("connect", 10.0, least=0.001),
        first_byte_timeout_s=timeouts.number("first_byte", 30.0, least=0.001),
        total_timeout_s=timeouts.number("total", 120.0, least=0.001),
    )
    for section in (target, endpoints, auth, timeouts, top):
        section.close()
    if targets.register.auth == "device_token":
        raise endpoints.error("register", "registration is what hands the device token out")
    if targets.health.auth == "device_token":
        raise endpoints.error("health", "a probe is no device and has no token")
    if mode == "fixed" and not targets.release_id:
        raise download.error("mode", "fixed needs LOAD_TEST_RELEASE_ID or target.release_id")
    _check_template(download, targets.download.path)
    return targets


def targets_to_json(targets: Targets) -> dict[str, Any]:
    """As plain JSON for a worker; the API key is left out, because a worker has its own."""
    record = asdict(targets)
    del record["api_key"]
    return record


def targets_from_json(record: Mapping[str, Any], *, api_key: str | None) -> Targets:
    """The targets that a master sent."""
    parts = dict(record)
    for name in ("check", "register", "download", "health"):
        endpoint = parts[name]
        parts[name] = Endpoint(endpoint["path"], endpoint["auth"], tuple(endpoint["expect"]))
    for name in ("api_key_credential", "device_token_credential"):
        parts[name] = Credential(**parts[name])
    parts["fleet"] = FleetPlan(**parts["fleet"])
    parts["production"] = tuple(ProductionRule(**rule) for rule in parts["production"])
    return Targets(**parts, api_key=api_key)


def check_base_url(url: str, source: str) -> str:
    """A base URL without its trailing slash; `source` names where it was given.

    Raises `ConfigurationError` for what is no http(s) URL, or has a user, a query or a fragment.
    """
    hint = "give a URL such as https://staging.example.com/v1"
    url = url.strip()
    if not url.isprintable() or " " in url:
        raise ConfigurationError(f"{source}: {url!r} has spaces or control characters; {hint}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{source}: {url!r} is not a URL ({error}); {hint}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigurationError(f"{source}: {url!r} is not an http or https URL; {hint}")
    if parts.username or parts.password:
        raise ConfigurationError(f"{source}: a base URL carries no user or password; {hint}")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{source}: {url!r} has a query or fragment; {hint}")
    return url.rstrip("/")


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL: `https://host:8443`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _check_template(download: Section, path: str) -> None:
    for name in re.findall(r"\{(.*?)\}", path):
        if name not in ("app_id", "release_id"):
            hint = did_you_mean(name, ("app_id", "release_id"))
            raise download.error("path", f"unknown placeholder {{{name}}}{hint}")


def _api_key(environ: Mapping[str, str]) -> str | None:
    key = environ.get("LOAD_TEST_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "LOAD_TEST_API_KEY: has characters that no header can carry; copy the key again"
        )
    return key or None


def _endpoint(section: Section, path: str, auth: str, expect: tuple[int, ...]) -> Endpoint:
    given = section.text("path", path) or path
    if not given.startswith("/"):
        raise section.error("path", f"{given!r} must begin with /")
    statuses = []
    for text in section.texts("expect", [str(status) for status in expect]):
        if not (text.isdigit() and 100 <= int(text) <= 599):
            raise section.error("expect", f"{text!r} is not an HTTP status")
        statuses.append(int(text))
    if not statuses:
        raise section.error("expect", "name at least one HTTP status")
    endpoint = Endpoint(given, section.choice("auth", AUTH_KINDS, auth), tuple(statuses))
    section.close()
    return endpoint


def _credential(section: Section) -> Credential:
    credential = Credential(
        header=section.text("header", "Authorization") or "Authorization",
        scheme=section.text("scheme", "Bearer") or "",
    )
    section.close()
    return credential


def _fleet(section: Section) -> FleetPlan:
    known = FleetPlan()
    retries = section.whole("check_retries", 0)
    if retries > 3:
        raise section.error("check_retries", f"{retries} is more than the SDK's 3")
    plan = FleetPlan(
        id_header=section.text("id_header") if "id_header" in section else known.id_header,
        fleet_size=section.whole("fleet_size", known.fleet_size, least=1),
        outdated_version=section.text("outdated_version") or known.outdated_version,
        check_retries=retries,
        platforms=section.weights("platforms", dict(known.platforms)),
        app_versions=section.weights("app_versions", dict(known.app_versions)),
        channels=section.weights("channels", dict(known.channels)),
    )
    for platform in plan.platforms:
        if platform not in ("ios", "android"):
            raise section.error("platforms", f"{platform!r} is neither ios nor android")
    section.close()
    return plan


def _production(top: Section) -> tuple[ProductionRule, ...]:
    if "production" not in top:
        # A file that forgot the section must not open production to every scenario.
        raise top.error(
            "production", "missing; list the hosts that may get the health scenario only, or []"
        )
    rules = []
    for section in top.sections("production"):
        host = section.text("host")
        if not host:
            raise section.error("host", "name the host or a pattern such as *.example.com")
        rules.append(ProductionRule(host, section.text("unless")))
        section.close()
    return tuple(rules)
