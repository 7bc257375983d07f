"""Whether a target has the test data that a load test needs, seen over HTTP alone.

Works against any target that speaks the wire contract, the embedded service or a foreign one.  It
reads, and writes only one thing: where the update check demands a device token, it registers
the device `otaload-seed-check`.  The API key is sent to the base URL's origin and to no other.
"""

import hashlib
import http.client
import ipaddress
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

_DEVICE_ID = "otaload-seed-check"
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class Status(Enum):
    """What is known about one part of the test data."""

    OK = "ok"
    FAILED = "failed"
    UNVERIFIABLE = "not verifiable over HTTP"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the test data: `health`, `app`, `release` or `user`, and what was found."""

    subject: str
    status: Status
    detail: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.status.value}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the target keeps its routes.

    Paths are appended to the base URL, `health` to its origin.  `download` is a template with
    `{app_id}` and `{release_id}`; None follows the `bundleUrl` of the check's answer.
    """

    check: str = "/updates/check"
    register: str = "/devices/register"
    download: str | None = None
    health: str = "/health"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class _Target:
    base_url: str
    api_key: str
    app_id: str
    release_id: str
    endpoints: Endpoints
    timeout_s: float
    tls: ssl.SSLContext | None


class _UnreachableError(Exception):
    """The target could not be talked to; the text is for people."""


