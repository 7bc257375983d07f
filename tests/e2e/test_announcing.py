"""A run's end is told to Slack and to the CI system that it runs in, and never told for nothing."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest

from tests.ci.webhook import Answer, Webhook, webhook
from tests.e2e.running import Bench

SECRET = "not-to-be-told"
SHORT = ("--time-scale", "0.05")
CRASHING = """\
import otaload.plugin
from locust import User, constant, task


class Worker(User):
    wait_time = constant(0.5)

    @task
    def work(self):
        raise RuntimeError("<!channel> boom")
"""


def headers(hook: Webhook) -> list[str]:
    """The first block of every message that was posted."""
    return [json.loads(body)["blocks"][0]["text"]["text"] for body in hook.bodies]


def assert_secret_is_nowhere(folder: Path) -> None:
    """No file of a bench, its log among them, holds the webhook."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("options", "code", "first"),
    [
        ((), 0, "✅ smoke: pass (rehearsal)"),
        (("--faults", "error:p=1"), 99, "❌ smoke: fail (rehearsal)"),
    ],
)
def test_a_run_tells_slack_once_how_it_ended(bench: Bench, options, code: int, first: str) -> None:
    with webhook() as hook:
        ended = bench.run("smoke", *SHORT, *options, env={"SLACK_WEBHOOK_URL": hook.url})

    assert ended.code == code, ended.output
    assert headers(hook) == [first]
    assert_secret_is_nowhere(bench.folder)


def test_an_interrupted_run_tells_slack_with_processes_too(bench: Bench) -> None:
    with webhook() as hook:
        process = bench.start(
            *bench.options("smoke", "--processes", "2"), env={"SLACK_WEBHOOK_URL": hook.url}
        )
        bench.await_line("recording to")
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert headers(hook) == ["❔ smoke: interrupted"]
    assert_secret_is_nowhere(bench.folder)


def test_a_crash_and_a_saturated_generator_are_told_to_slack(bench: Bench) -> None:
    bench.thresholds.write_text(
        "global: {p95: {pass: 60 s, fail: 90 s}}\ngenerator: {cpu: 0.0001 %}\n"
    )
    locustfile = bench.folder / "their_test.py"
    locustfile.write_text(CRASHING)
    with webhook() as hook:
        environment = {"SLACK_WEBHOOK_URL": hook.url}
        crashed = bench.run(locustfile, "--users", "1", "-t", "3s", env=environment)
        saturated = bench.run("smoke", *SHORT, env=environment)

    assert (crashed.code, saturated.code) == (107, 91), crashed.output + saturated.output
    assert headers(hook) == ["❔ their_test: crashed", "❔ smoke: inconclusive (rehearsal)"]


RAISING = """\
import otaload.plugin
from locust import User, events


class Worker(User):
    pass


@events.init.add_listener
def prepare(**_):
    raise RuntimeError("no fixture")
"""


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--thresholds", "/nope.yaml"), 104, "/nope.yaml"),
        (("--host", "http://127.0.0.2:9"), 92, "is production"),
        (("--processes", "2", "--time-scale", "-1"), 104, "--time-scale"),
    ],
)
def test_a_run_that_does_not_start_is_told_once(
    bench: Bench, options: tuple[str, ...], code: int, reason: str
) -> None:
    bench.targets.write_text("production: [{ host: 127.0.0.2 }]\n")
    with webhook() as hook:
        environment = {"SLACK_WEBHOOK_URL": hook.url, "GITHUB_ACTIONS": "true"}
        ended = bench.run("smoke", *options, env=environment)

    assert ended.code == code, ended.output
    assert headers(hook) == ["❔ smoke: was not started"]
    assert reason in json.loads(hook.bodies[0])["text"]
    lines = ended.output.splitlines()
    (error,) = [line for line in lines if line.startswith("::error ")]
    assert error.startswith("::error title=otaload::smoke was not started: ")
    assert reason in error
    assert_secret_is_nowhere(bench.folder)


def test_test_code_that_raises_before_the_run_is_told_once(bench: Bench) -> None:
    locustfile = bench.folder / "their_test.py"
    locustfile.write_text(RAISING)
    with webhook() as hook:
        ended = bench.run(locustfile, "-t", "3s", env={"SLACK_WEBHOOK_URL": hook.url})

    assert ended.code == 107, ended.output
    assert headers(hook) == ["❔ their_test: was not started"]


