"""Whatever the service does wrong ends as a counted failure with its own cause; the run goes on."""

from __future__ import annotations

import pytest

from tests.e2e.running import Bench

CAUSES = {
    "corrupt": ("corrupt@/bundles/download:p=0.4,seed=1", "hash: not that of the release"),
    "truncate": ("truncate@/bundles/download:p=0.4,seed=1", "body truncated"),
    "reset": ("reset@/updates/check:p=0.4,seed=1", "connection reset"),
    "reset mid-body": (
        "reset@/bundles/download:stage=mid-body,p=0.4,seed=1",
        "connection reset",
    ),
    "hang": ("hang@/updates/check:p=0.3,seed=1", "timeout: first byte"),
    "5xx": ("error@/updates/check:p=0.4,seed=1,status=503", "status 503"),
}


@pytest.mark.parametrize("kind", CAUSES)
def test_a_fault_is_counted_with_its_cause_and_the_run_goes_on(bench: Bench, kind: str) -> None:
    spec, cause = CAUSES[kind]
    bench.targets.write_text(
        "timeouts: { connect: 2, first_byte: 0.8, total: 3 }\nproduction: []\n"
    )
    ended = bench.run("smoke", "--time-scale", "0.1", "--user-scale", "2", "--faults", spec)

    name = spec.partition("@")[2].partition(":")[0]
    entry = ended.totals()[name]
    assert ended.code == 99, ended.output
    assert 0 < entry.failures < entry.requests
    assert [text for text in entry.causes if text.startswith(cause)] == list(entry.causes)
    others = [other for other in ended.totals() if other != name]
    assert all(ended.totals()[other].failures == 0 for other in others)
    assert cause in (ended.path / "report.html").read_text()
    assert ended.meta["crashes"]["count"] == 0


def test_a_throttled_device_is_counted_as_429(bench: Bench) -> None:
    # Two devices for twenty users: each of them is asked for more often than it may.
    bench.targets.write_text("devices: { fleet_size: 2 }\nproduction: []\n")
    ended = bench.run(
        "smoke",
        *("--time-scale", "0.08", "--user-scale", "2"),
        *("--faults", "rate-limit@/updates/check:rate=6/min"),
    )

    causes = ended.totals()["/updates/check"].causes
    assert list(causes) == ["status 429 RATE_LIMITED"]
    assert ended.code == 99
