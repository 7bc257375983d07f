"""Every tier is reached on purpose, by a fault whose true value is known."""

from __future__ import annotations

import textwrap

import pytest

from staging.launch import start
from tests.e2e.running import Bench

# A service that is 100 ms late passes below 400 ms, and so on; errors likewise. The tiers are wide
# enough for a busy machine.
LIMITS = """\
global:
  p95: { pass: 400 ms, warning: 1000 ms, fail: 1600 ms }
  p99: { pass: 400 ms, warning: 1000 ms, fail: 1600 ms }
  error_rate: { pass: 5 %, warning: 25 %, fail: 60 % }
generator: { lag: 10 s, cpu: 1000 % }
"""


@pytest.mark.parametrize(
    ("delay_ms", "error_share", "tier", "gap", "code"),
    [
        (100, 0.0, "pass", False, 0),
        (700, 0.15, "warning", False, 0),
        (1300, 0.42, "warning", True, 0),
        (2000, 0.85, "fail", False, 99),
    ],
    ids=["pass", "warning", "gap", "fail"],
)
def test_a_known_latency_and_error_share_land_in_their_tier(
    bench: Bench, delay_ms: int, error_share: float, tier: str, gap: bool, code: int
) -> None:
    bench.thresholds.write_text(LIMITS)
    # Small bundles, so that the delay is all there is to measure.
    faults = f"latency:ms={delay_ms}; error:p={error_share},seed=3"
    with start(faults=faults, bundle_bytes=16 * 1024) as service:
        ended = bench.run(
            "load",
            *("--time-scale", "0.01", "--user-scale", "0.4", "--host", service.base_url),
            env={"LOAD_TEST_API_KEY": service.api_key},
        )

    assert ended.code == code, ended.output
    for metric in ("p95", "p99", "error_rate"):
        check = ended.check(metric)
        assert (check["tier"], check["gap"]) == (tier, gap), check
    # A busy machine adds to the slowest, and takes from none.
    whole = next(row for row in ended.verdict["endpoints"] if row["endpoint"] == "all requests")
    assert whole["p50_ms"] == pytest.approx(delay_ms, rel=0.25, abs=40)
    assert ended.check("p95")["value"] >= delay_ms
    assert ended.check("error_rate")["value"] == pytest.approx(error_share, abs=0.1)
    n = {row["phase"]: row["n"] for row in ended.verdict["phases"]}
    assert sum(n.values()) == sum(e.requests for e in ended.totals().values())
    assert ended.check("error_rate")["n"] == n["steady"]


def test_one_bad_endpoint_among_good_ones_fails_alone(bench: Bench) -> None:
    bench.thresholds.write_text(
        LIMITS
        + textwrap.dedent("""\
            endpoints:
              /updates/check: { p95: { pass: 400 ms } }
              /devices/register: { p95: { pass: 400 ms } }
              /bundles/download: { p95: { pass: 400 ms } }
            """)
    )
    ended = bench.run(
        "load",
        *("--time-scale", "0.01", "--user-scale", "0.2"),
        *("--faults", "latency@/devices/register:ms=2000"),
    )

    assert ended.code == 99, ended.output
    assert ended.check("p95", "/devices/register")["tier"] == "fail"
    assert ended.check("p95", "/updates/check")["tier"] == "pass"
    assert ended.check("p95", "/bundles/download")["tier"] == "pass"


def test_a_named_endpoint_without_traffic_fails_with_its_reason(bench: Bench) -> None:
    bench.thresholds.write_text(
        LIMITS + "endpoints:\n  /updates/chekc: { p95: { pass: 150 ms } }\n"
    )
    foreign = bench.folder / "foreign.py"
    foreign.write_text(
        "from locust import FastHttpUser, constant, task\n\n\n"
        "class Visitor(FastHttpUser):\n"
        "    wait_time = constant(0.2)\n\n"
        "    @task\n"
        "    def visit(self):\n"
        "        self.client.get('/health')\n"
    )
    with start(faults="") as service:
        ended = bench.run(
            f"otaload/plugin.py,{foreign}",
            *("--host", service.base_url, "--users", "2", "--run-time", "2"),
        )

    assert ended.code == 99, ended.output
    check = ended.check("p95", "/updates/chekc")
    assert check["tier"] == "fail"
    assert "no traffic" in check["reason"]
    assert "/health" in check["reason"]


def test_a_warning_fails_the_build_only_when_asked_to(bench: Bench) -> None:
    bench.thresholds.write_text(LIMITS)
    ended = bench.run(
        "smoke", "--time-scale", "0.05", "--faults", "latency:ms=700", "--fail-on-warning"
    )

    assert ended.code == 90, ended.output


def test_an_error_rate_of_0_3_percent_lands_in_the_gap_of_the_shipped_limits(bench: Bench) -> None:
    bench.thresholds.write_text(
        LIMITS.replace(
            "pass: 5 %, warning: 25 %, fail: 60 %", "pass: 0.01 %, warning: 0.1 %, fail: 0.5 %"
        )
    )
    # Of any 1,500 to 12,000 first requests, this seed fails 0.24 to 0.36 %.
    with start(faults="error:p=0.3%,seed=19", bundle_bytes=16 * 1024) as service:
        ended = bench.run(
            "stress",
            *("--time-scale", "0.06", "--user-scale", "0.1", "--host", service.base_url),
            env={"LOAD_TEST_API_KEY": service.api_key},
        )

    check = ended.check("error_rate")
    failed = sum(phase["failures"] for phase in ended.verdict["phases"] if phase["judged"])
    assert check["value"] == pytest.approx(failed / check["n"])
    assert check["value"] == pytest.approx(0.003, abs=0.0007)
    assert (check["tier"], check["gap"]) == ("warning", True), check
    assert "in the gap: above the warning limit of 0.1 %" in check["reason"]
