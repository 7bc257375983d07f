"""How a run ends is in its exit code; one that went wrong never looks like one that did not."""

from __future__ import annotations

from pathlib import Path

import pytest

from staging.launch import start
from tests.e2e.foreign import EMBEDDED, asking
from tests.e2e.running import Bench, assert_reconciled

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


def test_a_run_without_a_single_request_is_no_pass(bench: Bench) -> None:
    ended = bench.run(foreign(bench, "pass"), "--users", "1", "--run-time", "2")

    assert ended.code == 99, ended.output


def test_a_shape_of_somebody_elses_ends_when_it_says_so_whatever_the_run_time(
    bench: Bench,
) -> None:
    module = """class Brief(LoadTestShape):
    def tick(self):
        return (2, 2) if self.get_run_time() < 3 else None"""
    ended = bench.run(asking(bench, module=module), *EMBEDDED, "--run-time", "60")

    assert ended.code in {0, 99}, ended.output  # the endpoints of the shipped limits are not asked
    assert (ended.meta["ended"], ended.meta["planned"]["duration_s"]) == ("finished", None)
    assert_reconciled(ended)


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
