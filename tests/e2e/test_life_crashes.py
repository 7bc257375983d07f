"""Whatever the test code raises, and wherever, the run ends with 107 and never as a pass."""

from __future__ import annotations

import pytest

from tests.e2e.foreign import EMBEDDED, asking
from tests.e2e.running import Bench, assert_reconciled
from tests.e2e.test_web_ui import Ui

SHORT = ("--users", "3", "--spawn-rate", "10", "--run-time", "1", *EMBEDDED)
LISTENER = "@events.{event}.add_listener\ndef on_{event}(**_):\n    {body}\n\n\n"
SHAPE = """\
class Shape(LoadTestShape):
    def tick(self):
        if self.get_run_time() > 1:
            {body}
        return (2, 2)
"""
NESTED = """\
class Session(TaskSet):
    def on_stop(self):
        raise KeyError("of a task set")

    @task
    def once(self):
        gevent.sleep(0.1)
        self.interrupt()


Device.tasks = [Session, *Device.tasks]
"""
MANY = """\
next(turns)(self)

    def forever(self):
        return self.forever()
"""
IN_TURN = """\
def exhaust(user):
    raise MemoryError("no more")


turns = iter([exhaust, Device.forever, Device.forever] + [lambda user: None] * 1000)
"""

ENDING = """\
def leave(user):
    sys.exit(0)


def interrupt(user):
    raise KeyboardInterrupt


def kill(user):
    raise gevent.GreenletExit


turns = iter([leave, interrupt, kill] + [lambda user: None] * 1000)
"""
STARTING = """\
gevent.spawn(lambda: 1 / 0)
        threading.Thread(target=lambda: {}["of a thread"]).start()
        self.work()"""

CASES = {
    "a task": ({"task": "raise KeyError('of a task')"}, "KeyError: 'of a task'", None),
    "on_start": (
        {"on_start": "self.work(); raise KeyError('of on_start')"},
        "KeyError: 'of on_start'",
        3,
    ),
    "on_stop of a task set": ({"module": NESTED}, "KeyError: 'of a task set'", None),
    "a greenlet, a thread, on_stop": (
        {"on_start": STARTING, "on_stop": "raise KeyError('of on_stop')"},
        "ZeroDivisionError",
        9,
    ),
    "ending the process": ({"task": "next(turns)(self)", "module": ENDING}, "SystemExit: 0", 3),
    "no memory, endless recursion": (
        {"task": MANY, "module": IN_TURN},
        "MemoryError: no more",
        3,
    ),
}
"""What the test code does, what is told of it, and how often it is counted, where that is sure."""
LISTENERS = "".join(
    LISTENER.format(event=event, body=f"raise KeyError('of {event}')")
    for event in ("test_start", "request", "test_stop", "quitting", "quit")
)


def assert_crashed(bench: Bench, ended, told: str) -> None:
    """The run is a crashed one in all that it leaves, and all that it asked was recorded."""
    assert ended.code == 107, ended.output
    assert ended.meta["complete"] is True
    assert ended.meta["crashes"]["count"] >= 1
    assert told in ended.meta["crashes"]["first"]
    assert "their_test.py" in ended.meta["crashes"]["first"]
    assert ended.verdict["outcome"] == "crashed"
    assert ended.verdict["exit_code"] == 107
    assert told.split(":", maxsplit=1)[0] in (ended.path / "report.html").read_text()
    assert 'errors="1"' in (ended.path / "junit.xml").read_text()
    assert_reconciled(ended)
    bench.assert_no_orphans()


@pytest.mark.parametrize("case", CASES)
def test_what_a_user_raises_ends_with_107_and_its_traceback_in_the_report(
    bench: Bench, case: str
) -> None:
    where, told, count = CASES[case]
    ended = bench.run(asking(bench, **where), *SHORT)

    assert_crashed(bench, ended, told)
    assert count is None or ended.meta["crashes"]["count"] == count


def test_what_listeners_raise_is_counted_though_locust_swallows_it(bench: Bench) -> None:
    ended = bench.run(asking(bench, module=LISTENERS), *SHORT, "--loglevel", "CRITICAL")

    assert_crashed(bench, ended, "KeyError: 'of test_start'")
    requests = sum(entry.requests for entry in ended.totals().values())
    assert ended.meta["crashes"]["count"] == requests + 4


def test_what_the_very_last_listener_raises_is_judged_as_well(bench: Bench) -> None:
    late = LISTENER.format(event="quit", body="raise KeyError('of quit')")

    ended = bench.run(asking(bench, module=late), *SHORT)
    assert_crashed(bench, ended, "KeyError: 'of quit'")


def test_what_a_listener_raises_when_its_worker_ends_is_judged_as_well(bench: Bench) -> None:
    body = (
        "if isinstance(_['environment'].runner, WorkerRunner): "
        "gevent.sleep(1); raise KeyError('of a worker')"
    )
    late = LISTENER.format(event="quitting", body=body)
    module = f"from locust.runners import WorkerRunner\n\n\n{late}"

    ended = bench.run(asking(bench, module=module), *SHORT, "--processes", "2")
    assert_crashed(bench, ended, "KeyError: 'of a worker'")
    assert ended.meta["crashes"]["count"] == 2


@pytest.mark.parametrize("body", ["raise KeyError('of tick')", "sys.exit(0)"])
def test_what_a_shape_raises_ends_the_run_with_107(bench: Bench, body: str) -> None:
    ended = bench.run(asking(bench, module=SHAPE.format(body=body)), *EMBEDDED)

    assert_crashed(bench, ended, "KeyError: 'of tick'" if "KeyError" in body else "SystemExit: 0")


@pytest.mark.parametrize(
    "module",
    [
        "import no_such_module_anywhere",
        "1 / 0",
        LISTENER.format(event="init", body="raise KeyError('of init')"),
    ],
    ids=["an import", "a statement", "a listener of init"],
)
def test_a_locustfile_that_cannot_be_set_up_ends_with_107_and_leaves_nothing(
    bench: Bench, module: str
) -> None:
    ended = bench.run(asking(bench, module=module), *SHORT)

    assert ended.code == 107, ended.output
    assert "Traceback" in ended.output
    assert "otaload: error: the" in ended.output
    assert not list(bench.reports.glob("*"))
    bench.assert_no_orphans()


def test_a_listener_may_find_fault_with_a_run_and_not_acquit_one(bench: Bench) -> None:
    sets = "\ndef end(environment, **_):\n    environment.process_exit_code = {}\n"
    blame = asking(bench, module="@events.quitting.add_listener" + sets.format(3))
    assert bench.run(blame, *SHORT, "--run-time", "2").code == 3

    raising = "1 / 0"
    acquit = asking(bench, task=raising, module="@events.quitting.add_listener" + sets.format(0))
    assert bench.run(acquit, *SHORT).code == 107
    bench.assert_no_orphans()


def test_a_crash_in_the_web_ui_is_that_of_its_own_run_alone(bench: Bench) -> None:
    once = IN_TURN.replace("Device.forever", "print")
    path = asking(bench, task="next(turns)(self)", module=once)
    ui = Ui(bench, str(path), *EMBEDDED)
    for count in (1, 2):
        assert ui.swarm(run_time="2")["success"] is True
        ui.until(lambda count=count: len(ui.runs()) == count)
    first, second = ui.runs()
    ui.until((second.path / "verdict.json").exists)
    ui.quit()

    assert first.verdict["outcome"] == "crashed"
    assert second.meta["crashes"] == {"count": 0, "first": None}
    bench.assert_no_orphans()
