"""The lines of the panel: they fit, do not jump, and show nothing raw."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from analysis.thresholds import parse_thresholds
from otaload.live.panel_text import columns, panel_lines
from otaload.live.progress import Progress, Recent, progress_line
from otaload.live.standing import Standing, Standings
from tests.live.test_standing import START_S, TEXT, windows

SGR = re.compile(r"\x1b\[[0-9;]*m")
RECENT = Recent(rps=141.25, p95_ms=212.4, p99_ms=1480.0)


def standings(latency_ms: float | None = 600, *, failed: int = 0) -> tuple[Standing, ...]:
    """How the thresholds stand after twenty requests of one latency, or none."""
    found = Standings(parse_thresholds(TEXT), start_s=START_S)
    if latency_ms is not None:
        found.add(windows(1, latency_ms, n=20, failed=failed))
    return found.now()


def progress(**changes) -> Progress:
    """A load test after two and a half minutes of ten."""
    made = Progress(
        scenario="load",
        elapsed_s=151,
        planned_s=600,
        stage="steady",
        users=200,
        recent=RECENT,
        requests=27340,
        failures=3,
        standings=standings(),
    )
    return replace(made, **changes)


def drawn(made: Progress, *, width: int = 100, height: int = 40, colour: bool = False) -> list[str]:
    """The panel's lines."""
    lines = panel_lines(made, width=width, height=height, colour=colour)
    return [line.rstrip() for line in lines]


def test_a_wide_panel_has_a_table_of_the_thresholds() -> None:
    assert drawn(progress(standings=standings(failed=1))) == [
        "── load  02:31 of 10:00 ━━━━━━━━━━──────────────────────────────  25 %",
        "steady  200 users  141.2 requests/s  p95 212 ms  p99 1480 ms  (last 10 s)",
        "27,340 requests, 3 failed (0.011 %)  so far ✗ fail  1 ✓ 1 ! 1 ✗ 1 no data",
        "so far                    p95           error_rate",
        "all requests              ✓ 600 ms      ✗ 5 %",
        "/check                    ! 600 ms",
        "GET /other                · no data",
    ]


def test_a_narrow_panel_lists_the_worst_thresholds() -> None:
    assert drawn(progress(standings=standings(failed=1)), width=40) == [
        "── load",
        "02:31 of 10:00 ━━━━━─────────────  25 %",
        "200 users  steady",
        "141.2 requests/s  0.011 % failed",
        "p95 212 ms  p99 1480 ms",
        "so far ✗ fail  1 ✓ 1 ! 1 ✗ 1 no data",
        "✗ error_rate of all requests 5 %",
        "! p95 of /check 600 ms",
        "· p95 of GET /other no data",
    ]


@pytest.mark.parametrize("width", [2, 5, 20, 40, 60, 73, 74, 75, 100, 300])
@pytest.mark.parametrize("height", [2, 5, 9, 24, 60])
def test_no_panel_is_wider_than_its_terminal_or_higher_than_half_of_it(
    width: int, height: int
) -> None:
    wide = Standings(
        parse_thresholds(TEXT.replace("/check", "/更新/チェック" * 9)), start_s=START_S
    )
    for made in (
        progress(),
        progress(standings=()),
        progress(standings=wide.now(), stage="長い名前" * 30),
        progress(requests=10**12, users=10**6, elapsed_s=10**6, planned_s=math.inf),
    ):
        for colour in (False, True):
            lines = drawn(made, width=width, height=height, colour=colour)
            assert 1 <= len(lines) <= max(1, height // 2)
            assert all(columns(SGR.sub("", line)) < width for line in lines)


@pytest.mark.parametrize("width", [40, 100])
def test_a_panel_has_as_many_lines_whatever_its_figures_are(width: int) -> None:
    nothing = Recent(rps=0, p95_ms=None, p99_ms=None)
    counts = {
        len(drawn(made, width=width))
        for made in (
            progress(),
            progress(standings=standings(None), recent=nothing, requests=0, failures=0),
            progress(standings=standings(9000, failed=19)),
        )
    }
    assert len(counts) == 1


def test_names_cannot_write_escape_sequences_or_new_lines() -> None:
    text = TEXT.replace("/check:", '"/\\u001b[2J\\u001b]0;x\\u0007\\nb":')
    hostile = Standings(parse_thresholds(text), start_s=START_S).now()
    made = progress(standings=hostile, stage="a\x1b[2Jb\nc", scenario="s\x1b[31m")

    for width in (40, 100):
        assert not any("\x1b" in line or "\n" in line for line in drawn(made, width=width))
    assert "\x1b" not in progress_line(made)


def test_a_run_without_an_end_has_no_bar() -> None:
    assert drawn(progress(planned_s=math.inf))[0] == "── load  02:31"


def test_the_line_tells_the_tier_with_the_worst_of_its_reasons() -> None:
    line = progress_line(progress(standings=standings(failed=1)))

    assert line == (
        "02:31 of 10:00  steady  200 users  141.2 requests/s  p95 212 ms  p99 1480 ms  "
        "27,340 requests, 3 failed  "
        "so far fail (error_rate of all requests 5 %, 1 without data)"
    )
    assert progress_line(progress(standings=standings(None))).endswith("so far no data")
    assert progress_line(progress(standings=())).endswith("3 failed")
