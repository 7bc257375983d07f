"""No secret leaves a run, whatever the service says and the test code raises."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.e2e.foreign import EMBEDDED, asking
from tests.e2e.running import Bench, assert_reconciled
from tests.e2e.stub import Answer, healthy, stub
from tests.e2e.test_web_ui import Ui

KEY = "sk_live_4f9a8b7c6d5e4f3a"
HOOK = "https://127.0.0.1:9/services/T0AB/B0CD/zyxwvut987654321"
TOKEN = "device.token.0a1b2c3d4e5f"
SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS1jZG4"
PASSWORD = "correct-horse"
SECRETS = (KEY, "zyxwvut987654321", TOKEN, SIGNATURE, PASSWORD)
ENVIRONMENT = {"LOAD_TEST_API_KEY": KEY, "SLACK_WEBHOOK_URL": HOOK}

TASK = """\
headers = {"Authorization": "Bearer " + os.environ["LOAD_TEST_API_KEY"]}
        for path in ("/echo", "/register", "/away"):
            with self.client.get(path, headers=headers, catch_response=True) as answer:
                answer.failure(answer.text)
        import logging
        logging.warning("sending to %s", os.environ["SLACK_WEBHOOK_URL"])
        gevent.spawn(self.fail)
        threading.Thread(target=self.fail).start()
        raise ValueError(f"{headers} was not taken by {os.environ['SLACK_WEBHOOK_URL']}")

    def fail(self):
        raise KeyError(os.environ["LOAD_TEST_API_KEY"])
"""
NAMED = """\
@events.request.add_listener
def name(**_):
    events.request.remove_listener(name)
    events.request.fire(
        request_type="X", name="/x?api_key=" + os.environ["LOAD_TEST_API_KEY"], response_time=1,
        response_length=0, exception=RuntimeError(os.environ["SLACK_WEBHOOK_URL"]), context={},
        url="https://ann:%s@host.invalid/x",
    )
"""


def echoing(seen) -> Answer:
    """A service that says too much: the header that it was sent, tokens, signed addresses."""

    def answer(path: str) -> Answer:
        sent = seen()[-1][1].get("authorization", "none")
        told = {"error": f"bad credential {sent}", "accessToken": TOKEN}
        if path == "/away":
            url = f"/cdn?X-Signature={SIGNATURE}&user=1"
            return 302, {"Location": url}, f"https://ann:{PASSWORD}@cdn{url}".encode()
        if path.startswith("/cdn"):
            return 403, {}, f"the signed address {path} was refused".encode()
        return 401, {"Content-Type": "application/json"}, json.dumps(told).encode()

    return answer


def assert_unsaid(texts: Iterable[tuple[str, str]]) -> None:
    """None of these texts, each named, holds a secret."""
    for name, text in texts:
        for secret in SECRETS:
            assert secret not in text, f"{secret} in {name}: …{_around(text, secret)}…"


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 150) : at + 50]


def files_of(folder: Path) -> Iterable[tuple[str, str]]:
    """Every file below a folder but the locustfiles, which hold what they are told to."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts:
            yield str(path), path.read_text(errors="replace")


@pytest.mark.parametrize("where", ["headless", "web UI"])
def test_no_secret_is_told_by_a_run_that_goes_wrong_in_every_way(bench: Bench, where: str) -> None:
    holder: list = []
    with stub(echoing(lambda: holder[0].seen)) as service:
        holder.append(service)
        path = asking(bench, task=TASK, module=NAMED % PASSWORD)
        options = ("--host", service.url, "--csv", str(bench.folder / "table"))
        pages: list[tuple[str, str]] = []
        arguments: list[tuple[str, str]] = []
        if where == "headless":
            process = bench.start(
                *bench.options(path, "--users", "2", "--run-time", "3", *options),
                *("--html", str(bench.folder / "locust.html")),
                env=ENVIRONMENT,
            )
            bench.await_line("recording to")
            arguments = [(str(p), " ".join(p.cmdline())) for p in bench.processes()]
            ended = bench.wait(process)
        else:
            ui = Ui(bench, str(path), *options, env=ENVIRONMENT)
            assert ui.swarm(run_time="3")["success"] is True
            ui.until(lambda: len(ui.runs()) == 1)
            pages = [
                (page, ui.get(page) or "")
                for page in ("/", "/stats/requests", "/exceptions", "/logs", "/otaload")
            ]
            pages.append(("/stats/report", ui.get("/stats/report") or ""))
            ended = ui.quit()
        assert any(KEY in headers.get("authorization", "") for _, headers in service.seen)

    assert ended.code == 107, ended.output
    for page, text in pages:
        assert text
        assert page not in {"/exceptions", "/logs"} or "[redacted]" in text
    assert_unsaid([*files_of(bench.folder), *pages, *arguments])
    assert "[redacted]" in ended.meta["crashes"]["first"]
    causes = {cause for entry in ended.totals().values() for cause in entry.causes}
    assert any(cause.startswith('{"error": "bad credential Bearer [redacted]') for cause in causes)
    bench.assert_no_orphans()


