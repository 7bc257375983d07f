"""A known capacity is found as the limit: in users, in requests/s, in arrivals a second."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from bench.verdicts.closed_queue import ClosedQueue, Service
from otaload.live.tail import merge
from tests.e2e.running import Bench, Ended

# Ten servers of 50 ms: 200 requests/s. Thinking is as much shorter than a device's as the run is
# shorter than ten minutes, so that a hold is as many thoughts long as a real one.
SERVICE = Service(10, 0.05, sigma=0.0, think_s=(0.1, 0.3))
CAPACITY_RPS = SERVICE.capacity_rps
FAULT = "capacity@/updates/check:c=10,s=50ms"
FAIL_MS = 250
SCENARIO = """\
from locustfiles.devices import UpdateCheck
from locustfiles.profiles import Climb, Profile


class Search(Profile):
    mix = {UpdateCheck: 1}
    stages = (Climb(start=50, to=400, factor=1.4, seconds=30),)
    think_s = (0.1, 0.3)
    finds_limit = True
    search_s = 900
"""


ARRIVALS = """\
from locustfiles.devices import UpdateCheck
from locustfiles.profiles import ArrivalClimb, Profile


class Search(Profile):
    mix = {{UpdateCheck: 1}}
    stages = (ArrivalClimb(start_per_s=190, to_per_s=260, factor=1.04, seconds=30),)
    max_users = {max_users}
    finds_limit = True
    search_s = 500
"""


def true_users() -> int:
    """The most users whose p95 is within the limit, from an exact simulation of such a queue."""
    for users in range(60, 200):
        queue = ClosedQueue(SERVICE, Random(users))
        windows = [w for second in range(60) for _, w in queue.second(second, users) if second > 5]
        p95_us = merge(windows).successes.quantile_us(0.95)
        assert p95_us is not None
        if p95_us > FAIL_MS * 1000:
            return users - 1
    raise AssertionError("the capacity has no limit")


def search(bench: Bench, tmp_path: Path, *more: str):
    """A search of a tenth of the real duration."""
    file = tmp_path / "breakpoint.py"
    file.write_text(SCENARIO)
    bench.thresholds.write_text(
        "global:\n  p95: { pass: 100 ms, warning: 150 ms, fail: 250 ms }\n"
        "generator: { lag: 10 s, cpu: 1000 % }\n"
    )
    return bench.run(file, "--time-scale", "0.1", "--faults", FAULT, *more)


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two workers"])
def test_a_capacity_is_found_as_the_limit_in_users_and_in_requests_per_second(
    bench: Bench, tmp_path: Path, processes: tuple[str, ...]
) -> None:
    ended = search(bench, tmp_path, *processes)

    assert ended.code == 0, ended.output
    assert ended.meta["ended"] == "limit found"
    found = ended.verdict["breakpoint"]
    assert found["outcome"] == "found", ended.output
    assert found["limit"] == pytest.approx(true_users(), rel=0.05)
    assert found["limit_rps"] == pytest.approx(CAPACITY_RPS, rel=0.05)
    assert "/updates/check" in ended.output
    assert "bisecting: " in ended.output
    levels = [hold["level"] for hold in ended.meta["breakpoint"]["holds"]]
    assert [stage["users_to"] for stage in ended.meta["stages"]] == levels


def test_a_service_that_stops_answering_is_past_its_limit_and_ends_the_search(bench: Bench) -> None:
    bench.targets.write_text("timeouts: { first_byte: 6, total: 8 }\nproduction: []\n")
    ended = bench.run("breakpoint", "--time-scale", "0.07", "--faults", "hang:at=6s")

    assert ended.code == 0, ended.output
    assert ended.meta["ended"] == "limit found"
    found = ended.meta["breakpoint"]
    assert found["outcome"] == "not recovered"
    # Which of the two depends on whether the first requests had timed out by then.
    assert found["reason"] in {"not one request was answered", "100% of all requests failed"}
    assert found["at_s"] <= 12
    assert "the service did not recover" in ended.verdict["headline"]


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two workers"])
def test_a_capacity_is_found_as_the_limit_in_arrivals_per_second(
    bench: Bench, tmp_path: Path, processes: tuple[str, ...]
) -> None:
    ended = search_arrivals(bench, tmp_path, *processes, max_users=1000, fail_ms=FAIL_MS)

    assert ended.code == 0, ended.output
    assert ended.verdict["outcome"] == "pass", ended.output
    found = ended.verdict["breakpoint"]
    assert (found["outcome"], found["unit"]) == ("found", "arrivals/s"), ended.output
    # A queue that grows needs some seconds to come over the limit, and a hold here has but seven.
    assert found["limit"] == pytest.approx(CAPACITY_RPS, rel=0.05)
    assert "p95 of" in found["reason"]
    assert found["saturation"] is None
    assert all(check["informational"] for check in ended.verdict["checks"])


def test_a_search_that_runs_out_of_users_says_so_and_is_a_warning(
    bench: Bench, tmp_path: Path
) -> None:
    # 60 users are never kept waiting for longer than 60 / 200 s.
    ended = search_arrivals(bench, tmp_path, max_users=60, fail_ms=2000)

    assert ended.code == 0, ended.output
    assert ended.verdict["outcome"] == "warning", ended.output
    found = ended.verdict["breakpoint"]
    assert found["limit"] == pytest.approx(CAPACITY_RPS, rel=0.1)
    assert found["short_of_users"] is True
    assert "found no free user: raise max_users" in ended.verdict["headline"]


def search_arrivals(
    bench: Bench, tmp_path: Path, *more: str, max_users: int, fail_ms: int
) -> Ended:
    """A search of a tenth of the real duration, in a file of the user's own name."""
    file = tmp_path / "arrivals_limit.py"
    file.write_text(ARRIVALS.format(max_users=max_users))
    bench.thresholds.write_text(
        f"global:\n  p95: {{ pass: 100 ms, warning: 150 ms, fail: {fail_ms} ms }}\n"
        "generator: { lag: 10 s, cpu: 1000 % }\n"
    )
    return bench.run(file, "--time-scale", "0.1", "--faults", FAULT, *more)
