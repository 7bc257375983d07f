"""The service's answers, judged: status, shape, size and hash must all be right.

Every judgement returns None or a text that says which of them was wrong. The texts come from a
bounded set: they never quote what a server made up, except an error code of capital letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from otaload.http.target import parse_url

_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)
_ERROR_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,39}")


class Answer(Protocol):
    """As much of a response as is judged here."""

    @property
    def status_code(self) -> int: ...
    @property
    def body_bytes(self) -> int: ...
    @property
    def digest(self) -> str | None: ...
    def json(self) -> Any: ...


@dataclass(frozen=True)
class Release:
    """A bundle on offer; the size is in bytes, the hash is lower-case hex."""

    version: str
    release_id: str
    bundle_url: str
    bundle_bytes: int
    bundle_hash: str


class WrongAnswerError(ValueError):
    """An answer that is not a success; its text is the cause that is counted."""


def read_check(answer: Answer) -> Release | None:
    """The release that a check offers, or None for "no update".

    Raises `WrongAnswerError` where the body is not one of the two.
    """
    body = read_object(answer)
    available = body.get("updateAvailable")
    if available is False:
        return None
    if available is not True:
        raise WrongAnswerError("shape: updateAvailable is not true or false")
    release = body.get("release")
    if not isinstance(release, dict):
        raise WrongAnswerError("shape: release is missing")
    found = _HASH.fullmatch(str(release.get("bundleHash")))
    if not found:
        raise WrongAnswerError("shape: release.bundleHash is not a SHA-256")
    size = release.get("bundleSize")
    if type(size) is not int or size <= 0:
        raise WrongAnswerError("shape: release.bundleSize is not a size")
    return Release(
        version=_text(release, "version"),
        release_id=_text(release, "releaseId"),
        bundle_url=_url(release, "bundleUrl"),
        bundle_bytes=size,
        bundle_hash=found[1].lower(),
    )


def read_registration(answer: Answer) -> str:
    """The access token of a registration; raises `WrongAnswerError` where there is none."""
    body = read_object(answer)
    token = body.get("accessToken")
    if not isinstance(token, str) or not token:
        raise WrongAnswerError("shape: accessToken is missing")
    if type(body.get("expiresAt")) not in (int, float):
        raise WrongAnswerError("shape: expiresAt is not a time")
    return token


def read_health(answer: Answer) -> None:
    """Raises `WrongAnswerError` unless the service calls itself healthy."""
    if read_object(answer).get("status") != "healthy":
        raise WrongAnswerError("shape: status is not healthy")


def verify_bundle(answer: Answer, release: Release) -> None:
    """Raises `WrongAnswerError` unless size and SHA-256 are those of the release."""
    if answer.body_bytes != release.bundle_bytes:
        raise WrongAnswerError("size: not that of the release")
    if answer.digest != release.bundle_hash:
        raise WrongAnswerError("hash: not that of the release")


def read_object(answer: Answer) -> dict[str, Any]:
    """The body as a JSON object; raises `WrongAnswerError` where it is none."""
    try:
        body = answer.json()
    except ValueError:
        raise WrongAnswerError("shape: not JSON") from None
    if not isinstance(body, dict):
        raise WrongAnswerError("shape: not a JSON object")
    return body


def describe_status(answer: Answer) -> str:
    """`status 429 RATE_LIMITED`: the status and, where the body has one, the error code."""
    text = f"status {answer.status_code}"
    try:
        body = answer.json()
    except ValueError:
        return text
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str) and _ERROR_CODE.fullmatch(error):
        return f"{text} {error}"
    if isinstance(error, dict) and "issues" in error:
        return f"{text} validation"
    return text


def _url(release: Mapping[str, Any], key: str) -> str:
    """An http(s) URL, or a path below the base URL."""
    url = _text(release, key)
    if url.startswith("/") or _is_http_url(url):
        return url
    raise WrongAnswerError(f"shape: release.{key} is not an http URL")


@lru_cache(maxsize=256)
def _is_http_url(url: str) -> bool:
    # A whole fleet is offered the same release: taking its URL apart costs 10 µs each time.
    try:
        parse_url(url)
    except ValueError:
        return False
    return True


def _text(release: Mapping[str, Any], key: str) -> str:
    value = release.get(key)
    if not isinstance(value, str) or not value:
        raise WrongAnswerError(f"shape: release.{key} is missing")
    return value
