"""The benchmark's adaptor judges as the devices need it: a ratio of unequal work would be none."""

import hashlib

import pytest
from http_peers import answering, serving

from bench.fast_client import FastClient

BUNDLE = b"bundle" * 50_000
EXPECT = (200,)


def answer(body, status=b"200 OK"):
    """A response with a length."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.fixture
def fast(lean):
    """A FastClient on a server with one answer, and the events of its user."""

    def make(handler_answer):
        server = serving(answering(handler_answer))
        base = server.__enter__()
        made = lean(base)
        client = FastClient(made.user)
        opened.append((server, client))
        return client, made

    opened = []
    yield make
    for server, client in opened:
        client.close()
        server.__exit__(None, None, None)


def test_json_is_read_and_counted(fast):
    client, user = fast(answer(b'{"updateAvailable":false}'))
    with client.request("POST", "/check", name="check", expect=EXPECT, json={"a": 1}) as got:
        assert (got.status_code, got.cause) == (200, None)
        assert got.json() == {"updateAvailable": False}
    assert (user.names, user.causes) == (["check"], [None])


def test_a_bundle_is_streamed_hashed_and_counted_with_its_length(fast):
    client, user = fast(answer(BUNDLE))
    with client.request("GET", "/b", name="b", expect=EXPECT, digest="sha256") as got:
        assert got.digest == hashlib.sha256(BUNDLE).hexdigest()
        assert got.body_bytes == len(BUNDLE)
    assert user.events[0]["response_length"] == len(BUNDLE)
    assert user.events[0]["response_time"] > 0


def test_an_unexpected_status_has_a_cause_and_fails_when_told(fast):
    client, user = fast(answer(b"", b"503 Busy"))
    with client.request("GET", "/", name="n", expect=EXPECT) as got:
        assert (got.status_code, got.cause) == (503, "status 503")
        got.failure("status 503")
    assert user.causes == ["status 503"]


def test_a_server_that_is_not_there_is_a_failure(lean):
    user = lean("http://127.0.0.1:9")
    client = FastClient(user.user)
    with client.request("GET", "/", name="n", expect=EXPECT) as got:
        assert got.status_code == 0
        assert "refused" in (got.cause or "")
    assert "refused" in (user.causes[0] or "")
