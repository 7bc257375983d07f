"""A soak in seconds: a leak of known size is called, one far beyond the limit ends the run."""

from __future__ import annotations

import pytest

from staging.launch import start
from tests.e2e.running import THRESHOLDS, Bench, Ended

LIMITS = THRESHOLDS.replace(
    "error_rate:", "p99_drift: { pass: 25 %, warning: 35 %, fail: 50 %}\n  error_rate:"
)
HOURS_8_S = 8 * 3600
SHORTEST_S = 78.0
"""72 windows of a second, three of warm-up, and a little: the drift of less is not judged."""
FIRST_MIDDLE_S, LAST_MIDDLE_S = 3 + 6, SHORTEST_S - 6


def soak(bench: Bench, faults: str, *more: str, planned_s: float) -> Ended:
    """A rehearsal against a service whose answers take as long as a fault says, and no longer."""
    bench.thresholds.write_text(LIMITS)
    with start(faults=faults, bundle_bytes=16 * 1024) as service:
        # A second must have a hundred requests; 600 calm users make about 165.
        return bench.run(
            "soak",
            *("--time-scale", f"{planned_s / HOURS_8_S:.6f}", "--user-scale", "6"),
            *("--host", service.base_url, *more),
            env={"LOAD_TEST_API_KEY": service.api_key},
        )


def test_a_leak_of_60_percent_is_called_with_its_size_when_the_run_may_not_stop_early(
    bench: Bench,
) -> None:
    # The wait grows in a line, and by 60 % from the middle of the first eighth to the last's.
    growth_ms_s = 0.6 * 200 / (LAST_MIDDLE_S - FIRST_MIDDLE_S)
    from_ms = 200 - growth_ms_s * FIRST_MIDDLE_S
    leak = f"leak:from={from_ms:.0f}ms,rate={growth_ms_s:.3f}ms/s"
    ended = soak(bench, leak, "--no-early-stop", planned_s=SHORTEST_S)

    check = ended.check("p99_drift")
    assert check["value"] == pytest.approx(0.6, abs=0.08)
    assert (check["tier"], check["indicative"]) == ("fail", True)
    assert ended.code == 99, ended.output
    assert ended.meta["early_stop"] is None
    assert ended.meta["ended"] == "finished"


def test_a_soak_without_a_leak_is_looked_at_and_runs_to_its_end(bench: Bench) -> None:
    ended = soak(bench, "latency:ms=200", planned_s=SHORTEST_S)

    assert ended.meta["ended"] == "finished", ended.output
    assert ended.meta["early_stop"]["looks"] >= 2
    assert ended.meta["early_stop"]["at_s"] is None
    check = ended.check("p99_drift")
    assert abs(check["value"]) < 0.1
    assert check["tier"] == "pass"


def test_a_soak_far_beyond_its_drift_limit_is_stopped_early_as_a_fail(bench: Bench) -> None:
    planned_s = 90.0
    ended = soak(bench, "leak:from=100ms,rate=10ms/s", planned_s=planned_s)

    assert ended.code == 99, ended.output
    assert "the soak is stopped early" in ended.output
    stopped = ended.meta["early_stop"]
    assert ended.meta["ended"] == "stopped early"
    assert stopped["at_s"] < planned_s - 5
    assert stopped["low_ratio"] > 0.5
    assert ended.meta["end"] - ended.meta["start"] < planned_s
    check = ended.check("p99_drift")
    assert check["tier"] == "fail"
    assert check["value"] == pytest.approx(stopped["drift_ratio"])
    assert check["reason"].startswith(
        f"stopped early at {stopped['at_s']:.0f} s: the drift is above"
    )
    assert "the drift is above 50 %" in ended.verdict["headline"]