def test_a_webhook_that_refuses_changes_no_exit_code(bench: Bench, otaload) -> None:
    with webhook(Answer(404, b"no_service")) as hook:
        ended = bench.run("smoke", *SHORT, env={"SLACK_WEBHOOK_URL": hook.url})
        again = otaload("judge", str(ended.path), "--notify", env={"SLACK_WEBHOOK_URL": hook.url})

    assert (ended.code, again.returncode) == (0, 0), ended.output
    told = "otaload: warning: nothing was sent to Slack: Slack answered 404 (no_service)"
    assert told in ended.output
    assert told in again.stderr
    assert SECRET not in again.stdout + again.stderr
    assert_secret_is_nowhere(bench.folder)


def test_a_run_that_is_judged_again_is_told_again_only_on_demand(bench: Bench, otaload) -> None:
    path = str(bench.run("smoke", *SHORT).path)
    with webhook() as hook:
        environment = {"SLACK_WEBHOOK_URL": hook.url}
        otaload("judge", path, env=environment)
        otaload("report", path, env=environment)
        assert hook.bodies == []
        otaload("judge", path, "--notify", env=environment)
        assert len(hook.bodies) == 1
        (Path(path) / "thresholds.yaml").unlink()
        broken = otaload("judge", path, "--notify", env=environment)

    assert broken.returncode == 104
    assert headers(hook)[1].endswith("could not be judged")
    unset = otaload("judge", path, "--notify", "--thresholds", str(bench.thresholds))
    assert unset.returncode == 0
    assert "SLACK_WEBHOOK_URL is not set" in unset.stderr


SAYING = """\
import otaload.plugin
import sys
from locust import User, constant, task


class Worker(User):
    wait_time = constant(0.5)

    @task
    def work(self):
        print("::error title=by print::x")
        sys.stderr.write("::error title=by stderr::x\\n")
        raise RuntimeError("it said\\n::error title=by exception::x\\r::add-mask::run ##[error]x")
"""


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "forked"])
def test_nothing_that_the_test_code_prints_is_a_command_to_a_workflow(
    bench: Bench, processes: tuple[str, ...]
) -> None:
    locustfile = bench.folder / "saying.py"
    locustfile.write_text(SAYING)
    options = ("--users", "2", "-t", "3s", *processes)
    ended = bench.run(locustfile, *options, env={"GITHUB_ACTIONS": "true"})

    assert ended.code == 107, ended.output
    for title in ("by print", "by stderr", "by exception"):
        assert f"| ::error title={title}::x" in ended.output
    # What the judge prints between a token and the same again is not taken as commands.
    begin, token, rest = ended.output.partition("::stop-commands::")
    resumed = rest.split(f"::{rest.splitlines()[0]}::")[1]
    lines = re.split(r"[\r\n]+", begin + resumed)
    commands = [line for line in lines if line.strip().startswith("::") or "##[" in line]
    assert token
    assert commands
    assert [
        line for line in commands if not line.startswith("::error title=otaload saying::")
    ] == []


def test_a_workflow_gets_annotations_and_a_summary(bench: Bench, tmp_path: Path) -> None:
    summary = tmp_path / "step-summary"
    summary.write_text("# What was there before\n")
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ended = bench.run("smoke", *SHORT, "--faults", "error:p=1", env=environment)

    assert ended.code == 99, ended.output
    lines = ended.output.splitlines()
    (stop,) = [i for i, line in enumerate(lines) if line.startswith("::stop-commands::")]
    token = lines[stop].removeprefix("::stop-commands::")
    resumed = lines.index(f"::{token}::")
    errors = [i for i, line in enumerate(lines) if line.startswith("::error title=otaload smoke::")]
    assert errors
    assert stop < resumed < min(errors)
    before, _, ours = summary.read_text().partition("\n\n")
    assert before == "# What was there before"
    assert ours.strip() == (ended.path / "summary.md").read_text().strip()


def test_a_summary_that_is_too_long_is_cut_and_one_that_cannot_be_written_is_said(
    bench: Bench, otaload, tmp_path: Path
) -> None:
    path = str(bench.run("smoke", *SHORT).path)
    summary = tmp_path / "step-summary"
    limit = 1024 * 1024
    summary.write_bytes(b"x" * (limit - 700))
    assert otaload("judge", path, env={"GITHUB_STEP_SUMMARY": str(summary)}).returncode == 0
    assert limit - 700 < summary.stat().st_size <= limit
    assert summary.read_text().endswith("summary.md in the run's directory is whole.\n")

    summary.write_bytes(b"x" * limit)
    full = otaload("judge", path, env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert (full.returncode, summary.stat().st_size) == (0, limit)
    assert "GITHUB_STEP_SUMMARY: it is full" in full.stderr

    nowhere = otaload("judge", path, env={"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "file")})
    assert nowhere.returncode == 0
    assert "GITHUB_STEP_SUMMARY: cannot be written" in nowhere.stderr
