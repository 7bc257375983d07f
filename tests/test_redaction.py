"""Secrets are taken out of a text wherever they stand in it, and nothing else is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.redaction import MIN_LENGTH, REDACTED, Secrets

KEY = "sk_live_4f9a8b7c6d5e"
HOOK = "https://hooks.slack.com/services/T0/B0/abcdef0123456789"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"wrong key {KEY}.",
        f"<{KEY}{KEY}>",
        f"Authorization: Bearer {KEY}",
        f"{'x' * 300}{KEY[:-3]}…",
        f"https://h/p?key={KEY}&x=1",
        HOOK,
        f"POST {HOOK.replace('/', '%2F').replace(':', '%3A')} failed",
    ],
)
def test_a_known_secret_is_taken_out(text: str) -> None:
    secrets = Secrets({"LOAD_TEST_API_KEY": KEY, "SLACK_WEBHOOK_URL": HOOK})

    redacted = secrets.redact(text)
    assert KEY[:MIN_LENGTH] not in redacted
    assert "abcdef01" not in redacted
    assert REDACTED in redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://ann:pw@host/x", "https://[redacted]@host/x"),
        ("/x?a=1&X-Amz-Signature=0af3&b=2", "/x?a=1&X-Amz-Signature=[redacted]&b=2"),
        ("/x?access_token=abc#top", "/x?access_token=[redacted]#top"),
        ("Basic YW5uOnB3ZA==", "Basic [redacted]"),
        ('{"accessToken": "eyJhbGciOi"}', '{"accessToken": "[redacted]"}'),
        ("{'api_key': 'abc'}", "{'api_key': '[redacted]'}"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, redacted: str) -> None:
    assert Secrets().redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "status 401 UNAUTHORIZED",
        "KeyError: 'no such device'",
        "http://127.0.0.1:8787/updates/check?appId=test-app-001",
        "bearer of bad news",
        "a basic thing",
        "the key is missing",
        "monkey=1&turkey=2",
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert Secrets({"LOAD_TEST_API_KEY": KEY, "SHELL": "/bin/bash"}).redact(text) == text


def test_variables_that_name_a_secret_are_known_and_short_values_are_words() -> None:
    environ = {"MY_TOKEN": "0123456789", "DB_PASSWORD": "hunter2!hunter2", "X_SECRET": "test"}
    secrets = Secrets(environ)

    assert secrets.redact("0123456789 hunter2!hunter2 test") == f"{REDACTED} {REDACTED} test"


def test_plain_data_is_redacted_in_every_text_of_it() -> None:
    secrets = Secrets({"LOAD_TEST_API_KEY": KEY})
    data = {"a": [KEY, 1, None], KEY: {"b": ("x", f"y{KEY}")}, "c": 1.5, "d": True}

    assert secrets.redact_all(data) == {
        "a": [REDACTED, 1, None],
        REDACTED: {"b": ["x", f"y{REDACTED}"]},
        "c": 1.5,
        "d": True,
    }


@given(
    st.lists(st.text(min_size=MIN_LENGTH, max_size=30), min_size=1, max_size=5),
    st.lists(st.text(max_size=20), max_size=5),
)
def test_no_secret_survives_whatever_it_is_made_of(known: list[str], words: list[str]) -> None:
    secrets = Secrets()
    for secret in known:
        secrets.add(secret)
    redacted = secrets.redact(" | ".join([*words, *known, *words]))

    for secret in known:
        assert secret not in redacted.replace(REDACTED, "") or secret in REDACTED


def test_a_large_fleet_costs_a_text_no_more_than_a_small_one() -> None:
    secrets = Secrets()
    for n in range(20_000):
        secrets.add(f"{n:08d}-token")
    text = "status 401: the token 00019999-token is not known" * 4
    began = time.perf_counter()
    for _ in range(100):
        redacted = secrets.redact(text)

    assert "19999" not in redacted
    # 20,000 searches of the text would take a hundred times as long.
    assert time.perf_counter() - began < 2
