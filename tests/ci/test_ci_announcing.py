"""Where a verdict was expected and there is none, that is told, too; and what names the job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otaload import cli
from otaload.announcing import guarded
from otaload.ci_job import job_url
from otaload.errors import ConfigurationError
from tests.analysis.synthetic_runs import write_run
from tests.ci.webhook import webhook


def test_a_judge_that_breaks_is_told_and_breaks_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("of http://127.0.0.1/secret")

    monkeypatch.setattr(cli, "_judged", broken)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with webhook() as hook:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", hook.url)
        with pytest.raises(ZeroDivisionError):
            cli.main(["judge", "some-run", "--notify"])

    told = "some-run could not be judged: the judge itself broke (ZeroDivisionError)"
    assert capsys.readouterr().out == f"::error title=otaload::{told}\n"
    assert json.loads(hook.bodies[0])["text"] == f"❔ {told.replace(' could', ': could')}"


def test_why_there_is_no_verdict_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk_live_0123456789"

    def broken(*arguments: object, **options: object) -> None:
        raise ConfigurationError(f"{key}: no such thing; https://me:word@h is none either")

    monkeypatch.setattr(cli, "_judged", broken)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("LOAD_TEST_API_KEY", key)
    with webhook() as hook:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", hook.url)
        assert cli.main(["judge", f"run-{key}", "--notify"]) == 104

    told = capsys.readouterr()
    for text in (told.out, told.err, hook.bodies[0].decode()):
        assert "no such thing" in text
        assert key not in text
        assert "me:word" not in text


def test_a_scenario_that_there_is_not_is_told_to_those_who_wait_for_its_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with webhook() as hook:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", hook.url)
        assert cli.main(["run", "smokey"]) == 104
        assert cli.main(["run", "smokey", "--ui"]) == 104

    assert capsys.readouterr().out.startswith(
        "::error title=otaload::smokey was not started: smokey: no such scenario"
    )
    (body,) = hook.bodies
    assert json.loads(body)["text"].startswith("❔ smokey: was not started: smokey: no such")


def test_the_message_links_to_the_job_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path)
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.test/o/r/-/jobs/7?a=1&b=2")
    with webhook() as hook:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", hook.url)
        assert cli.main(["judge", str(path), "--notify"]) == 0

    texts = [block.get("text", {}) for block in json.loads(hook.bodies[0])["blocks"]]
    (link,) = [text["text"] for text in texts if text.get("type") == "mrkdwn"]
    assert link.startswith("<https://gitlab.test/o/r/-/jobs/7?a=1&amp;b=2|")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, ""),
        ({"CI_JOB_URL": "javascript:alert(1)"}, ""),
        ({"BUILD_URL": "https://jenkins.test/7/"}, "https://jenkins.test/7/"),
        ({"GITHUB_SERVER_URL": "https://github.test", "GITHUB_REPOSITORY": "o/r"}, ""),
        (
            {
                "GITHUB_SERVER_URL": "https://github.test",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "7",
            },
            "https://github.test/o/r/actions/runs/7",
        ),
    ],
)
def test_the_job_is_named_by_what_ci_systems_set(environment: dict[str, str], url: str) -> None:
    assert job_url(environment) == url


def test_a_log_is_guarded_in_a_workflow_only_and_by_another_word_each_time() -> None:
    text = "  ::add-mask::x\n"
    assert guarded(text, {}) == text
    first, second = (guarded(text, {"GITHUB_ACTIONS": "true"}).splitlines() for _ in range(2))
    token = first[0].removeprefix("::stop-commands::")
    assert first == [f"::stop-commands::{token}", "  ::add-mask::x", f"::{token}::"]
    assert first != second
