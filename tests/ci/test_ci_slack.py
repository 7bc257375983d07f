"""The message to Slack gets through or is given up in time, and its webhook stays a secret."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
import time

import pytest

from otaload.slack import NotSentError, Patience, send
from tests.ci.webhook import PATH, Answer, webhook

HASTY = Patience(total_s=20, answer_s=5, pause_s=0.05, attempts=3)
MESSAGE = '{"text":"✅ smoke"}'


def sending_fails(url: str, patience: Patience = HASTY) -> str:
    """What is said of a message that does not get through; never its address."""
    with pytest.raises(NotSentError) as caught:
        send(MESSAGE, url, patience)
    told = str(caught.value)
    for secret in ("not-to-be-told", "T000", "127.0.0.1"):
        assert secret not in told
    return told


def test_a_message_is_posted_once_as_json() -> None:
    with webhook() as hook:
        send(MESSAGE, f" {hook.url}\n", HASTY)

    assert hook.paths == [PATH]
    assert json.loads(hook.bodies[0]) == {"text": "✅ smoke"}


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_an_overloaded_webhook_is_asked_again(status: int) -> None:
    with webhook(Answer(status), Answer(status), Answer()) as hook:
        send(MESSAGE, hook.url, HASTY)

    assert len(hook.bodies) == 3


def test_a_webhook_that_keeps_failing_is_given_up_after_the_last_attempt() -> None:
    with webhook(Answer(500)) as hook:
        told = sending_fails(hook.url)

    assert told == "Slack answered 500, 3 times"
    assert len(hook.bodies) == 3


def test_the_pauses_between_attempts_grow() -> None:
    with webhook(Answer(500)) as hook:
        sending_fails(hook.url, Patience(pause_s=0.2, attempts=3))

    first, second, third = hook.times_s
    assert second - first >= 0.2
    assert third - second >= 0.4


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_waited_for(status: int) -> None:
    with webhook(Answer(status, headers={"Retry-After": "1"}), Answer()) as hook:
        send(MESSAGE, hook.url, HASTY)

    first, second = hook.times_s
    assert second - first >= 1


def test_retry_after_as_a_date_is_waited_for() -> None:
    until = email.utils.formatdate(time.time() + 2, usegmt=True)
    with webhook(Answer(429, headers={"Retry-After": until}), Answer()) as hook:
        send(MESSAGE, hook.url, HASTY)

    first, second = hook.times_s
    assert second - first >= 0.9  # dates have whole seconds


def test_a_retry_after_beyond_the_time_there_is_ends_the_attempts_at_once() -> None:
    with webhook(Answer(429, headers={"Retry-After": "3600"})) as hook:
        told = sending_fails(hook.url)

    assert told == "Slack answered 429; there was no time left to try again"
    assert len(hook.bodies) == 1


def test_a_retry_after_that_makes_no_sense_is_ignored() -> None:
    with webhook(Answer(429, headers={"Retry-After": "soon"}), Answer()) as hook:
        send(MESSAGE, hook.url, HASTY)

    assert len(hook.bodies) == 2


def test_a_redirect_is_not_followed() -> None:
    with (
        webhook() as elsewhere,
        webhook(Answer(307, headers={"Location": elsewhere.url})) as hook,
    ):
        told = sending_fails(hook.url)

    assert "redirect (307)" in told
    assert elsewhere.paths == []
    assert len(hook.bodies) == 1


def test_a_refusal_is_told_with_slacks_own_word_and_not_repeated() -> None:
    with webhook(Answer(403, b"invalid_token")) as hook:
        told = sending_fails(hook.url)

    assert told == "Slack answered 403 (invalid_token); check SLACK_WEBHOOK_URL"
    assert len(hook.bodies) == 1


def test_an_answer_that_repeats_the_secret_is_not_quoted() -> None:
    with webhook(Answer(404, f"no route {PATH}".encode())) as hook:
        assert sending_fails(hook.url) == "Slack answered 404; check SLACK_WEBHOOK_URL"


def test_a_page_in_place_of_slacks_ok_is_no_success() -> None:
    with webhook(Answer(body=b"<html>please log in</html>")) as hook:
        assert "not that of a Slack webhook" in sending_fails(hook.url)


def test_garbage_in_place_of_http_is_no_success() -> None:
    with webhook(Answer(raw=b"\x00\xff garbage\r\n\r\n")) as hook:
        assert "no HTTP came back" in sending_fails(hook.url)


def test_a_webhook_that_never_answers_is_left_in_time() -> None:
    started = time.monotonic()
    with webhook(Answer(silent=True)) as hook:
        told = sending_fails(hook.url, Patience(total_s=1.5, answer_s=0.3, pause_s=0.1, attempts=2))

    assert told == "Slack did not answer in time, 2 times"
    assert time.monotonic() - started < 20


def test_an_answer_that_comes_byte_by_byte_does_not_outlast_the_bound() -> None:
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.1):
                peer.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    try:
        port = listener.getsockname()[1]
        told = sending_fails(f"http://127.0.0.1:{port}{PATH}", Patience(total_s=1, answer_s=5))
    finally:
        over.set()
        thread.join()
        listener.close()

    assert told == "Slack did not answer within 1 s"
    assert time.monotonic() - started < 20


def test_nobody_who_listens_is_told_without_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    told = sending_fails(f"http://127.0.0.1:{port}{PATH}")

    assert told == "Slack could not be reached (ConnectionRefusedError), 3 times"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.slack.com/services/T000/B000/not-to-be-told",
        "file:///etc/passwd",
        "ftp://127.0.0.1/T000/not-to-be-told",
        "http:///T000/not-to-be-told",
        "http://127.0.0.1:port/not-to-be-told",
        "http://127.0.0.1:99999/not-to-be-told",
        "http://[::1/not-to-be-told",
        "http://127.0.0.1/not-to be-told\r\nX: y",
        "http://127.0.0.1/not-to-be-töld",
    ],
)
def test_what_is_no_web_address_is_refused_unseen(url: str) -> None:
    assert (
        sending_fails(url) == "SLACK_WEBHOOK_URL is no http or https URL; copy it anew from Slack"
    )
