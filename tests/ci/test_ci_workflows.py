"""The workflows parse, name what exists, keep secrets to themselves, and tell Slack once."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otaload.cli import EXIT_CODES, SCENARIOS, build_parser
from tests.ci.webhook import Answer, webhook

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
NAMES = ("ci", "load-test")
SECRETS = {
    "API_BASE_URL",
    "LOAD_TEST_API_KEY",
    "LOAD_TEST_APP_ID",
    "LOAD_TEST_RELEASE_ID",
    "SLACK_WEBHOOK_URL",
}


class _Loader(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a word, not a truth value; a key stands once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in pairs if not tag.endswith(":bool")]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), ["t", "f"])


def workflow(name: str) -> dict[str, Any]:
    """A workflow as GitHub reads it."""
    return yaml.load((FOLDER / f"{name}.yml").read_text(), _Loader)  # noqa: S506 -- a safe loader


def steps(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of a workflow with the job it belongs to."""
    for job, content in workflow(name)["jobs"].items():
        for step in content["steps"]:
            yield job, step


def commands(script: str) -> list[str]:
    """The lines of a script that begin with one of the project's own programs."""
    lines = [line.strip().removeprefix("exec ") for line in script.splitlines()]
    return [line for line in lines if line.startswith(("make ", ".venv/", "python ", "./"))]


