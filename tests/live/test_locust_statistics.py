"""Locust's own statistics say the same, whether it counts each request or is fed our windows."""

from __future__ import annotations

import random
import time

import gevent
import gevent.socket
import pytest
from locust.env import Environment

from otaload.http import LeanHttpUser
from otaload.live.counting import Counting, host_in
from otaload.live.locust_statistics import KEPT_SECONDS

NAMES = ("/x", "/y")


def environment_with_runner() -> Environment:
    environment = Environment()
    environment.create_local_runner()
    return environment


def fire_some(environment: Environment, seed: int) -> None:
    """Three hundred requests in three seconds, a tenth of them failures of two kinds."""
    rng = random.Random(seed)
    for _ in range(300):
        failed = rng.random() < 0.1
        environment.events.request.fire(
            request_type="GET",
            name=rng.choice(NAMES),
            response_time=rng.lognormvariate(4, 1.5),
            response_length=rng.randrange(1000),
            exception=RuntimeError(rng.choice(("reset", "late"))) if failed else None,
            context={},
            response=None,
            start_time=1000.0 + rng.random() * 3,
            url="http://127.0.0.1:81/x",
        )


@pytest.fixture
def both() -> tuple[Environment, Environment]:
    """One environment as Locust leaves it, one under our recorder, after the same requests."""
    own, fed = environment_with_runner(), environment_with_runner()
    counting = Counting(fed)
    fire_some(own, 7)
    fire_some(fed, 7)
    assert fed.stats.total.num_requests == 0
    counting.take(before_second=1001)
    assert 0 < fed.stats.total.num_requests < 300
    counting.take()
    return own, fed


def test_counts_bytes_and_failures_are_the_same(both: tuple[Environment, Environment]) -> None:
    own, fed = both
    for name in NAMES:
        theirs, ours = own.stats.get(name, "GET"), fed.stats.get(name, "GET")
        assert ours.num_requests == theirs.num_requests
        assert ours.num_failures == theirs.num_failures
        assert ours.total_content_length == theirs.total_content_length
    assert fed.stats.total.num_requests == own.stats.total.num_requests == 300
    assert sum(fed.stats.total.num_reqs_per_sec.values()) == 300
    assert set(fed.stats.total.num_reqs_per_sec) == {1000, 1001, 1002}


def test_latencies_agree_as_closely_as_locust_rounds(
    both: tuple[Environment, Environment],
) -> None:
    own, fed = both
    theirs, ours = own.stats.total, fed.stats.total
    assert ours.avg_response_time == pytest.approx(theirs.avg_response_time, abs=0.01)
    assert ours.min_response_time == pytest.approx(theirs.min_response_time, abs=0.01)
    assert ours.max_response_time == pytest.approx(theirs.max_response_time, abs=0.01)
    assert sum(ours.response_times.values()) == 300
    for q in (0.5, 0.9, 0.95, 0.99):
        expected = theirs.get_response_time_percentile(q)
        assert ours.get_response_time_percentile(q) == pytest.approx(expected, rel=0.1, abs=1)


def test_failures_are_listed_with_how_often_they_came(
    both: tuple[Environment, Environment],
) -> None:
    own, fed = both
    theirs = {(e.name, e.error.args[0]): e.occurrences for e in own.stats.errors.values()}
    ours = {(e.name, e.error): e.occurrences for e in fed.stats.errors.values()}
    assert ours == theirs
    assert all(1000 <= error.last_seen < 1003 for error in fed.stats.errors.values())


def test_without_a_runner_of_locust_s_there_are_no_statistics_to_feed() -> None:
    environment = Environment()
    counting = Counting(environment)
    fire_some(environment, 3)
    counting.take()
    assert environment.stats.total.num_requests == 0


def test_a_stop_listener_of_the_locustfile_finds_all_of_it_and_the_run_loses_nothing() -> None:
    environment = environment_with_runner()
    seen: list[int] = []
    environment.events.test_stop.add_listener(
        lambda **_: seen.append(environment.stats.total.num_requests)
    )
    counting = Counting(environment)
    fire_some(environment, 5)
    environment.events.test_stop.fire(environment=environment)
    assert seen == [300]
    assert sum(window.n for _, window in counting.take()) == 300
    assert environment.stats.total.num_requests == 300


@pytest.mark.parametrize("by", ["--reset-stats", "the web UI"])
def test_what_came_before_a_reset_does_not_come_after_it(by: str) -> None:
    environment = environment_with_runner()
    counting = Counting(environment)
    fire_some(environment, 5)
    environment.reset_stats = by == "--reset-stats"
    if environment.reset_stats:
        environment.events.spawning_complete.fire(user_count=1)
    else:
        environment.events.reset_stats.fire()
        environment.stats.reset_all()
    fire_some(environment, 6)
    assert sum(window.n for _, window in counting.take()) == 600
    assert environment.stats.total.num_requests == 300


def test_rates_are_over_the_seconds_that_were_played() -> None:
    environment = environment_with_runner()
    environment.stats.total.start_time = 1000.0
    counting = Counting(environment)
    fire_some(environment, 5)
    counting.take()
    assert environment.stats.total.total_rps == pytest.approx(100.0)


@pytest.mark.parametrize(
    "url",
    ["http://a/x", "http://a", "http://a?x=/y", "http://a#x", "http://u:secret@a/x", "HTTP://A/x"],
)
def test_a_host_is_counted_without_what_else_its_url_says(url: str) -> None:
    assert host_in(url) == "a"


def test_a_repetition_that_found_nobody_is_counted_and_is_no_connection() -> None:
    server = gevent.socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()

    def serve_one() -> None:
        peer, _ = server.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.recv(65536)
        server.close()
        peer.close()

    gevent.spawn(serve_one)
    environment = environment_with_runner()
    counting = Counting(environment)
    host = f"http://127.0.0.1:{server.getsockname()[1]}"
    client = type("Mine", (LeanHttpUser,), {"host": host, "abstract": True})(environment).client
    client.get("/")
    counting.take()
    response = client.get("/")
    assert (response.cause, response.retried) == ("connection refused", 1)
    assert response.timings.first_byte_s == 0
    ((_, window),) = counting.take()
    assert (window.resent, window.connects.n) == (1, 0)


def test_seconds_long_past_are_forgotten_and_current_rates_stay_true() -> None:
    environment = environment_with_runner()
    counting = Counting(environment)
    began_s = int(time.time()) - 2000
    environment.stats.total.start_time = float(began_s)
    for second in range(began_s, began_s + 1000):
        for n in range(7):
            environment.events.request.fire(
                request_type="GET",
                name="/x",
                response_time=5.0,
                response_length=10,
                exception=RuntimeError("reset") if n == 0 else None,
                context={},
                start_time=second + n / 10,
                url="http://127.0.0.1:81/x",
            )
        counting.take(before_second=second + 1)

    stats = environment.stats
    assert stats.total.num_requests == 7000
    for entry in (stats.total, stats.get("/x", "GET")):
        for table in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            assert KEPT_SECONDS <= len(table) <= 2 * KEPT_SECONDS + 1
    assert stats.total.current_rps == 7.0
    assert stats.total.current_fail_per_sec == 1.0
