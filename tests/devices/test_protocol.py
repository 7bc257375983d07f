"""An answer is a success only if status, shape, size and hash are right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from locustfiles.devices.protocol import (
    Release,
    WrongAnswerError,
    describe_status,
    read_check,
    read_health,
    read_registration,
    verify_bundle,
)

HASH = "ab" * 32
RELEASE = {
    "version": "1.1.0",
    "bundleUrl": "http://x/b.js",
    "bundleSize": 5,
    "bundleHash": HASH,
    "releaseId": "r2",
}


@dataclass
class Said:
    """An answer with a body."""

    body: str
    status_code: int = 200
    body_bytes: int = 0
    digest: str | None = None

    def json(self) -> Any:
        return json.loads(self.body)


def said(content: object, **rest: Any) -> Said:
    return Said(json.dumps(content), **rest)


def test_no_update_is_an_answer() -> None:
    assert read_check(said({"updateAvailable": False})) is None


@pytest.mark.parametrize("written", [HASH, HASH.upper(), f"sha256:{HASH}", f"SHA256:{HASH}"])
def test_a_release_is_read_whatever_the_spelling_of_its_hash(written: str) -> None:
    release = read_check(
        said({"updateAvailable": True, "release": {**RELEASE, "bundleHash": written}})
    )

    assert release == Release("1.1.0", "r2", "http://x/b.js", 5, HASH)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ([], "not a JSON object"),
        ({}, "updateAvailable"),
        ({"updateAvailable": "false"}, "updateAvailable"),
        ({"updateAvailable": None}, "updateAvailable"),
        ({"updateAvailable": True}, "release is missing"),
        ({"updateAvailable": True, "release": {**RELEASE, "bundleHash": "xyz"}}, "SHA-256"),
        ({"updateAvailable": True, "release": {**RELEASE, "bundleSize": "5"}}, "bundleSize"),
        ({"updateAvailable": True, "release": {**RELEASE, "bundleSize": True}}, "bundleSize"),
        ({"updateAvailable": True, "release": {**RELEASE, "bundleUrl": ""}}, "bundleUrl"),
        ({"updateAvailable": True, "release": {**RELEASE, "version": None}}, "version"),
        ({"updateAvailable": True, "release": {**RELEASE, "releaseId": 4}}, "releaseId"),
    ],
)
def test_a_wrong_shape_is_no_success(content: object, cause: str) -> None:
    with pytest.raises(WrongAnswerError, match=cause):
        read_check(said(content))


def test_a_body_that_is_no_json_is_no_success() -> None:
    with pytest.raises(WrongAnswerError, match="not JSON"):
        read_check(Said("<html>"))


@pytest.mark.parametrize(
    "content", [{}, {"accessToken": "", "expiresAt": 1}, {"accessToken": "x", "expiresAt": "soon"}]
)
def test_a_registration_needs_a_token_and_its_end(content: object) -> None:
    with pytest.raises(WrongAnswerError, match="shape"):
        read_registration(said(content))


def test_a_registration_hands_its_token_out() -> None:
    assert read_registration(said({"accessToken": "t", "expiresAt": 1795441634000})) == "t"


def test_a_sick_service_is_no_success() -> None:
    read_health(said({"status": "healthy"}))
    with pytest.raises(WrongAnswerError):
        read_health(said({"status": "degraded"}))


def test_size_and_hash_of_a_bundle_are_told_apart() -> None:
    release = Release("1", "r", "u", 5, HASH)

    verify_bundle(Said("", body_bytes=5, digest=HASH), release)
    with pytest.raises(WrongAnswerError, match="size"):
        verify_bundle(Said("", body_bytes=4, digest=HASH), release)
    with pytest.raises(WrongAnswerError, match="hash"):
        verify_bundle(Said("", body_bytes=5, digest="cd" * 32), release)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"error": "RATE_LIMITED", "retryAfter": 3}', "status 429 RATE_LIMITED"),
        ('{"success": false, "error": {"issues": []}}', "status 429 validation"),
        ("<h1>too many</h1>", "status 429"),
        ('{"error": "made up for device 4711"}', "status 429"),
        ("[]", "status 429"),
    ],
)
def test_a_wrong_status_is_named_with_its_code_and_nothing_a_server_made_up(
    body: str, text: str
) -> None:
    assert describe_status(Said(body, status_code=429)) == text
