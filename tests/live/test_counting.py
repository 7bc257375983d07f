"""Locust's events become windows, whoever fires them."""

from __future__ import annotations

import time

import pytest
from locust.env import Environment
from locust.exception import RescheduleTask, StopUser

from analysis.tracebacks import exception_line
from otaload.http import LeanHttpUser, Response
from otaload.http.message import prepare
from otaload.live.counting import MAX_HOSTS, MAX_TRACEBACK_LENGTH, Counting
from otaload.redaction import Secrets


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


@pytest.mark.parametrize("frames", [0, 200])
def test_of_a_long_traceback_the_beginning_the_end_and_what_was_raised_are_kept(
    frames: int,
) -> None:
    def deeper(more: int) -> None:
        if more:
            further(more)  # by turns, since a line that repeats is written three times alone
        raise ValueError("no token" if frames else "no token" + "\nof a line" * 2000)

    def further(more: int) -> None:
        deeper(more - 1)

    counting = Counting(Environment())
    try:
        deeper(frames)
    except ValueError as error:
        counting.note_crash(error)

    _, first = counting.take_crashes()
    assert first is not None
    assert len(first) <= MAX_TRACEBACK_LENGTH + 3
    assert first.startswith("Traceback (most recent call last):\n  File ")
    assert "\n…\n" in first
    assert exception_line(first) == "ValueError: no token"


def test_a_crash_is_noted_once_wherever_it_is_seen_and_what_is_meant_is_none() -> None:
    counting = Counting(Environment())
    error = ValueError("seen by the event and by the hub")
    counting.note_crash(error)
    counting.note_crash(error)
    counting.note_crash(StopUser())
    counting.note_crash(RescheduleTask())
    counting.reset()  # what comes before a run begins is of the run

    assert counting.take_crashes() == (1, "ValueError: seen by the event and by the hub\n")
    assert counting.take_crashes() == (0, None)


def test_secrets_are_in_no_cause_name_or_traceback() -> None:
    environment = Environment()
    counting = Counting(environment, Secrets({"LOAD_TEST_API_KEY": "sk_live_0123456789"}))
    fire(environment, name="/x?k=sk_live_0123456789", exception=OSError("no sk_live_0123456789"))
    counting.note_crash(KeyError("sk_live_0123456789"))

    ((key, window),) = counting.recorder.take()
    assert key.endpoint == "/x?k=[redacted]"
    assert window.causes == {"no [redacted]": 1}
    assert counting.first_crash == "KeyError: '[redacted]'\n"


def test_hosts_beyond_the_bound_are_counted_together_and_still_told() -> None:
    environment = Environment()
    counting = Counting(environment)
    told: list[str] = []
    counting.on_new_host = told.append
    for n in range(2 * MAX_HOSTS):
        fire(environment, url=f"http://host{n}/x")
    fire(environment, url=f"http://{'h' * 10**6}/x")

    assert len(counting.hosts) == MAX_HOSTS + 1
    assert counting.hosts["other"] == MAX_HOSTS + 1
    assert len(told) == 2 * MAX_HOSTS + 1  # each is held against what may be loaded


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


def reports() -> list[Response]:
    """Responses of every kind, as the lean client reports them."""
    return [
        answered(total_s=0.002, body_bytes=7, reused=True),
        answered(total_s=0.003, connect_s=0.001, tls_s=0.002),
        answered(total_s=0.004, cause="status 500", reused=True),
        answered(total_s=9.0, connect_s=9.0, first_byte_at=0.0, cause="timeout: connect"),
        answered(total_s=0.005, reused=True, context={"otaload_retry": True}),
        answered(total_s=0.006, connect_s=0.004, retried=1),
        answered(total_s=0.007, exception=KeyError(), reused=True),
    ]


def counted(*, overheard: bool) -> tuple[Counting, list[dict[str, object]]]:
    """What is counted of those, and what a listener of somebody else's hears, if there is one."""
    heard: list[dict[str, object]] = []
    environment = Environment(user_classes=[LeanHttpUser], host="http://host:81")
    counting = Counting(environment)
    if overheard:
        environment.events.request.add_listener(lambda **event: heard.append(event))
    client = LeanHttpUser(environment).client
    for response in reports():
        client.report(response, "/named")
    return counting, heard


def test_a_response_is_counted_alike_whether_or_not_anybody_else_listens() -> None:
    alone, nothing = counted(overheard=False)
    among_others, heard = counted(overheard=True)

    assert (len(heard), nothing) == (len(reports()), [])
    assert alone.hosts == among_others.hosts == {"host:81": len(reports())}
    assert alone.recorder.take() == among_others.recorder.take() != []


def test_a_listener_that_comes_during_the_run_hears_what_follows() -> None:
    environment = Environment(user_classes=[LeanHttpUser], host="http://host:81")
    counting = Counting(environment)
    client = LeanHttpUser(environment).client
    heard: list[object] = []
    client.report(answered(reused=True), "/x")
    listener = environment.events.request.add_listener(lambda response, **_: heard.append(response))
    client.report(answered(reused=True), "/x")
    environment.events.request.remove_listener(listener)
    client.report(answered(reused=True), "/x")

    ((_, window),) = counting.recorder.take()
    assert (window.n, len(heard)) == (3, 1)
