"""How a run ends is in its exit code; one that went wrong never looks like one that did not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from staging.launch import start
from tests.e2e.running import Bench, assert_reconciled, free_ports

FOREIGN = """\
import otaload.plugin
from locust import User, constant, task


class Worker(User):
    wait_time = constant(0.1)

    @task
    def work(self):
        {body}
"""


def foreign(bench: Bench, body: str) -> Path:
    """A locustfile that is not of the project, with one import line."""
    path = bench.folder / "their_test.py"
    path.write_text(FOREIGN.format(body=body))
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("mode", ["local", "processes"])
def test_a_signal_drains_judges_and_ends_with_105(
    bench: Bench, number: signal.Signals, mode: str
) -> None:
    port = str(free_ports(1)[0])
    extra = ["--processes", "2", "--master-bind-port", port, "--master-port", port]
    process = bench.start(
        *bench.options("smoke", "--time-scale", "0.5", "--faults", "latency:ms=400"),
        *(extra if mode == "processes" else []),
    )
    bench.await_line("recording to")
    time.sleep(4)
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert ended.meta["interrupted"] == number.name
    assert ended.meta["complete"] is True
    assert ended.verdict["exit_code"] == 105
    assert (ended.path / "report.html").exists()
    assert_reconciled(ended)
    assert family
    assert not [pid for pid in family if psutil.pid_exists(pid)]


def test_a_foreign_locustfile_is_interrupted_the_same_way(bench: Bench) -> None:
    path = foreign(
        bench,
        "self.environment.events.request.fire(request_type='X', name='work', response_time=1,"
        " response_length=0, exception=None, context={})",
    )
    process = bench.start(*bench.options(path, "--users", "2"))
    bench.await_line("recording to")
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert ended.totals()["work"].requests > 5


def test_a_second_signal_ends_at_once_and_leaves_a_readable_run(bench: Bench, otaload) -> None:
    bench.targets.write_text("timeouts: { first_byte: 60, total: 60 }\nproduction: []\n")
    process = bench.start(*bench.options("smoke", "--faults", "hang@/updates/check:p=1"))
    bench.await_line("recording to")
    time.sleep(3)
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    bench.await_line("requests in flight may finish")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert time.monotonic() - begun < 10
    assert not [pid for pid in family if psutil.pid_exists(pid)]
    judged = otaload("judge", str(ended.path))
    assert judged.returncode == 105, judged.stdout + judged.stderr


def test_a_signal_before_the_run_begins_leaves_nothing_behind(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    process = bench.start(
        *bench.options("smoke"),
        *("--master", "--expect-workers", "2"),
        *("--master-bind-port", port),
    )
    bench.await_line("the embedded service runs at")
    time.sleep(1)
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    ended = bench.wait(process)

    assert ended.code == 105, ended.output
    assert not list(bench.reports.glob("*"))
    assert family
    assert not [pid for pid in family if psutil.pid_exists(pid)]


def test_test_code_that_raises_ends_with_107_and_its_traceback_in_the_report(
    bench: Bench,
) -> None:
    path = foreign(bench, "raise KeyError('no such device')")
    ended = bench.run(path, "--users", "1", "--run-time", "2")

    assert ended.code == 107, ended.output
    assert "no such device" in (ended.path / "report.html").read_text()


def test_a_run_without_a_single_request_is_no_pass(bench: Bench) -> None:
    ended = bench.run(foreign(bench, "pass"), "--users", "1", "--run-time", "2")

    assert ended.code == 99, ended.output


def test_a_killed_run_is_judged_inconclusive(bench: Bench, otaload) -> None:
    process = bench.start(*bench.options("smoke"))
    bench.await_line("recording to")
    time.sleep(5)
    service = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    ended = bench.wait(process)

    judged = otaload("judge", str(ended.path))
    assert judged.returncode == 91, judged.stdout + judged.stderr
    assert sum(entry.requests for entry in ended.totals().values()) > 0
    partial = otaload("judge", "--partial", str(ended.path))
    assert partial.returncode == 0, partial.stdout + partial.stderr
    # The embedded service notices by itself that its owner is gone.
    assert not psutil.wait_procs(service, timeout=5)[1]


def test_a_run_that_lost_a_worker_is_inconclusive(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    master = bench.start(
        *bench.options("smoke", "--time-scale", "0.2", "--user-scale", "2"),
        *("--master", "--expect-workers", "2", "--master-bind-port", port),
    )
    workers = [
        bench.start(
            *("-f", "locustfiles/smoke.py", "--worker", "--master-port", port), log=f"worker-{n}"
        )
        for n in range(2)
    ]
    bench.await_line("recording to")
    time.sleep(4)
    workers[1].kill()
    ended = bench.wait(master)

    assert ended.code == 91, ended.output
    assert [worker["lost"] for worker in ended.meta["workers"]].count(True) == 1
    assert "lost" in ended.output


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (("--host", "https://api.bundlenudge.com"), {}),
        (("--host", "https://API.BundleNudge.com./v1"), {}),
        ((), {"API_BASE_URL": "https://bundlenudge-api.team.workers.dev"}),
    ],
    ids=["--host", "another spelling", "API_BASE_URL"],
)
def test_production_is_refused_before_anything_is_sent(
    bench: Bench, options: tuple[str, ...], env: dict[str, str]
) -> None:
    bench.targets.write_text(Path("targets.yaml").read_text())
    ended = bench.run("smoke", *options, env=env)

    assert ended.code == 92, ended.output
    assert "is production" in ended.output
    assert "Traceback" not in ended.output
    assert not list(bench.reports.glob("*"))


def test_a_service_that_leads_to_production_is_not_followed(bench: Bench) -> None:
    # The service redirects downloads to the name localhost, which this configuration protects.
    bench.targets.write_text("production: [{ host: localhost }]\n")
    with start(faults="", redirect_downloads="host") as service:
        ended = bench.run(
            "smoke",
            *("--time-scale", "0.2", "--host", service.base_url),
            env={"LOAD_TEST_API_KEY": service.api_key},
        )

    assert ended.code == 92, ended.output
    assert not any(host.startswith("localhost") for host in ended.meta["hosts"])
