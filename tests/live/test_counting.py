"""Locust's events become windows, whoever fires them."""

from __future__ import annotations

import time

from locust.env import Environment

from otaload.http import Response
from otaload.http.message import prepare
from otaload.live.counting import Counting


def fire(environment: Environment, **changes: object) -> None:
    """Fire a request event as Locust's own clients do."""
    environment.events.request.fire(
        **{
            "request_type": "GET",
            "name": "/x",
            "response_time": 12.5,
            "response_length": 100,
            "exception": None,
            "context": {},
            "response": None,
            "start_time": 1000.9,
            "url": "http://host:81/x?y",
            **changes,
        }
    )


def test_a_request_lands_in_the_second_in_which_it_started() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire(environment)

    ((key, window),) = counting.recorder.take()
    assert key == (1000, "GET", "/x")
    assert (window.successes.n, window.bytes_in) == (1, 100)
    assert window.successes.max_us == 12_500
    assert counting.hosts == {"host:81": 1}


def test_a_client_that_does_not_say_when_it_started_is_reckoned_back() -> None:
    environment = Environment()
    counting = Counting(environment)
    before = time.time()
    fire(environment, start_time=None, response_time=5000.0, url=None)

    ((key, _),) = counting.recorder.take()
    assert abs(key.second - (before - 5)) <= 1.5
    assert counting.hosts == {}


def test_events_of_careless_clients_are_counted_all_the_same() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire(environment, name="half a \ud800 pair", response_time=None, response_length=7.9)
    fire(environment, name="half a \ud800 pair", url="/a/path/without/a/host")
    fire(environment, name="half a \ud800 pair", url="https://host?query")

    ((key, window),) = counting.recorder.take()
    assert key.endpoint == "half a ? pair"
    assert (window.n, window.bytes_in) == (3, 207)
    assert counting.hosts == {"host:81": 1, "host": 1}


def test_a_new_host_is_told_once() -> None:
    environment = Environment()
    counting = Counting(environment)
    told: list[str] = []
    counting.on_new_host = told.append
    for url in ("http://a/1", "http://a/2", "http://b/1"):
        fire(environment, url=url)

    assert told == ["a", "b"]


def test_an_exception_is_a_failure_with_its_text() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire(environment, exception=ConnectionError("refused"))
    fire(environment, exception=KeyError())

    ((_, window),) = counting.recorder.take()
    assert window.causes == {"refused": 1, "KeyError": 1}
    assert window.successes.n == 0


def test_a_repeated_request_is_counted_as_one_and_as_a_retry() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire(environment, context={"otaload_retry": True})

    ((_, window),) = counting.recorder.take()
    assert (window.n, window.retries) == (1, 1)


def test_the_first_crash_is_kept_with_its_traceback_and_all_are_counted() -> None:
    environment = Environment()
    counting = Counting(environment)
    for text in ("first", "second"):
        try:
            raise ValueError(text)
        except ValueError as error:
            environment.events.user_error.fire(
                user_instance=None, exception=error, tb=error.__traceback__
            )

    assert counting.crashes == 2
    assert "ValueError: first" in (counting.first_crash or "")
    assert "test_counting.py" in (counting.first_crash or "")


def test_a_reset_forgets_the_last_run() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire(environment)
    counting.reset()

    assert counting.recorder.take() == []
    assert counting.hosts == {}


def answered(**changes: object) -> Response:
    """A response of the lean client, as its event carries it."""
    message = prepare("GET", "http://host:81", "/x", (), "")
    response = Response(message, "/x", {}, 1000.9, 5.0, 65.0, 10**6)
    response.first_byte_at = 5.01
    for name, value in changes.items():
        setattr(response, name, value)
    return response


def test_what_a_connection_took_to_set_up_is_recorded_apart() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire(environment, response=answered(connect_s=0.003, tls_s=0.02))
    fire(environment, response=answered(reused=True))
    fire(environment, response=answered(connect_s=0.004, retried=1))

    ((_, window),) = counting.recorder.take()
    assert window.successes.n == 3
    assert (window.connects.n, window.connects.max_us) == (2, 4000)
    assert (window.handshakes.n, window.handshakes.max_us) == (1, 20_000)
    assert window.resent == 1


def test_a_connection_that_never_carried_an_answer_has_no_set_up_time() -> None:
    environment = Environment()
    counting = Counting(environment)
    failed = answered(connect_s=10.0, first_byte_at=0.0)
    fire(environment, response=failed, exception=RuntimeError("timeout: connect"))

    ((_, window),) = counting.recorder.take()
    assert (window.failures.n, window.connects.n) == (1, 0)
