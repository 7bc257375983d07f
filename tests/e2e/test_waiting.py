"""Users that wait: a spike with a known backlog, and a stall that a schedule lays open."""

from __future__ import annotations

import json
import textwrap

import pytest

from tests.e2e.running import Bench, assert_reconciled

LENIENT = """\
global:
  p95: { pass: 50 s, fail: 60 s }
generator: { lag: 10 s, cpu: 1000 % }
"""
PATIENT = "timeouts: { connect: 3, first_byte: 30, total: 40 }\nproduction: []\n"


def scenario(bench: Bench, name: str, body: str) -> str:
    """A scenario of registrations alone, one request an iteration."""
    path = bench.folder / f"{name}.py"
    path.write_text(
        f'"""{name}."""\n'
        "from locustfiles.devices import DeviceRegister\n"
        "from locustfiles.profiles import Hold, Profile\n\n\n"
        "class Scenario(Profile):\n    mix = {DeviceRegister: 1}\n" + textwrap.indent(body, "    ")
    )
    bench.thresholds.write_text(LENIENT)
    bench.targets.write_text(PATIENT)
    return str(path)


def test_a_spike_with_a_known_backlog_recovers_in_the_computed_time(bench: Bench) -> None:
    users, probe, think_s, service_s = 250, 14, 2.0, 0.04
    spike = scenario(
        bench,
        "backlog",
        f"stages = (Hold({probe}, 24, 'baseline'), Hold({users}, 7, 'burst'), "
        f"Hold({probe}, 21, 'recovery'))\nthink_s = ({think_s - 1}, {think_s + 1})\n",
    )
    ended = bench.run(spike, "--faults", f"capacity:c=1,s={service_s * 1000:g}ms")

    assert ended.code == 0, ended.output
    assert_reconciled(ended)
    # A saturated server has 1/service_s answers a second on their way to users that think, and all
    # other users in its queue; after the burst the probe's own requests come on top of those, once.
    backlog_s = (users - think_s / service_s) * service_s
    expected_s = backlog_s + probe * service_s
    found = ended.verdict["recovery"]
    assert found["recovery_s"] == pytest.approx(expected_s, abs=2), found
    assert found["peak_ms"] == pytest.approx(backlog_s * 1000, rel=0.35)
    assert (
        f"back in the baseline's band {round(found['recovery_s'])} s after the burst"
        in (ended.verdict["headline"])
    )


def test_a_stall_of_ten_seconds_shows_up_in_the_corrected_p99(bench: Bench) -> None:
    users, pacing_s, seconds, stall_s = 10, 0.2, 42, 10
    paced = scenario(
        bench,
        "paced",
        f"stages = (Hold({users}, {seconds}),)\npacing_s = {pacing_s}\n",
    )
    ended = bench.run(
        paced, "--processes", "2", "--faults", f"stall:at=15s,for={stall_s}s", "--fail-on-warning"
    )

    assert ended.code == 90, ended.output
    assert_reconciled(ended)
    assert (ended.meta["pacing_s"], ended.meta["think_s"]) == (pacing_s, None)
    found = ended.verdict["omission"]
    (row,) = found["endpoints"]
    # An open loop would have sent users × stall_s / pacing_s requests into the stall; of all its
    # requests the slowest hundredth begins so far from the stall's first moment.
    truth_ms = (stall_s - 0.01 * seconds) * 1000
    assert row["p99_ms"] < 1000
    assert row["p99_corrected_ms"] == pytest.approx(truth_ms, rel=0.10)
    planned = users * seconds / pacing_s
    # At the end a user may be stopped between its turn and its request.
    assert 0 <= found["iterations"] - row["n"] <= users
    assert found["iterations"] + found["lost"] == pytest.approx(planned, rel=0.03)
    assert found["lost"] == pytest.approx(users * stall_s / pacing_s, rel=0.05)
    names = {caution["name"] for caution in ended.verdict["cautions"]}
    assert names == {"corrected p99", "lost iterations"}
    rows = [json.loads(line) for line in (ended.path / "users.jsonl").read_text().splitlines()]
    assert len({row["process"] for row in rows if row.get("iterations")}) == 2


def test_a_profile_with_both_a_pacing_and_a_think_time_is_refused(bench: Bench) -> None:
    both = scenario(bench, "both", "stages = (Hold(1, 1),)\npacing_s = 1\nthink_s = (1.0, 2.0)\n")
    ended = bench.run(both)

    assert ended.code != 0
    assert "Scenario: both think_s and pacing_s are set; keep think_s" in ended.output
    assert "Traceback" not in ended.output
    assert not bench.reports.exists() or not list(bench.reports.glob("2*"))