def check(
    base_url: str,
    api_key: str,
    app_id: str,
    release_id: str,
    *,
    endpoints: Endpoints | None = None,
    timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> list[Finding]:
    """Verify health, app, release and user; never raises for what the target does."""
    target = _Target(
        base_url.rstrip("/"), api_key, app_id, release_id, endpoints or Endpoints(), timeout_s, tls
    )
    health = _check_health(target)
    if health.status is not Status.OK:
        return [health]
    app, offer = _check_app(target)
    return [health, app, _check_release(target, offer), _check_user(target)]


def _check_health(target: _Target) -> Finding:
    url = _origin(target.base_url) + target.endpoints.health
    try:
        answer = _request(target, "GET", url)
    except _UnreachableError as error:
        return Finding("health", Status.FAILED, str(error))
    body = answer.json()
    if answer.status == 200 and isinstance(body, dict) and body.get("status") == "healthy":
        return Finding("health", Status.OK, f"{url} answers healthy")
    return _failed("health", answer, 'expected 200 and {"status": "healthy"}')


def _check_app(target: _Target) -> tuple[Finding, dict[str, Any] | None]:
    """The app's finding, and the release that an update check offers."""
    url = target.base_url + target.endpoints.check
    try:
        answer = _ask_for_update(target, url)
    except _UnreachableError as error:
        return Finding("app", Status.FAILED, str(error)), None
    body = answer.json()
    offered = body.get("updateAvailable") if isinstance(body, dict) else None
    if answer.status == 404:
        hint = f"does the app {target.app_id!r} exist, and is {url} the right path?"
        return _failed("app", answer, hint), None
    if answer.status != 200 or not isinstance(offered, bool):
        return _failed("app", answer, "expected 200 and updateAvailable true or false"), None
    if not offered:
        return Finding("app", Status.OK, f"{target.app_id} is known; it offers no release"), None
    release = body.get("release")
    if not _is_release(release):
        return _failed("app", answer, "the offered release lacks url, size, hash or id"), None
    return Finding("app", Status.OK, f"{target.app_id} offers {release['releaseId']}"), release


def _ask_for_update(target: _Target, url: str) -> _Answer:
    body = {
        "appId": target.app_id,
        "deviceId": _DEVICE_ID,
        "platform": "ios",
        "appVersion": "1.0.0",
    }
    answer = _request(target, "POST", url, body=body)
    if answer.status != 401:
        return answer
    registered = _request(target, "POST", target.base_url + target.endpoints.register, body=body)
    token = registered.json()
    if registered.status not in (200, 201) or not isinstance(token, dict):
        return answer
    return _request(target, "POST", url, body=body, bearer=str(token.get("accessToken", "")))


def _is_release(release: object) -> bool:
    kinds = {"bundleUrl": str, "bundleSize": int, "bundleHash": str, "releaseId": str}
    return isinstance(release, dict) and all(
        isinstance(release.get(name), kind) for name, kind in kinds.items()
    )


def _check_release(target: _Target, offer: dict[str, Any] | None) -> Finding:
    offers_ours = offer is not None and offer["releaseId"] == target.release_id
    template = target.endpoints.download
    if template is not None:
        ids = {"app_id": target.app_id, "release_id": target.release_id}
        quoted = {name: quote(value, safe="") for name, value in ids.items()}
        url = target.base_url + template.format_map(quoted)
    elif offer is not None and offers_ours:
        url = urljoin(target.base_url + "/", offer["bundleUrl"])
    else:
        what = "no release" if offer is None else f"{offer['releaseId']!r}"
        return Finding(
            "release",
            Status.FAILED,
            f"the update check offers {what}, not {target.release_id!r}; publish it or correct "
            "LOAD_TEST_RELEASE_ID",
        )
    try:
        answer = _request(target, "GET", url, bearer=target.api_key)
    except _UnreachableError as error:
        return Finding("release", Status.FAILED, str(error))
    return _judge_bundle(target, answer, offer if offers_ours else None)


def _judge_bundle(target: _Target, answer: _Answer, offer: dict[str, Any] | None) -> Finding:
    if answer.status in (401, 403):
        return _failed("release", answer, "the API key was refused; correct LOAD_TEST_API_KEY")
    if answer.status != 200:
        return _failed("release", answer, f"no bundle of {target.release_id!r} to download")
    size = len(answer.body)
    if size == 0:
        return _failed("release", answer, "the bundle is empty")
    if offer is None:
        return Finding(
            "release",
            Status.OK,
            f"{target.release_id}: {size} bytes; hash unknown, since it is not the offered release",
        )
    expected_hash = offer["bundleHash"].lower().removeprefix("sha256:")
    actual_hash = hashlib.sha256(answer.body).hexdigest()
    if size != offer["bundleSize"]:
        problem = f"{size} bytes came, {offer['bundleSize']} were announced"
        return Finding("release", Status.FAILED, f"{answer.url}: {problem}")
    if actual_hash != expected_hash:
        problem = f"its SHA-256 is {actual_hash}, {expected_hash} was announced"
        return Finding("release", Status.FAILED, f"{answer.url}: {problem}")
    return Finding("release", Status.OK, f"{target.release_id}: {size} bytes, size and hash agree")


def _check_user(target: _Target) -> Finding:
    foreign = Finding(
        "user", Status.UNVERIFIABLE, "the wire contract has no route for it; look in the service"
    )
    if not _is_loopback(target.base_url):
        return foreign
    try:
        answer = _request(target, "GET", _origin(target.base_url) + "/__admin/state")
    except _UnreachableError as error:
        return Finding("user", Status.FAILED, str(error))
    state = answer.json()
    if not isinstance(state, dict) or state.get("service") != "otaload staging":
        return foreign
    if state.get("users", 0) < 1:
        return Finding("user", Status.FAILED, "the embedded service has no user; seed it again")
    return Finding("user", Status.OK, f"the embedded service has {state['users']} user(s)")


def _failed(subject: str, answer: _Answer, expected: str) -> Finding:
    excerpt = answer.body[:200].decode("utf-8", "replace")
    return Finding(
        subject, Status.FAILED, f"{answer.url} answered {answer.status} {excerpt!r}: {expected}"
    )


def _request(
    target: _Target,
    method: str,
    url: str,
    *,
    body: dict[str, Any] | None = None,
    bearer: str | None = None,
) -> _Answer:
    """One request with its redirects; the bearer stays within the base URL's origin."""
    home = _origin(target.base_url)
    for _ in range(_MAX_REDIRECTS + 1):
        headers = {"X-Device-ID": _DEVICE_ID, "Accept": "*/*"}
        if bearer is not None and _origin(url) == home:
            headers["Authorization"] = f"Bearer {bearer}"
        answer = _exchange(target, method, url, body, headers)
        location = answer.headers.get("location")
        if answer.status not in _REDIRECTS or location is None:
            return answer
        url = urljoin(url, location)
    raise _UnreachableError(f"{url}: more than {_MAX_REDIRECTS} redirects")


def _exchange(
    target: _Target,
    method: str,
    url: str,
    body: dict[str, Any] | None,
    headers: dict[str, str],
) -> _Answer:
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    try:
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.netloc, timeout=target.timeout_s, context=target.tls
            )
        elif parts.scheme == "http":
            connection = http.client.HTTPConnection(parts.netloc, timeout=target.timeout_s)
        else:
            raise _UnreachableError(f"{url}: not an http or https URL")
        try:
            path = parts.path or "/"
            connection.request(
                method,
                f"{path}?{parts.query}" if parts.query else path,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers
                if body is None
                else {**headers, "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return _Answer(response.status, found, response.read(), url)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise _UnreachableError(f"{url}: {type(error).__name__}: {error}") from error


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
