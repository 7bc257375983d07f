"""Secrets are taken out of a text wherever they stand in it, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import re
import time
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.redaction import MAX_HEADS, MIN_LENGTH, REDACTED, Secrets, _spellings

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


AWKWARD = "p&ss/w+rd <é> 'x' 9"


@pytest.mark.parametrize(
    "spelled",
    [
        urllib.parse.quote(AWKWARD),
        urllib.parse.quote(AWKWARD, safe=""),
        urllib.parse.quote_plus(AWKWARD),
        re.sub("%..", lambda found: found[0].lower(), urllib.parse.quote(AWKWARD, safe="")),
        html.escape(AWKWARD),
        html.escape(AWKWARD, quote=False),
        json.dumps(AWKWARD)[1:-1],
        json.dumps(AWKWARD, ensure_ascii=False)[1:-1],
        base64.b64encode(AWKWARD.encode()).decode(),
    ],
)
def test_a_secret_is_taken_out_however_it_is_spelled(spelled: str) -> None:
    redacted = Secrets({"DB_PASSWORD": AWKWARD}).redact(f"<{spelled}>")

    assert redacted == f"<{REDACTED}>"


@pytest.mark.parametrize("user", ["", "a", "ann", "anna"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_password_is_taken_out_of_a_basic_credential(
    user: str, encode: Callable[[bytes], bytes]
) -> None:
    credential = encode(f"{user}:{KEY}~?>~".encode()).decode()
    redacted = Secrets({"DB_PASSWORD": f"{KEY}~?>~"}).redact(f"sent {credential}")
    left = redacted.removeprefix("sent ").replace(REDACTED, "")

    assert REDACTED in redacted
    # What the user's name and the padding share with it.
    assert len(left) <= 4 * (len(user) + 1) / 3 + 4


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZXZpY2UtMSJ9.c2lnbmF0dXJl-_",
        "a/b+c/d+e/f+g==",
        "17956280.4f9a8b7c6d5e",
        "1|Xy12345678abcdef",
    ],
)
@pytest.mark.parametrize("spell", [str, urllib.parse.quote, lambda text: json.dumps(text)[1:-1]])
def test_a_token_is_taken_out_by_its_beginning(token: str, spell: Callable[[str], str]) -> None:
    secrets = Secrets()
    secrets.add_token(token)

    assert secrets.redact(f"no {spell(token)}, sorry") == f"no {REDACTED}, sorry"
    assert secrets.redact(f'{{"t": "{spell(token)}"}}') == f'{{"t": "{REDACTED}"}}'
    assert secrets.redact(f"cut off {spell(token)[:-4]}…") == f"cut off {REDACTED}"


def test_the_latest_tokens_are_known_however_many_came_before() -> None:
    secrets = Secrets()
    last = 2 * MAX_HEADS
    for n in range(last + 1):
        secrets.add_token(f"{n:08d}-token")
        kept = len(secrets._token_heads) + len(secrets._elder_heads)
        assert min(n + 1, MAX_HEADS // 2) <= kept <= MAX_HEADS + 1

    for n in (last, last - MAX_HEADS // 4, last - MAX_HEADS // 2 + 1):
        assert secrets.redact(f"of {n:08d}-token") == f"of {REDACTED}"


@pytest.mark.parametrize("form", ["{n:08d}-token", "eyJhbGciOiJIUzI1NiJ9.{n:08d}.c2lnbmF0"])
def test_a_large_fleet_costs_a_text_no_more_than_a_small_one(form: str) -> None:
    secrets = Secrets()
    began = time.perf_counter()
    for n in range(20_000):
        secrets.add_token(form.format(n=n))
    text = f"status 401: the token {form.format(n=19_999)} is not known" * 4
    for _ in range(100):
        redacted = secrets.redact(text)

    assert "19999" not in redacted
    # Sorting them at each, or 20,000 searches of the text, would take a hundred times as long.
    assert time.perf_counter() - began < 4


@given(st.text("ABCxyz019._~-+/=&<>'\" %", min_size=8, max_size=8))
def test_a_plain_beginning_is_spelt_alike_everywhere(begins: str) -> None:
    secrets = Secrets()
    secrets.add_token(f"{begins}restOfTheToken")

    assert set(secrets._token_heads) == {spelling[:8] for spelling in _spellings(begins)}