def test_the_tokens_of_devices_are_told_by_nothing(bench: Bench) -> None:
    def answer(path: str) -> Answer:
        body = json.dumps({"accessToken": TOKEN, "expiresAt": 1e12}).encode()
        if path == "/devices/register":
            return 201, {"Content-Type": "application/json"}, body
        return healthy() if path == "/health" else (401, {}, f"no token {TOKEN}".encode())

    # Test code that quotes what it was answered, as a team's own listener may.
    text = (Path("locustfiles") / "smoke.py").read_text() + (
        "\nfrom locust import events\n"
        "@events.request.add_listener\n"
        "def quote(response, **_):\n"
        "    if response is not None and b'no token' in response.content:\n"
        "        raise RuntimeError(response.text)\n"
    )
    path = bench.folder / "smoke_and_more.py"
    path.write_text(text)
    bench.targets.write_text(
        "endpoints: { check: { auth: device_token }, download: { auth: none } }\nproduction: []\n"
    )
    with stub(answer) as service:
        ended = bench.run(path, "--time-scale", "0.05", "--host", service.url, env=ENVIRONMENT)
        assert any(TOKEN in headers.get("authorization", "") for _, headers in service.seen)

    assert ended.code == 107, ended.output
    assert "no token [redacted]" in ended.meta["crashes"]["first"]
    assert_unsaid(files_of(bench.folder))
    bench.assert_no_orphans()


def test_what_users_raise_on_workers_is_told_without_what_those_have_learnt(bench: Bench) -> None:
    path = asking(
        bench,
        on_start=f"secrets_of(self.environment).add_token({TOKEN!r})",
        # And with a letter that fits into no message.
        task=f"raise RuntimeError('no \\udcff token {TOKEN} here')",
        module="from otaload.live.context import secrets_of",
    )
    ended = bench.run(
        *(path, "--users", "2", "--run-time", "4", *EMBEDDED, "--processes", "2"),
        *("--csv", str(bench.folder / "table"), "--html", str(bench.folder / "locust.html")),
    )

    assert ended.code == 107, ended.output
    told = "no ? token [redacted] here"
    assert told in ended.meta["crashes"]["first"]
    assert told in (bench.folder / "table_exceptions.csv").read_text()
    assert_unsaid(files_of(bench.folder))
    assert_reconciled(ended)
    bench.assert_no_orphans()


def test_a_target_that_cannot_be_used_is_told_without_its_password(bench: Bench, otaload) -> None:
    environments = [
        {**ENVIRONMENT, "API_BASE_URL": url}
        for url in (
            f"https://ann:{PASSWORD}@ho st/",
            f"https://host/?token={SIGNATURE}",
            f"ftp://ann:{PASSWORD}@host",
        )
    ]
    # At once: each of them tries for a while to tell Slack.
    started = [
        bench.start(*bench.options("smoke"), env=environment, log=f"log{number}")
        for number, environment in enumerate(environments)
    ]
    for number, (environment, process) in enumerate(zip(environments, started, strict=True)):
        ended = bench.wait(process, f"log{number}")
        checked = otaload("check", env=environment)
        assert ended.code == checked.returncode == 104, ended.output
        assert_unsaid([("the log", ended.output), ("otaload check", checked.stderr)])
