"""The real search against simulated services; `bench/verdicts` does the same many times over."""

from __future__ import annotations

from random import Random

import pytest

from bench.verdicts.breakpoint import CASES, blip, p95_ms, play, rows, true_limit
from bench.verdicts.closed_queue import ClosedQueue, Incident, Service
from otaload.live.search import Outcome
from otaload.live.tail import merge

SMALL = CASES[2]


def test_the_simulated_service_keeps_littles_law_and_its_capacity() -> None:
    service = Service(4, 0.05, sigma=0.0)
    for users, wanted_rps in ((40, 40 / 2.05), (400, 80.0)):
        queue = ClosedQueue(service, Random(1))
        found = merge(w for s in range(420) for _, w in queue.second(s, users) if s >= 20)
        response_s = found.successes.sum_us / found.n / 1e6

        assert found.n / 400 == pytest.approx(wanted_rps, rel=0.02)
        assert found.n / 400 * (2.0 + response_s) == pytest.approx(users, rel=0.03)


def test_an_incident_fails_or_slows_what_it_covers_and_nothing_else() -> None:
    service = Service(4, 0.05, sigma=0.0)
    down = ClosedQueue(service, Random(1), Incident(30.0, 10.0, fails=True))
    failed = [sum(w.failures.n for _, w in down.second(s, 40)) for s in range(60)]
    assert sum(failed[:30]) == sum(failed[41:]) == 0
    assert min(failed[31:39]) > 0

    stalled = ClosedQueue(service, Random(1), Incident(30.0, 10.0, stalls=True))
    answered = [sum(w.n for _, w in stalled.second(s, 40)) for s in range(60)]
    assert sum(answered[31:40]) == 0
    assert answered[40] > 30


def test_the_true_limit_is_where_a_long_hold_breaks_the_fail_limit() -> None:
    limit = true_limit(SMALL)

    assert p95_ms(SMALL.service, limit) <= SMALL.p95_ms
    assert p95_ms(SMALL.service, round(limit * 1.1)) > SMALL.p95_ms


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_a_simulated_limit_is_found_within_a_tenth(seed: str) -> None:
    found = play(SMALL, seed)

    assert found.outcome is Outcome.FOUND
    assert found.limit == pytest.approx(true_limit(SMALL), rel=0.1)
    assert found.took_s <= 900


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_a_stall_of_up_to_fifteen_seconds_does_not_stop_the_climb(seed: str) -> None:
    limit = true_limit(SMALL)
    found = play(SMALL, seed, blip(Random(seed), limit), climb_only=True)

    assert found.stopped_at is not None
    assert found.stopped_at > 0.7 * limit


def test_the_table_has_a_row_for_precision_and_one_for_blips() -> None:
    found = rows(runs=3, seed=5)

    assert [row.runs for row in found] == [3, 3, 2]
    assert found[0].check == "Breakpoint after bisection"
    assert found[1].check == "Stop on a blip of ≤ 15 s"
    assert all("%" in row.measured for row in found)
