"""The service's answers and what it demands of a request's body: the wire contract's shapes."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PLATFORMS = ("ios", "android")
MAX_BODY_BYTES = 64 << 10

_JSON = (b"content-type", b"application/json")
_DEVICE_INFO = ("osVersion", "deviceModel", "timezone", "locale")


class Response(NamedTuple):
    """An answer before it is sent; `body` is what a GET would get, even when a HEAD asked."""

    status: int
    headers: Headers
    body: bytes = b""


def json_response(status: int, value: object, *headers: tuple[bytes, bytes]) -> Response:
    body = orjson.dumps(value)
    return Response(status, [_JSON, (b"content-length", b"%d" % len(body)), *headers], body)


def error_response(status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> Response:
    """The contract's error shape."""
    return json_response(status, {"error": code, "message": message}, *headers)


def rate_limited(retry_after_s: float) -> Response:
    """429 with the whole seconds after which it is worth trying again."""
    seconds = max(1, -int(-retry_after_s // 1))
    return json_response(
        429,
        {"error": "RATE_LIMITED", "retryAfter": seconds},
        (b"retry-after", b"%d" % seconds),
    )


def invalid(issues: list[dict[str, Any]]) -> Response:
    """The contract's validation shape."""
    return json_response(400, {"success": False, "error": {"issues": issues, "name": "ZodError"}})


class CheckIn(NamedTuple):
    """What a device says about itself; the bundle fields stay empty when it registers."""

    app_id: str
    device_id: str
    platform: str
    app_version: str
    channel: str
    bundle_version: str | None
    bundle_hash: str | None


def read_check_in(body: bytes) -> CheckIn | Response:
    """The checked body of an update check or a registration, or the 400 that it deserves."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return invalid([_issue((), "invalid_json", "the body is not JSON")])
    if not isinstance(data, dict):
        return invalid([_issue((), "invalid_type", "expected an object")])
    # Unchecked values go in, and only a check-in without issues comes out.
    get: Callable[..., Any] = data.get
    check_in = CheckIn(
        get("appId"),
        get("deviceId"),
        get("platform"),
        get("appVersion"),
        get("channel", "production"),
        get("currentBundleVersion"),
        get("currentBundleHash"),
    )
    issues = _issues(check_in, get("deviceInfo"))
    return invalid(issues) if issues else check_in


def _issues(check_in: CheckIn, device_info: object) -> list[dict[str, Any]]:
    app_id, device_id, platform, app_version, channel, version, bundle_hash = check_in
    issues = []
    if not isinstance(app_id, str) or not app_id:
        issues.append(_issue(("appId",), "invalid_type", "expected a non-empty string"))
    if not isinstance(device_id, str) or not 1 <= len(device_id) <= 100:
        issues.append(_issue(("deviceId",), "too_big", "expected a string of 1 to 100 characters"))
    if platform not in PLATFORMS:
        issues.append(_issue(("platform",), "invalid_enum_value", "expected ios or android"))
    if not isinstance(app_version, str) or not app_version:
        issues.append(_issue(("appVersion",), "invalid_type", "expected a non-empty string"))
    if not isinstance(channel, str) or not channel:
        issues.append(_issue(("channel",), "invalid_type", "expected a non-empty string"))
    for name, value in (("currentBundleVersion", version), ("currentBundleHash", bundle_hash)):
        if value is not None and not isinstance(value, str):
            issues.append(_issue((name,), "invalid_type", "expected a string"))
    if device_info is not None:
        issues += _device_info_issues(device_info)
    return issues


def _device_info_issues(device_info: object) -> list[dict[str, Any]]:
    if not isinstance(device_info, dict):
        return [_issue(("deviceInfo",), "invalid_type", "expected an object")]
    return [
        _issue(("deviceInfo", name), "invalid_type", "expected a string")
        for name in _DEVICE_INFO
        if not isinstance(device_info.get(name, ""), str)
    ]


def _issue(path: tuple[str, ...], code: str, message: str) -> dict[str, Any]:
    return {"path": list(path), "code": code, "message": message}
