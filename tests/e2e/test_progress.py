"""How a headless run shows how it stands: a panel on a terminal, lines without one."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import Bench
from tests.e2e.terminal import SGR, Terminal

Open = Callable[..., Terminal]

CHATTY = """\
import logging
import sys

import otaload.plugin
from locust import User, constant, task

said = 0


class Chatty(User):
    wait_time = constant(0.25)

    @task
    def talk(self):
        global said
        self.environment.events.request.fire(
            request_type="GET", name="/talk", response_time=20, response_length=1, exception=None,
            context={},
        )
        said += 1
        print(f"printed {said}")
        sys.stdout.write(f"half {said} and ")
        sys.stdout.flush()
        sys.stdout.write("the rest\\n")
        logging.getLogger("theirs").warning("logged %d", said)
"""


@pytest.fixture
def terminal(bench: Bench) -> Iterator[Open]:
    """Opens terminals of the bench, and closes them with the test."""
    opened: list[Terminal] = []

    def open_one(*arguments: str, **size) -> Terminal:
        opened.append(Terminal(bench, *arguments, **size))
        return opened[-1]

    try:
        yield open_one
    finally:
        for one in opened:
            one.close()


def chatty(bench: Bench) -> Path:
    """A foreign locustfile whose users print and log, in whole lines and in halves."""
    path = bench.folder / "chatty.py"
    path.write_text(CHATTY)
    return path


def panel_of(terminal: Terminal) -> list[str]:
    """The lines of the panel at the foot of the screen."""
    screen = terminal.screen
    first = max(i for i, line in enumerate(screen) if line.startswith("── "))
    return screen[first:]


def is_drawn_for(terminal: Terminal, columns: int) -> bool:
    """Whether the panel at the foot is the one for that width, which no cut one looks like."""
    if not terminal.shows("── smoke") or not terminal.screen[-1]:
        return False
    is_narrow = panel_of(terminal)[0] == "── smoke"
    return is_narrow == (columns < 74) and terminal.shows("so far ✓ pass")


def assert_whole(terminal: Terminal) -> None:
    """The terminal is as a shell wants it, and no panel is left on it."""
    assert terminal.scrolls_whole
    assert not terminal.cursor_is_hidden
    assert not terminal.shows("── ")


def test_the_panel_stays_at_the_foot_while_users_print_and_locust_logs(
    bench: Bench, terminal: Open
) -> None:
    options = bench.options(chatty(bench), "--users", "2", "--spawn-rate", "2", "-t", "15s")
    run = terminal(*options)
    run.until(lambda: b"logged 30" in run.raw and run.shows("so far ✓ pass"))
    panel = panel_of(run)

    assert re.match(r"── chatty  00:\d\d of 00:15 ━+─* +\d+ %$", panel[0])
    assert re.match(
        r"running  2 users  \d+\.\d requests/s  p95 20 ms  p99 20 ms  \(last 10 s\)$", panel[1]
    )
    assert re.match(r"\d+ requests, 0 failed \(0 %\)  so far ✓ pass  3 ✓$", panel[2])
    assert panel[3].split() == ["so", "far", "p95", "p99", "error_rate"]
    assert panel[4].split() == ["all", "requests", "✓", "20", "ms", "✓", "20", "ms", "✓", "0", "%"]
    assert len(panel) == 5

    assert run.wait() == 0
    assert_whole(run)
    lines = run.everything()
    count = sum(line.startswith("printed ") for line in lines)
    assert count > 30
    for number in range(1, count + 1):
        assert lines.count(f"printed {number}") == 1
        assert lines.count(f"half {number} and the rest") == 1
        assert sum(line.endswith(f"theirs: logged {number}") for line in lines) == 1
    verdict = next(i for i, line in enumerate(lines) if line.startswith("✓ Passed"))
    assert verdict > lines.index(f"printed {count}")


def test_a_panel_fits_into_forty_columns(bench: Bench, terminal: Open) -> None:
    run = terminal(*bench.options("smoke", "--time-scale", "0.15"), columns=40, lines=24)
    run.until(lambda: run.shows("so far ✓ pass"))
    panel = panel_of(run)

    assert panel[0] == "── smoke"
    assert re.match(r"00:\d\d of 00:09 ━*─* +\d+ %$", panel[1])
    assert re.match(r"10 users  \S+", panel[2])
    assert re.match(r"[\d.]+ requests/s  0 % failed$", panel[3])
    assert re.match(r"p95 \d+ ms  p99 \d+ ms$", panel[4])
    assert re.match(r"so far ✓ pass  3 ✓$", panel[5])
    assert len(panel) == 9
    assert max(map(len, panel)) < 40
    assert run.wait() == 0
    assert_whole(run)


def test_the_panel_follows_a_terminal_that_changes_its_size(bench: Bench, terminal: Open) -> None:
    run = terminal(*bench.options("smoke", "--time-scale", "0.4"))
    run.until(lambda: run.shows("so far ✓ pass"))
    for columns, lines in ((44, 16), (120, 40), (60, 12)):
        run.resize(columns, lines)
        run.until(lambda columns=columns: is_drawn_for(run, columns))
        panel = panel_of(run)
        assert run.screen[-1] != ""
        assert max(map(len, panel)) < columns
        assert sum(line.startswith("── smoke") for line in run.screen) == 1
    assert run.wait() == 0
    assert_whole(run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_gives_the_whole_terminal_back_and_the_verdict_below(
    bench: Bench, terminal: Open, number: signal.Signals
) -> None:
    run = terminal(*bench.options("smoke"))
    run.until(lambda: run.shows("so far ✓ pass"))
    run.process.send_signal(number)

    assert run.wait() == 105
    assert_whole(run)
    assert any("Interrupted" in line for line in run.everything())


def test_a_second_signal_gives_the_whole_terminal_back_too(bench: Bench, terminal: Open) -> None:
    slow = ("--faults", "latency@/updates/check:ms=5s")
    run = terminal(*bench.options("smoke", *slow))
    run.until(lambda: run.shows("10 users"))
    run.process.send_signal(signal.SIGTERM)
    run.until(lambda: run.shows("once more to end at once"))
    run.process.send_signal(signal.SIGTERM)

    assert run.wait() == 105
    assert_whole(run)


def test_control_z_gives_the_terminal_back_until_the_run_goes_on(
    bench: Bench, terminal: Open
) -> None:
    run = terminal(*bench.options("smoke", "--time-scale", "0.3"))
    run.until(lambda: run.shows("so far ✓ pass"))
    run.process.send_signal(signal.SIGTSTP)
    run.until(lambda: not run.shows("── "))
    assert_whole(run)
    run.process.send_signal(signal.SIGCONT)
    run.until(lambda: run.shows("so far ✓ pass"))
    run.wait()
    assert_whole(run)


def test_without_colour_nothing_is_coloured(bench: Bench, terminal: Open) -> None:
    plain = terminal(
        *bench.options("smoke", "--time-scale", "0.1"), env={"NO_COLOR": "1", "TERM": "xterm"}
    )
    plain.until(lambda: plain.shows("so far ✓ pass"))
    assert SGR.findall(plain.raw) == []
    plain.wait()

    coloured = terminal(*bench.options("smoke", "--time-scale", "0.1"))
    coloured.until(lambda: coloured.shows("so far ✓ pass"))
    assert b"\x1b[32m" in coloured.raw
    coloured.wait()


def test_a_terminal_of_a_ci_gets_lines_and_none_means_none(bench: Bench, terminal: Open) -> None:
    run = terminal(*bench.options("smoke", "--time-scale", "0.2"), env={"CI": "true"}, columns=200)
    assert run.wait() == 0
    assert any("so far pass" in line for line in run.everything())
    assert b"\x1b7" not in run.raw

    quiet = terminal(*bench.options("smoke", "--time-scale", "0.2", "--progress", "none"))
    assert quiet.wait() == 0
    assert b"\x1b7" not in quiet.raw
    assert not any("so far" in line for line in quiet.everything())


def test_a_line_tells_the_worst_threshold_so_far(bench: Bench) -> None:
    ended = bench.run("smoke", "--time-scale", "0.2", "--faults", "error@/updates/check:p=1")

    told = r"so far fail \(error_rate of all requests \d+(\.\d+)? %\)"
    line = next(line for line in ended.output.splitlines() if "so far" in line)
    assert re.search(told, line), line
    assert re.match(r"00:1\d of 00:12  \S+  \d+ users  \d+\.\d requests/s  ", line)


@pytest.mark.parametrize("how", ["panel", "loud"])
def test_a_way_that_cannot_be_is_refused(bench: Bench, how: str) -> None:
    ended = bench.run("smoke", env={"OTALOAD_PROGRESS": how})

    assert ended.code == 104
    assert "otaload: error: --progress" in ended.output
    assert "Traceback" not in ended.output
