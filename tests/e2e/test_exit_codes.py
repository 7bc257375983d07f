"""How a run ends is in its exit code; one that went wrong never looks like one that did not."""

from __future__ import annotations

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
def test_a_signal_to_several_processes_drains_judges_and_ends_with_105(
    bench: Bench, number: signal.Signals
) -> None:
    port = str(free_ports(1)[0])
    extra = ["--processes", "2", "--master-bind-port", port, "--master-port", port]
    process = bench.start(
        *bench.options("smoke", "--time-scale", "0.5", "--faults", "latency:ms=400"), *extra
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


def test_a_run_without_a_single_request_is_no_pass(bench: Bench) -> None:
    ended = bench.run(foreign(bench, "pass"), "--users", "1", "--run-time", "2")

    assert ended.code == 99, ended.output


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
