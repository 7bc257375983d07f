"""The rows on a generator's health, and on how well its users kept their schedule."""

from __future__ import annotations

import gevent

from otaload.http import absolute_pacing
from otaload.live.health import HealthSampler


class Somebody:
    """A user, as far as a schedule is concerned."""


def sampled(work, *, seconds: float) -> list[dict]:
    """The rows of a sampler that ran beside some work."""
    sampler = HealthSampler("local", lambda: 3)
    sampler.start()
    job = gevent.spawn(work)
    gevent.sleep(seconds)
    job.kill()
    sampler.stop()
    return sampler.take()


def test_a_second_without_a_schedule_says_nothing_of_one() -> None:
    rows = sampled(lambda: gevent.sleep(5), seconds=1.2)

    assert rows
    assert all(set(row) == {"second", "process", "users", "cpu", "lag_ms"} for row in rows)


def test_what_was_started_and_lost_adds_up_over_all_rows_the_cut_short_one_included() -> None:
    pacing = absolute_pacing(0.1, stagger=False)
    user = Somebody()

    def work() -> None:
        pacing(user)
        gevent.sleep(0.55)  # one slow answer: 0.1 to 0.4 s are lost, 0.5 s is late
        while True:
            pacing(user)

    rows = sampled(work, seconds=1.3)
    told = [row for row in rows if "iterations" in row]

    assert sum(row["iterations"] for row in told) == pacing.total.iterations
    assert sum(row["lost"] for row in told) == pacing.total.lost
    assert pacing.total.lost >= 4
    assert max(row["late_max_ms"] for row in told) == round(pacing.total.lag_max_s * 1000, 2)
    assert max(row["late_max_ms"] for row in told) >= 40
    assert sum(row["late_sum_ms"] for row in told) >= 40


def test_a_sampler_does_not_tell_what_the_run_before_left() -> None:
    pacing = absolute_pacing(0.01)
    user = Somebody()
    pacing(user)

    rows = sampled(lambda: gevent.sleep(5), seconds=0.2)

    assert not any("iterations" in row for row in rows)
