"""The web UI: a run is started in the form, judged when it ends, and shown on a page."""

from __future__ import annotations

import json
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.e2e.running import Bench, Ended, assert_reconciled, free_ports


class Ui:
    """A Locust with its web UI on a port of its own."""

    def __init__(
        self, bench: Bench, scenario: str, *options: str, env: dict[str, str] | None = None
    ) -> None:
        self.port = free_ports(1)[0]
        arguments = [a for a in bench.options(scenario, *options) if a != "--headless"]
        self.bench = bench
        key = env or {"LOAD_TEST_API_KEY": "a-key"}
        self.process = bench.start(*arguments, "--web-port", str(self.port), env=key)
        self.until(lambda: self.get("/") is not None)

    def get(self, path: str) -> str | None:
        """A page's text; None while the server is not there."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as page:
                return str(page.read().decode())
        except (OSError, ValueError):
            return None

    def swarm(self, **form: str) -> dict[str, Any]:
        """Send the form that starts a run."""
        return self.post("/swarm", **{"user_count": "1", "spawn_rate": "1", **form})

    def post(self, path: str, **form: str) -> dict[str, Any]:
        """Send a form; answers with the JSON that comes back."""
        data = urllib.parse.urlencode(form).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, data=data, timeout=30) as page:
            answer: dict[str, Any] = json.loads(page.read())
        return answer

    def until(self, condition: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, (self.bench.folder / "log").read_text()
            time.sleep(0.1)

    def runs(self) -> list[Ended]:
        """The runs so far, judged ones."""
        return [
            Ended(0, "", path)
            for path in sorted(self.bench.reports.glob("2*"))
            if (path / "report.html").exists()
        ]

    def quit(self) -> Ended:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.bench.wait(self.process)


def test_runs_started_in_the_form_are_judged_one_by_one_and_shown(bench: Bench) -> None:
    ui = Ui(bench, "smoke", "--time-scale", "0.05")
    for count in (1, 2):
        assert ui.swarm()["success"] is True
        ui.until(lambda count=count: len(ui.runs()) == count)
        ui.until(lambda: "Smoke" in (ui.get("/otaload") or ""))
    ended = ui.quit()

    assert ended.code == 0, ended.output
    assert len(ui.runs()) == 2
    for run in ui.runs():
        assert run.meta["ended"] == "finished"
        assert_reconciled(run)


def test_a_run_stopped_in_the_web_ui_is_interrupted(bench: Bench) -> None:
    ui = Ui(bench, "smoke")
    ui.swarm()
    bench.await_line("recording to")
    time.sleep(3)
    assert ui.post("/stop")["success"] is True
    ui.until(lambda: len(ui.runs()) == 1)
    ended = ui.quit()

    assert ended.meta["interrupted"] == "the web UI"
    assert ended.verdict["exit_code"] == 105
    assert ended.code == 105
    assert_reconciled(ended)


def test_a_start_that_cannot_work_is_refused_in_the_form(bench: Bench) -> None:
    bench.targets.write_text("production: [{ host: api.bundlenudge.com }]\n")
    ui = Ui(bench, "smoke")
    refused = [
        ui.swarm(host="https://api.bundlenudge.com"),
        ui.swarm(host=f"http://127.0.0.1:{free_ports(1)[0]}"),
        ui.swarm(time_scale="-1"),
    ]

    assert [answer["success"] for answer in refused] == [False] * 3
    assert "is production" in refused[0]["message"]
    assert "cannot be reached" in refused[1]["message"]
    assert "--time-scale" in refused[2]["message"]
    assert not list(bench.reports.glob("*"))
    ended = ui.quit()
    assert ended.code == 0, ended.output


def test_a_run_that_starts_by_itself_is_judged_and_its_code_is_the_processs(
    bench: Bench,
) -> None:
    options = [option for option in bench.options("smoke") if option != "--headless"]
    web = ("--autostart", "--autoquit", "1", "--web-port", str(free_ports(1)[0]))
    ended = bench.wait(bench.start(*options, "--time-scale", "0.05", *web))
    assert ended.code == 0, ended.output
    assert_reconciled(ended)

    refused = bench.wait(bench.start(*options, "--time-scale", "-1", *web))
    assert refused.code == 104, refused.output


def test_a_master_runs_twice_with_the_same_workers_and_not_at_all_without(bench: Bench) -> None:
    port = str(free_ports(1)[0])
    ui = Ui(
        bench,
        "smoke",
        "--time-scale",
        "0.08",
        "--user-scale",
        "2",
        *("--master", "--master-bind-port", port),
    )
    assert "no worker" in ui.swarm()["message"]
    worker = bench.start(
        *("-f", "locustfiles/smoke.py", "--worker", "--master-port", port), log="worker"
    )
    bench.await_line("1 workers connected")
    for count in (1, 2):
        ui.until(lambda: ui.swarm()["success"], timeout_s=20)
        ui.until(lambda count=count: len(ui.runs()) == count)
    ended = ui.quit()

    assert ended.code == 0, ended.output
    assert worker.wait(20) == 0
    for run in ui.runs():
        assert_reconciled(run)


def test_an_empty_host_in_the_form_means_the_one_that_was_planned(bench: Bench) -> None:
    ui = Ui(bench, "smoke", "--time-scale", "0.05")
    assert ui.swarm(host="")["success"] is True
    ui.until(lambda: len(ui.runs()) == 1)
    ended = ui.quit()

    assert ended.code == 0, ended.output
    assert_reconciled(ended)


def test_the_forms_run_time_is_that_of_its_own_run(bench: Bench) -> None:
    ui = Ui(bench, "health")
    for count, seconds in ((1, "2"), (2, "4s")):
        ui.swarm(run_time=seconds)
        ui.until(lambda count=count: len(ui.runs()) == count)
    ui.quit()

    assert [run.meta["planned"]["duration_s"] for run in ui.runs()] == [2.0, 4.0]


def test_ctrl_c_during_a_run_judges_it_before_leaving(bench: Bench) -> None:
    ui = Ui(bench, "smoke")
    ui.swarm()
    bench.await_line("recording to")
    time.sleep(3)
    ended = ui.quit()

    assert ended.code == 105, ended.output
    assert ended.meta["complete"] is True
    assert_reconciled(ended)


def thresholds(ui: Ui) -> list[dict[str, str]]:
    """The rows of the tab with the thresholds, as Locust's page asks for them."""
    statistics = json.loads(ui.get("/stats/requests") or "{}")
    tables = {table["key"]: table["data"] for table in statistics.get("extended_stats", [])}
    rows = [
        {key: text.replace("\N{NO-BREAK SPACE}", " ") for key, text in row.items()}
        for row in tables.get("thresholds", [])
    ]
    assert [row["name"] for row in rows] == sorted({row["name"] for row in rows})
    return rows


def test_the_tab_tells_how_the_thresholds_stand_and_then_the_verdict(bench: Bench) -> None:
    ui = Ui(bench, "smoke", "--time-scale", "0.2", "--faults", "error@/updates/check:p=1")
    page = ui.get("/") or ""
    assert '"extended_tabs"' in page
    assert '"title": "Thresholds"' in page
    assert thresholds(ui)[0]["value"] == "none has begun yet"

    ui.swarm()
    seen: list[list[dict[str, str]]] = []

    def is_failing() -> bool:
        seen.append(thresholds(ui))
        return len(seen[-1]) == 4 and seen[-1][3]["tier"] == "✗ fail"

    ui.until(is_failing)
    run, *rows = seen[-1]
    assert run["tier"] == "✗ fail"
    assert run["value"].startswith("so far fail (")
    assert [row["metric"] for row in rows] == ["p95", "p99", "error_rate"]
    assert rows[2]["limits"] == "< 1 %, < 5 %, > 10 %"
    assert int(rows[2]["n"]) > 0

    ui.until(lambda: len(ui.runs()) == 1)
    ui.until(lambda: thresholds(ui)[0]["metric"] == "verdict")
    run, *rows = thresholds(ui)
    verdict = ui.runs()[0].verdict
    assert run["tier"] == "✗ fail"
    assert run["value"] == f"{verdict['headline']} The report is at /otaload."
    assert len(rows) == len(verdict["checks"]) == 3
    assert ui.quit().code == 99
