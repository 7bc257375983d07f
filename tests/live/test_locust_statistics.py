"""Locust's own statistics say the same, whether it counts each request or is fed our windows."""

from __future__ import annotations

import random

import pytest
from locust.env import Environment

from otaload.live.counting import Counting

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
