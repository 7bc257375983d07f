"""targets.yaml and the environment: who wins, and what travels to workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from otaload.errors import ConfigurationError
from otaload.targets import (
    DEFAULT_PATH,
    check_base_url,
    load_targets,
    origin_of,
    targets_from_json,
    targets_to_json,
)

SECRET = "sk-not-to-be-seen"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text("target: { base_url: http://file:1, app_id: filed }\nproduction: []\n")

    assert load_targets(path, {}).base_url == "http://file:1"
    assert load_targets(path, {}).base_url_source == "targets.yaml"
    own = load_targets(path, {"API_BASE_URL": "http://env:2/v1/", "LOAD_TEST_APP_ID": "own"})
    assert (own.base_url, own.app_id) == ("http://env:2/v1", "own")
    assert own.base_url_source == "API_BASE_URL"


def test_the_api_key_comes_from_the_environment_alone_and_is_never_shown() -> None:
    targets = load_targets(DEFAULT_PATH, {"LOAD_TEST_API_KEY": SECRET})

    assert targets.api_key == SECRET
    assert SECRET not in repr(targets)
    assert SECRET not in str(targets_to_json(targets))


def test_targets_travel_to_workers_whole() -> None:
    targets = load_targets(DEFAULT_PATH, {"API_BASE_URL": "http://x:1"})

    assert targets_from_json(targets_to_json(targets), api_key=None) == targets


def test_the_shipped_file_says_what_the_code_assumes_without_one(tmp_path: Path) -> None:
    bare = tmp_path / "targets.yaml"
    bare.write_text("production: []\n")
    shipped, assumed = load_targets(DEFAULT_PATH, {}), load_targets(bare, {})

    for name in ("check", "register", "download", "health", "download_mode", "total_timeout_s"):
        assert getattr(shipped, name) == getattr(assumed, name), name
    assert shipped.fleet.outdated_version == assumed.fleet.outdated_version


@pytest.mark.parametrize(
    "url",
    [
        "staging.example.com",
        "ftp://x",
        "http://",
        "http://x:99999",
        "http://x:0",
        "http://user:pw@x",
        "http://x?y=1",
        "http://x/#z",
        "http://[::1",
    ],
)
def test_a_url_that_cannot_be_a_base_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--host: "):
        check_base_url(url, "--host")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://host/v1", "http://host"),
        ("https://host:8443/v1/x", "https://host:8443"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin
