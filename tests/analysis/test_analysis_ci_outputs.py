"""What CI systems and Slack are shown: golden files, their rules of escaping, and their limits."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_runs import CHECK, DOWNLOAD, Traffic, constant, normal_traffic, smoke_meta, write_run
from test_analysis_render import failing_run

from analysis import render
from analysis.outputs import judge_directory
from analysis.render.github import MOST_OF_A_KIND
from analysis.render.slack import unjudged
from analysis.verdict import Verdict

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\r\n".join(
    (
        "::error::owned <!channel> <@U1> <https://evil.test|x> & <b>%0A::add-mask::",
        "=cmd|'/C calc'!A0 | `code` **b** <script>alert(\"x\")</script> \x00\x1b[31m\x85\ufffe",
        "::stop-commands::x ##[error]",
    )
)


def hostile_run(parent: Path) -> Path:
    """A run whose every name and text wants to be something else in some format."""
    traffic = {
        HOSTILE: Traffic(3, constant(4000), failures={t: {HOSTILE: 1} for t in range(9)}),
        CHECK: Traffic(3),
    }
    meta = smoke_meta(scenario=HOSTILE, title=HOSTILE, notes=[HOSTILE], faults=[HOSTILE])
    meta |= {"exercises": None, "target": {"kind": HOSTILE}}
    written = write_run(parent, traffic, meta=meta | {"scenario": "smoke"})
    content = json.loads((written / "run.json").read_text())
    (written / "run.json").write_text(json.dumps(content | {"scenario": HOSTILE}))
    return written


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("slack.json", lambda verdict: render.slack(verdict, link="https://ci.test/jobs/1")),
        ("annotations.txt", render.github),
    ],
)
def test_the_outputs_equal_the_golden_files(tmp_path, name, draw):
    shown = draw(judge_directory(failing_run(tmp_path)))
    if os.environ.get("OTALOAD_WRITE_GOLDEN"):  # to be read before it is committed
        (GOLDEN / name).write_text(shown)
    assert shown == (GOLDEN / name).read_text()


def many_bad_checks(tmp_path) -> Verdict:
    """A verdict with 40 failing checks."""
    traffic = {f"/endpoint/number/{i}": Traffic(1, constant(3000)) for i in range(40)}
    rows = "".join(f"  {name}: {{p95: {{pass: 1 s, fail: 2 s}}}}\n" for name in traffic)
    path = write_run(
        tmp_path, traffic, meta=smoke_meta(exercises=None), thresholds=f"endpoints:\n{rows}"
    )
    return judge_directory(path)


# Slack


def texts_of(message: dict) -> list[dict]:
    """The text objects of a message's blocks."""
    found = []
    for block in message["blocks"]:
        found += [block["text"]] if "text" in block else []
        found += block.get("elements", [])
    return found


def test_slack_is_told_the_verdict_and_the_checks_that_do_not_pass(tmp_path):
    message = json.loads(render.slack(judge_directory(failing_run(tmp_path))))
    shown = "\n".join(text["text"] for text in texts_of(message))
    assert message["text"].startswith("❌ smoke: Failed: p95 of /devices/register: no traffic")
    assert "❌ p95 of /updates/check is 2500 ms: above the fail limit of 2000 ms" in shown
    assert "⚠️ p99 of all requests is 2499 ms" in shown
    assert "✅" not in shown  # what passes is not news
    assert "exit code 99: a threshold failed" in shown


def test_nothing_in_a_slack_message_mentions_links_or_formats(tmp_path):
    message = json.loads(render.slack(judge_directory(hostile_run(tmp_path))))
    for text in texts_of(message):
        assert text["type"] == "plain_text"
        assert text["emoji"] is False
    for shown in (message["text"], *(text["text"] for text in texts_of(message))):
        assert "<" not in shown
        assert ">" not in shown
        assert re.sub(r"&(amp|lt|gt);", "", shown).count("&") == 0
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x85]", shown)
    assert message["mrkdwn"] is False
    assert "&lt;!channel&gt;" in message["text"]


