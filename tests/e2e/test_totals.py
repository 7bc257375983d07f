"""A run's totals are the service's own, to the request and the byte."""

from __future__ import annotations

import csv

import pytest

from tests.e2e.running import Bench, assert_reconciled, free_ports

# Every answer takes a second and a half, so requests are under way whenever the load ends.
SLOW = ("--faults", "latency:ms=1100")


@pytest.mark.parametrize("faults", [(), SLOW], ids=["idle at the end", "in flight at the end"])
def test_a_local_run_counts_what_the_service_counts(bench: Bench, faults: tuple[str, ...]) -> None:
    ended = bench.run("smoke", "--time-scale", "0.08", *faults)

    assert ended.meta["complete"] is True
    assert_reconciled(ended)


@pytest.mark.parametrize("faults", [(), SLOW], ids=["idle at the end", "in flight at the end"])
def test_two_processes_count_what_the_service_counts(bench: Bench, faults: tuple[str, ...]) -> None:
    port = free_ports(1)[0]
    ended = bench.run(
        "smoke",
        *("--time-scale", "0.08", "--user-scale", "3", "--processes", "2"),
        *("--master-bind-port", str(port), "--master-port", str(port), *faults),
    )

    assert ended.code == 0, ended.output
    assert len(ended.meta["workers"]) == 2
    assert not any(worker["lost"] or worker["gaps"] for worker in ended.meta["workers"])
    assert_reconciled(ended)


@pytest.mark.parametrize("faults", [(), SLOW], ids=["idle at the end", "in flight at the end"])
def test_a_master_and_two_workers_started_by_hand_count_what_the_service_counts(
    bench: Bench, faults: tuple[str, ...]
) -> None:
    port = str(free_ports(1)[0])
    master = bench.start(
        *bench.options("smoke", "--time-scale", "0.08", "--user-scale", "3", *faults),
        *("--master", "--expect-workers", "2", "--master-bind-port", port),
    )
    workers = [
        bench.start(
            *("-f", "locustfiles/smoke.py", "--worker", "--master-port", port), log=f"worker-{n}"
        )
        for n in range(2)
    ]
    ended = bench.wait(master)

    assert ended.code == 0, ended.output
    assert [worker.wait(20) for worker in workers] == [0, 0]
    assert len(ended.meta["workers"]) == 2
    assert_reconciled(ended)


def test_failures_are_counted_by_run_and_service_alike(bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.1", "--faults", "error:p=0.3,seed=7")

    failures = sum(entry.failures for entry in ended.totals().values())
    assert failures > 0
    assert_reconciled(ended)


@pytest.mark.parametrize("processes", [1, 2])
def test_locust_s_own_statistics_tell_the_same(bench: Bench, processes: int) -> None:
    port = str(free_ports(1)[0])
    distributed = ("--processes", "2", "--master-bind-port", port, "--master-port", port)
    table = bench.folder / "locust"
    ended = bench.run(
        *("smoke", "--time-scale", "0.08", "--user-scale", "3", "--csv", str(table)),
        *("--faults", "error:p=0.3,seed=7"),
        *(distributed if processes > 1 else ()),
    )

    with table.with_name("locust_stats.csv").open(newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    ours = ended.totals()
    assert sum(entry.failures for entry in ours.values()) > 0
    for name, entry in ours.items():
        assert int(rows[name]["Request Count"]) == entry.requests
        assert int(rows[name]["Failure Count"]) == entry.failures
    assert int(rows["Aggregated"]["Request Count"]) == sum(
        entry.requests for entry in ours.values()
    )


def test_connections_are_told_apart_from_the_requests_that_opened_them(bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.08")

    rows = {row["endpoint"]: row for row in ended.verdict["connections"]}
    total = rows["all requests"]
    # Ten users with a connection each; the service is up and closes none.
    assert total["opened"] == 10
    assert total["opened_ratio"] == pytest.approx(10 / ended.verdict["requests"])
    assert 0 < total["connect"]["p50_ms"] <= total["connect"]["max_ms"] < 1000
    assert total["tls"] is None
    assert "Sent again" in (ended.path / "report.html").read_text()
