"""Every way by which load could get to production, or a key to a stranger, is closed.

An address of loopback, 127.0.0.2, stands for production.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.running import Bench
from tests.e2e.stub import offering, redirecting, stub
from tests.e2e.test_web_ui import Ui

PRODUCTION = "127.0.0.2"
GUARDED = f"production: [{{ host: {PRODUCTION} }}]\n"
KEY = {"LOAD_TEST_API_KEY": "sk-of-the-service"}

THEIRS = """\
import otaload.plugin
from locust import {client}, constant, task


class Visitor({client}):
    wait_time = constant(0.1)
    host = {host!r}

    @task
    def visit(self):
        self.client.get({path!r}, name="visit")
"""


def theirs(bench: Bench, client: str, host: str, path: str = "/") -> Path:
    """A locustfile with a host of its own."""
    file = bench.folder / "theirs.py"
    text = THEIRS.format(client=client, host=host, path=path)
    if client == "LeanHttpUser":
        text = text.replace(
            "from locust import LeanHttpUser, constant, task",
            "from locust import constant, task\nfrom otaload.http import LeanHttpUser",
        )
    file.write_text(text)
    return file


def test_health_started_together_with_another_scenario_is_refused(bench: Bench) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production:
        ended = bench.run(
            "locustfiles/health.py,locustfiles/smoke.py",
            *("--host", production.url, "--run-time", "3"),
        )

    assert ended.code == 104, ended.output
    assert production.seen == []


def test_health_with_many_users_is_refused_on_production_and_behind_a_redirect(
    bench: Bench,
) -> None:
    bench.targets.write_text(GUARDED)
    many = ("--user-scale", "20", "--run-time", "4")
    with stub(host=PRODUCTION) as production, stub(redirecting(production.url)) as staging:
        direct = bench.run("health", "--host", production.url, *many)
        behind = bench.run("health", "--host", staging.url, *many)

    assert (direct.code, behind.code) == (92, 92), behind.output
    assert production.seen == []


def test_health_alone_may_ask_production_once(bench: Bench) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production:
        ended = bench.run("health", "--host", production.url, "--run-time", "3")

    assert ended.code == 0, ended.output
    assert [path for path, _ in production.seen] == ["/health"]


@pytest.mark.parametrize("way", ["a redirect", "an absolute URL"])
def test_a_lean_user_of_a_foreign_locustfile_does_not_follow_to_production(
    bench: Bench, way: str
) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production, stub(redirecting(production.url)) as staging:
        path = "/" if way == "a redirect" else f"{production.url}/x"
        file = theirs(bench, "LeanHttpUser", staging.url, path)
        ended = bench.run(file, "--users", "2", "--run-time", "5")

    assert ended.code == 92, ended.output
    assert production.seen == []
    assert ended.verdict["exit_code"] == 92
    assert ended.verdict["headline"].startswith("Refused after ")
    assert "an answer of the service leads to" in ended.verdict["headline"]
    assert "Exit code 92: refused" in ended.output
    assert ended.meta["production_hosts"] == []
    assert "no production host was contacted" in (ended.path / "report.html").read_text()
    assert ended.meta["crashes"]["count"] == 0


def test_locusts_own_client_is_stopped_as_soon_as_it_has_been_to_production(
    bench: Bench,
) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production, stub() as staging:
        file = theirs(bench, "FastHttpUser", staging.url, f"{production.url}/x")
        ended = bench.run(file, "--users", "1", "--run-time", "10")

    assert ended.code == 92, ended.output
    assert 0 < len(production.seen) < 5
    assert ended.meta["production_hosts"] == [production.url.removeprefix("http://")]
    assert "a production host was contacted" in (ended.path / "report.html").read_text()


@pytest.mark.parametrize("client", ["FastHttpUser", "HttpUser"])
def test_locusts_own_client_is_stopped_after_it_was_redirected_to_production(
    bench: Bench, client: str
) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production, stub(redirecting(production.url)) as staging:
        file = theirs(bench, client, staging.url)
        ended = bench.run(file, "--users", "1", "--run-time", "10")

    assert ended.code == 92, ended.output
    assert 0 < len(production.seen) < 5
    assert ended.meta["production_hosts"] == [production.url.removeprefix("http://")]
    assert "a production host was contacted" in (ended.path / "report.html").read_text()


def test_a_worker_tells_the_master_which_production_host_was_contacted(bench: Bench) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production, stub(redirecting(production.url)) as staging:
        file = theirs(bench, "FastHttpUser", staging.url)
        ended = bench.run(file, "--users", "2", "--run-time", "20", "--processes", "2")

    assert ended.code == 92, ended.output
    assert ended.meta["production_hosts"] == [production.url.removeprefix("http://")]


def test_several_scenarios_at_once_are_refused(bench: Bench) -> None:
    ended = bench.run("locustfiles/spike.py,locustfiles/load.py")

    assert ended.code == 104, ended.output
    assert "one at a time" in ended.output


def test_a_user_class_that_names_production_is_refused(bench: Bench) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production:
        file = theirs(bench, "HttpUser", production.url)
        ended = bench.run(file, "--users", "1", "--run-time", "3")

    assert ended.code == 92, ended.output
    assert production.seen == []
    assert not list(bench.reports.glob("*"))


def test_the_class_picker_is_refused(bench: Bench) -> None:
    process = bench.start(
        *[option for option in bench.options("smoke") if option != "--headless"],
        "--class-picker",
    )
    ended = bench.wait(process)

    assert ended.code == 104, ended.output
    assert "--class-picker" in ended.output


def test_the_host_cannot_be_changed_while_a_run_is_under_way(bench: Bench) -> None:
    bench.targets.write_text(GUARDED)
    with stub(host=PRODUCTION) as production, stub() as staging:
        ui = Ui(bench, str(theirs(bench, "FastHttpUser", staging.url)))
        assert ui.swarm(host=staging.url)["success"] is True
        ui.until(lambda: len(staging.seen) > 0)
        refused = ui.swarm(host=production.url, user_count="5")
        more = ui.swarm(host=staging.url, user_count="2")
        ui.quit()

    assert refused["success"] is False
    assert "stop it" in refused["message"]
    assert more["success"] is True
    assert production.seen == []


def test_a_profile_cannot_be_edited_while_it_runs(bench: Bench) -> None:
    ui = Ui(bench, "smoke")
    ui.swarm()
    bench.await_line("recording to")
    answer = ui.swarm()
    ui.quit()

    assert answer["success"] is False


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_a_bundle_elsewhere_is_fetched_without_key_and_device(bench: Bench, scheme: str) -> None:
    with stub() as other, stub(offering(other.url.replace("http", scheme) + "/b.js")) as service:
        ended = bench.run("smoke", "--time-scale", "0.05", "--host", service.url, env=KEY)

    assert other.seen, ended.output
    for _, headers in other.seen:
        assert "authorization" not in headers
        assert "x-device-id" not in headers


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/b", "http://127.0.0.1:99999/b", "http://[x/y", "http://u:p@h/b", "b.js"],
)
def test_a_bundle_url_that_cannot_be_one_is_a_failed_check(bench: Bench, url: str) -> None:
    with stub(offering(url)) as service:
        ended = bench.run("smoke", "--time-scale", "0.05", "--host", service.url, env=KEY)

    assert ended.code == 99, ended.output
    assert ended.meta["crashes"]["count"] == 0
    causes = ended.totals()["/updates/check"].causes
    assert list(causes) == ["shape: release.bundleUrl is not an http URL"]


def test_a_missing_key_is_told_before_the_load_starts(bench: Bench) -> None:
    with stub() as service:
        ended = bench.run("smoke", "--host", service.url)

    assert ended.code == 104, ended.output
    assert "LOAD_TEST_API_KEY" in ended.output
    assert service.seen == []


def test_another_locustfile_cannot_be_slipped_into_otaload_run(otaload) -> None:
    done = otaload("run", "smoke", "-f", "other.py")

    assert done.returncode == 104
    assert "-f" in done.stderr


@pytest.mark.parametrize("hook", ["os:no_such_function", "no.such.module:f", "nonsense"])
def test_a_verify_hook_that_cannot_be_loaded_is_told_before_the_load(
    bench: Bench, hook: str
) -> None:
    bench.targets.write_text(
        f"endpoints: {{ download: {{ verify_hook: '{hook}' }} }}\nproduction: []\n"
    )
    ended = bench.run("smoke", "--time-scale", "0.05")

    assert ended.code == 104, ended.output
    assert "Traceback" not in ended.output
    assert not list(bench.reports.glob("*"))