def test_a_slack_message_keeps_to_slacks_limits(tmp_path):
    verdict = many_bad_checks(tmp_path)
    verdict = replace(verdict, headline="&" * 9000, scenario="<" * 500, faults=("é" * 5000,))
    message = json.loads(render.slack(verdict))
    assert len(message["text"]) <= 4000
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        longest = 150 if block["type"] == "header" else 3000
        for text in (block.get("text"), *block.get("elements", [])):
            if text is not None:
                assert 1 <= len(text["text"]) <= longest
                assert not re.search(r"&[a-z]*(?![a-z;])", text["text"])  # no half an entity
    shown = "\n".join(text["text"] for text in texts_of(message))
    assert "and 30 more checks that do not pass" in shown


def test_a_rehearsal_is_marked_in_the_first_line_of_a_slack_message(tmp_path):
    meta = smoke_meta(rehearsal={"time_scale": 0.1, "user_scale": 1})
    message = json.loads(render.slack(judge_directory(write_run(tmp_path, meta=meta))))
    assert message["blocks"][0]["text"]["text"] == "✅ smoke: pass (rehearsal)"


def test_a_run_without_a_verdict_is_told_as_one():
    message = json.loads(unjudged("a-run", "<!here> run.json is missing"))
    assert message["text"] == "❔ a-run: could not be judged: &lt;!here&gt; run.json is missing"


# GitHub


COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)")


def test_every_annotation_is_one_command_whatever_is_in_the_names(tmp_path):
    for path in (failing_run(tmp_path), hostile_run(tmp_path)):
        shown = render.github(judge_directory(path))
        assert shown.endswith("\n")
        for line in shown[:-1].split("\n"):
            assert COMMAND.fullmatch(line), line
    assert "%250A::add-mask::" in shown  # the percent sign of a name is no escape
    assert "title=otaload %3A%3Aerror%3A%3Aowned" in shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x85]", shown)


def test_annotations_tell_fails_as_errors_and_warnings_as_warnings(tmp_path):
    lines = render.github(judge_directory(failing_run(tmp_path))).splitlines()
    kinds = [COMMAND.fullmatch(line)[1] for line in lines]
    assert kinds == ["error"] * 4 + ["warning"] * 3 + ["notice"]
    assert "Failed: p95 of /devices/register" in lines[0]


def test_annotations_of_a_kind_are_as_many_as_github_keeps(tmp_path):
    lines = render.github(many_bad_checks(tmp_path)).splitlines()
    assert len(lines) == MOST_OF_A_KIND
    assert lines[-1].endswith("::and 31 more findings; summary.md has them all")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "notice"),
        ({"interrupted": "SIGTERM"}, "error"),
        ({"complete": False}, "error"),
        ({"crashes": {"count": 1, "first": "Traceback"}}, "error"),
    ],
)
def test_the_first_annotation_is_as_grave_as_the_verdict(tmp_path, changes, kind):
    path = write_run(tmp_path, meta=smoke_meta(**changes))
    verdict = judge_directory(path)
    first = render.github(verdict).splitlines()[0]
    assert first.startswith(f"::{kind} title=otaload smoke::{verdict.headline[:12]}")


def test_a_warning_is_annotated_as_one(tmp_path):
    path = write_run(tmp_path, {**normal_traffic(), CHECK: Traffic(7, constant(600))})
    lines = render.github(judge_directory(path)).splitlines()
    assert {COMMAND.fullmatch(line)[1] for line in lines} == {"warning"}


def test_the_summary_shows_hostile_names_as_they_are(tmp_path):
    shown = render.markdown(judge_directory(hostile_run(tmp_path)))
    assert not re.search(r"(?<!\\)[<>`]", shown)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x85]", shown)
    rows = [line for line in shown.splitlines() if line.startswith("| ") and DOWNLOAD not in line]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 2  # checks, endpoints