def test_there_is_no_workflow_that_nobody_checks() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_does_one_thing_and_every_job_ends(name: str) -> None:
    for job, step in steps(name):
        assert ("uses" in step) != ("run" in step), (job, step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    for job, content in workflow(name)["jobs"].items():
        assert content["timeout-minutes"] <= 600, job
        assert set(content.get("needs", ())) <= set(workflow(name)["jobs"])


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_that_are_named_exist(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+(?: [a-z]+)*):", makefile, re.MULTILINE))
    known = {word for names in targets for word in names.split()}
    help_text = build_parser().format_help()
    found = [command for _, step in steps(name) for command in commands(step.get("run", ""))]
    assert found
    for command in found:
        program, *arguments = shlex.split(command)
        if program == "make":
            assert arguments[0] in known, command
        else:
            assert program == ".venv/bin/otaload", command
            assert f"\n    {arguments[0]} " in help_text, command


@pytest.mark.parametrize("name", NAMES)
def test_the_files_that_are_named_exist(name: str) -> None:
    text = (FOLDER / f"{name}.yml").read_text()
    for hashed in re.findall(r"hashFiles\(([^)]*)\)", text):
        for path in re.findall(r"'([^']+)'", hashed):
            assert (ROOT / path).is_file(), path
    for path in re.findall(r"docs/[\w./-]+\.md", text):
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("name", NAMES)
def test_only_known_secrets_are_read_and_none_reaches_a_command_line(name: str) -> None:
    text = (FOLDER / f"{name}.yml").read_text()
    assert set(re.findall(r"secrets\.(\w+)", text)) <= SECRETS
    for _, step in steps(name):
        # Expressions in a script are pasted into it: whoever names a branch would write it.
        assert "${{" not in step.get("run", "")
    assert workflow(name)["permissions"] == {"contents": "read"}


def test_the_load_test_takes_every_scenario_but_the_endless_one() -> None:
    inputs = workflow("load-test")["on"]["workflow_dispatch"]["inputs"]
    assert set(inputs["test_type"]["options"]) == set(SCENARIOS) - {"health"}
    assert inputs["test_type"]["type"] == "choice"


def test_the_load_test_is_a_smoke_on_merges_and_a_load_every_week() -> None:
    content = workflow("load-test")
    assert content["on"]["push"] == {"branches": ["main"]}
    minute, hour, day, month, weekday = content["on"]["schedule"][0]["cron"].split()
    assert (day, month) == ("*", "*")
    assert all(field.isdigit() for field in (minute, hour, weekday))
    chosen = content["jobs"]["load-test"]["env"]["TEST_TYPE"]
    assert "github.event_name == 'schedule' && 'load'" in chosen
    assert chosen.endswith("|| 'smoke' }}")


def test_the_run_gets_every_secret_and_is_kept_whatever_becomes_of_it() -> None:
    by_name = {step["name"]: step for _, step in steps("load-test") if "name" in step}
    assert set(by_name["Run"]["env"]) == SECRETS
    assert by_name["Keep the run"]["if"] == "always()"
    assert (ROOT / by_name["Keep the run"]["with"]["path"]).is_dir()


def test_the_options_of_a_run_are_those_that_it_reads() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    names = workflow("load-test")["jobs"]["load-test"]["env"]
    read = [name for name in names if name.startswith("OTALOAD_")]
    assert read
    assert [name for name in read if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("scale", "code"), [("1", 104), ("0.7", 104), ("0.65", 0), ("0.1", 0), ("nonsense", 0)]
)
def test_a_soak_beyond_a_hosted_runners_hours_is_refused(scale: str, code: int) -> None:
    (script,) = (step["run"] for _, step in steps("load-test") if "awk" in step.get("run", ""))
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        env={"PATH": os.environ["PATH"], "OTALOAD_TIME_SCALE": scale},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("::error::") == (code != 0)


# The one message about all jobs

JOBS = ("lint", "typecheck", "test", "security")


def test_the_checks_run_side_by_side_and_one_message_waits_for_all() -> None:
    jobs = workflow("ci")["jobs"]
    assert set(jobs) == {*JOBS, "notify"}
    assert [name for name in JOBS if "needs" in jobs[name]] == []
    assert jobs["notify"]["needs"] == list(JOBS)
    assert "always()" in jobs["notify"]["if"]
    cached = [
        any(step.get("uses", "").startswith("actions/cache@") for step in jobs[name]["steps"])
        for name in JOBS
    ]
    assert all(cached)


def notify(folder: Path, url: str, **results: str) -> subprocess.CompletedProcess[str]:
    """Run the script that tells Slack of the checks, in a folder of its own."""
    (script,) = (step["run"] for job, step in steps("ci") if job == "notify")
    needs = {job: {"result": results.get(job, "success"), "outputs": {}} for job in JOBS}
    return tell(folder, script, url, NEEDS=json.dumps(needs), COMMIT="0123456789abcdef")


def tell(
    folder: Path, script: str, url: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of a step as GitHub does."""
    for program in ("jq", "curl", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; hosted runners have it")
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            **environment,
            "SLACK_WEBHOOK_URL": url,
            "RUN_URL": "https://github.test/o/r/actions/runs/1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_one_message_tells_of_every_job(tmp_path: Path) -> None:
    with webhook() as hook:
        done = notify(tmp_path, hook.url, test="failure", security="cancelled")

    assert done.returncode == 0, done.stderr
    (body,) = hook.bodies
    assert json.loads(body)["text"].splitlines() == [
        "ci ❌ did not pass: 0123456",
        "✅ lint: success",
        "✅ typecheck: success",
        "❌ test: failure",
        "❌ security: cancelled",
        "https://github.test/o/r/actions/runs/1",
    ]
    assert not (tmp_path / "address").exists()


def test_only_successes_are_told_as_passed(tmp_path: Path) -> None:
    with webhook() as hook:
        notify(tmp_path, hook.url)

    assert json.loads(hook.bodies[0])["text"].startswith("ci ✅ passed: 0123456")


def test_a_message_that_does_not_get_through_fails_no_job_and_tells_no_secret(
    tmp_path: Path,
) -> None:
    with webhook(Answer(403, b"invalid_token")) as hook:
        done = notify(tmp_path, hook.url)

    assert done.returncode == 0
    assert "::warning::The message did not reach Slack." in done.stdout
    assert "not-to-be-told" not in done.stdout + done.stderr
    assert not (tmp_path / "address").exists()


def test_a_load_test_that_is_not_come_to_is_told_and_one_that_is_tells_itself(
    tmp_path: Path,
) -> None:
    by_name = {step["name"]: step for _, step in steps("load-test") if "name" in step}
    step = by_name["Tell Slack that there was no run"]
    assert step["if"] == f"failure() && steps.{by_name['Run']['id']}.outcome == 'skipped'"
    assert set(step["env"]) == {"SLACK_WEBHOOK_URL", "RUN_URL"}
    with webhook() as hook:
        done = tell(tmp_path, step["run"], hook.url, TEST_TYPE="soak")
        unset = tell(tmp_path, step["run"], "", TEST_TYPE="soak")

    assert (done.returncode, unset.returncode) == (0, 0), done.stderr
    (body,) = hook.bodies
    assert json.loads(body)["text"].splitlines() == [
        "❔ soak: was not started: a step before it failed",
        "https://github.test/o/r/actions/runs/1",
    ]
    assert "nobody is told" in unset.stdout
    assert not (tmp_path / "address").exists()


def test_without_a_webhook_nothing_is_sent_and_it_is_said(tmp_path: Path) -> None:
    done = notify(tmp_path, "")

    assert done.returncode == 0
    assert "nobody is told" in done.stdout


# The examples of docs/ci.md


def test_the_example_for_gitlab_parses_and_names_what_a_run_leaves() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    job = yaml.safe_load(block)["load-test"]
    assert job["artifacts"]["reports"] == {"junit": "junit.xml", "metrics": "metrics.txt"}
    for command in commands("\n".join(job["script"])):
        program = shlex.split(command)[0]
        assert program in ("make", ".venv/bin/otaload")


def test_the_exit_codes_of_the_page_are_those_of_the_program() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    part = page[page.index("## Exit codes") : page.index("## Files")]
    listed = set(re.findall(r"^\| (\d+) \|", part, re.MULTILINE))
    assert listed == set(re.findall(r"(?<![\w.])(\d+)(?= [a-z])", EXIT_CODES))


def test_every_metric_is_documented_and_no_other() -> None:
    golden = (ROOT / "tests" / "analysis" / "golden" / "metrics.txt").read_text()
    page = (ROOT / "docs" / "ci.md").read_text()
    written = set(re.findall(r"^# TYPE (\w+)", golden, re.MULTILINE))
    assert set(re.findall(r"`(otaload_\w+)`", page)) == written
