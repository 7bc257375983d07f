"""What CI systems and Slack are shown: golden files, their rules of escaping, and their limits."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from synthetic_runs import (
    CHECK,
    DOWNLOAD,
    PROJECT,
    START_S,
    Traffic,
    constant,
    lognormal,
    normal_traffic,
    smoke_meta,
    write_run,
)
from test_analysis_render import failing_run

from analysis import render
from analysis.judge import judge
from analysis.outputs import judge_directory, report_directory, thresholds_for
from analysis.quantities import printable
from analysis.render.github import MOST_OF_A_KIND
from analysis.render.slack import unjudged
from analysis.render.summary import escape
from analysis.runs import load_run
from analysis.verdict import Verdict
from analysis.windows import BUCKET_VALUES_MS
from bench.soak_run import write_soak
from otaload.record import Window, window_from_json

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


def test_the_files_that_need_the_run_equal_the_golden_ones(tmp_path):
    run = load_run(failing_run(tmp_path / "failing"))
    meta = smoke_meta(planned={"users_max": 10, "duration_s": 3.0}, end=START_S + 3.25)
    traffic = {
        CHECK: Traffic(7),
        DOWNLOAD: Traffic(2, constant(180.5), method="GET"),
        HOSTILE: Traffic(1, failures={1: {"no answer": 2}}),
    }
    short = load_run(write_run(tmp_path / "short", traffic, duration_s=3, meta=meta))
    for name, shown in (
        ("metrics.txt", render.openmetrics(run, judge(run, thresholds_for(run.path)))),
        ("windows.csv", render.windows_csv(short)),
    ):
        if os.environ.get("OTALOAD_WRITE_GOLDEN"):  # to be read before it is committed
            (GOLDEN / name).write_bytes(shown.encode())
        assert shown.encode() == (GOLDEN / name).read_bytes()


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
    message = json.loads(unjudged("a-run", "could not be judged", "<!here> run.json is missing"))
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


def tokens_of(shown: str) -> list:
    """What a reader of GitHub's Markdown makes of a text, inline elements among it."""
    found = MarkdownIt("gfm-like").parse(shown)
    return [*found, *(child for token in found for child in token.children or ())]


def test_the_summary_shows_hostile_names_as_they_are(tmp_path):
    tokens = tokens_of(render.markdown(judge_directory(hostile_run(tmp_path))))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds == {
        *("heading", "paragraph", "inline", "text", "hardbreak"),
        *("table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item"),
    }
    cells = [token.content for token in tokens if token.type == "inline"]
    assert not any(re.search(r"[\x00-\x09\x0b-\x1f\x85]", cell) for cell in cells)


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="a1 .-=+*_`~|<>[]()!#&;:/\\\r\n\t\x00$@{}'\"w", max_size=12)
    | st.sampled_from(["https://a.test", "www.a.test", "a@b.test", "- x", "12. x", "===", "&amp;"])
)
def test_any_text_is_shown_as_it_is_by_markdown(content):
    shown = f"{escape(content)}\n"
    (paragraph,) = [t for t in MarkdownIt("gfm-like").parse(shown) if t.type == "inline"] or [None]
    parts = [] if paragraph is None else paragraph.children
    assert "".join(part.content for part in parts) == printable(content)
    assert {part.type for part in parts} <= {"text"}


# OpenMetrics


def families_of(path: Path) -> dict:
    """The metrics of a run as a parser of the format reads them, by name."""
    run = load_run(path)
    shown = render.openmetrics(run, judge(run, thresholds_for(path)))
    return {family.name: family for family in text_string_to_metric_families(shown)}


def value_of(families: dict, family: str, name: str = "", **labels: str) -> float:
    """The one sample with these labels."""
    (found,) = (
        sample.value
        for sample in families[family].samples
        if sample.name == (name or family) and labels.items() <= sample.labels.items()
    )
    return found


def test_a_parser_reads_verdict_checks_and_totals(tmp_path):
    path = failing_run(tmp_path)
    families, verdict = families_of(path), judge_directory(path)
    assert value_of(families, "otaload_outcome", otaload_outcome="fail") == 1
    assert value_of(families, "otaload_outcome", otaload_outcome="pass") == 0
    assert value_of(families, "otaload_tier", otaload_tier="fail") == 1
    assert value_of(families, "otaload_exit_code") == 99
    p95 = {"endpoint": CHECK, "metric": "p95"}
    assert value_of(families, "otaload_check_value_seconds", **p95) == 2.5
    assert value_of(families, "otaload_check_limit_seconds", **p95, limit="fail") == 2
    assert value_of(families, "otaload_check_tier", **p95, otaload_check_tier="fail") == 1
    assert value_of(families, "otaload_check_proven", **p95) == 1
    rate = value_of(families, "otaload_check_value_ratio", metric="error_rate")
    assert rate == pytest.approx(1 / 541)
    for family, total in (("requests", verdict.requests), ("failures", verdict.failures)):
        samples = families[f"otaload_{family}"].samples
        assert sum(sample.value for sample in samples) == total
    assert {family.unit for name, family in families.items() if name.endswith("seconds")} == {
        "seconds"
    }
    assert all(family.documentation for family in families.values())


def test_what_was_not_measured_has_no_sample(tmp_path):
    samples = families_of(failing_run(tmp_path))["otaload_check_value_seconds"].samples
    assert not [s for s in samples if s.labels["endpoint"] == "/devices/register"]
    assert all(math.isfinite(s.value) for s in samples)
    assert "otaload_requests" not in families_of(write_run(tmp_path / "empty", {}))


def test_the_histogram_of_latencies_counts_every_success_below_each_bound(tmp_path):
    path = write_run(tmp_path, {CHECK: Traffic(30, lognormal(300, 0.8), error_ratio=0.05)})
    families = families_of(path)
    histogram = "otaload_request_duration_seconds"
    merged = load_run(path).windows.histogram()
    buckets = [
        (float(s.labels["le"]), s.value)
        for s in families[histogram].samples
        if s.name.endswith("_bucket")
    ]
    assert [bound for bound, _ in buckets] == sorted(bound for bound, _ in buckets)
    for bound_s, n in buckets[:-1]:
        exact = merged.n * sum(
            count for i, count in merged.counts.items() if BUCKET_VALUES_MS[i] <= bound_s * 1000
        )
        assert n == pytest.approx(exact / merged.n, abs=merged.n * 0.02)
    assert buckets[-1] == (math.inf, merged.n)
    assert value_of(families, histogram, f"{histogram}_count") == merged.n
    total_s = value_of(families, histogram, f"{histogram}_sum")
    assert total_s == pytest.approx(merged.sum_us / 1e6)
    (p95_ms,) = (row.figures.p95_ms for row in judge_directory(path).endpoints)
    p95_s = value_of(families, "otaload_latency_seconds", percentile="95")
    assert p95_s == pytest.approx(p95_ms / 1000)


def test_a_latency_at_a_bound_is_counted_below_it(tmp_path):
    families = families_of(write_run(tmp_path, {CHECK: Traffic(3, constant(500))}))
    histogram = "otaload_request_duration_seconds"
    assert value_of(families, histogram, f"{histogram}_bucket", le="0.5") == 180
    assert value_of(families, histogram, f"{histogram}_bucket", le="0.25") == 0


def test_hostile_names_stay_labels_of_one_series_each(tmp_path):
    names = [HOSTILE, 'a"b\\c\nd', "twin\x00", "twin\x01", "tab\there", 'le="1"} 7 # EOF']
    path = write_run(
        tmp_path, {name: Traffic(2) for name in names}, meta=smoke_meta(exercises=None)
    )
    samples = families_of(path)["otaload_requests"].samples
    shown = [sample.labels["endpoint"] for sample in samples]
    assert len(set(shown)) == len(names)
    assert 'le="1"} 7 # EOF' in shown
    assert 'a"b\\c\nd' in shown


def test_one_name_with_several_methods_is_several_series(tmp_path):
    path = write_run(tmp_path, {"/x": Traffic(2, method="GET")})
    line = (path / "windows.jsonl").read_text().splitlines()[0]
    with (path / "windows.jsonl").open("a") as file:
        file.write(line.replace('"GET"', '"POST"') + "\n")
        file.write(line.replace('"/x"', '"GET /x"').replace('"GET"', '"X"', 1) + "\n")
    samples = families_of(path)["otaload_requests"].samples
    assert len({tuple(sample.labels.items()) for sample in samples}) == 3


# CSV


def rows_of(path: Path) -> list[dict[str, str]]:
    """The windows of a run as a reader of CSV sees them."""
    return list(csv.DictReader(io.StringIO(render.windows_csv(load_run(path)), newline="")))


def test_every_window_is_a_row_with_the_figures_of_its_second(tmp_path):
    path = write_run(
        tmp_path, {**normal_traffic(), CHECK: Traffic(7, lognormal(25), error_ratio=0.1)}
    )
    lines = (path / "windows.jsonl").read_text().splitlines()
    # Late answers add lines for seconds that had one already.
    (path / "windows.jsonl").write_text("\n".join([*lines, *lines[::3]]) + "\n")
    merged: dict[tuple[int, str], Window] = {}
    for line in (path / "windows.jsonl").read_text().splitlines():
        key, window = window_from_json(json.loads(line))
        place = key.second, key.endpoint
        merged[place] = merged.get(place, Window()) + window
    rows = rows_of(path)
    assert {(int(row["second"]), row["endpoint"]) for row in rows} == set(merged)
    assert len(rows) == len(merged)
    for row in rows:
        window = merged[int(row["second"]), row["endpoint"]]
        successes = window.successes
        assert int(row["t_s"]) == int(row["second"]) - START_S
        assert (int(row["n"]), int(row["failures"])) == (window.n, window.failures.n)
        assert int(row["bytes_in"]) == window.bytes_in
        if not successes.n:
            assert row["p95_ms"] == row["mean_ms"] == ""
            continue
        for name, q in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            assert float(row[name]) == pytest.approx(successes.quantile_us(q) / 1000, abs=0.001)
        assert float(row["min_ms"]) == successes.min_us / 1000
        assert float(row["max_ms"]) == successes.max_us / 1000
        mean_ms = successes.sum_us / successes.n / 1000
        assert float(row["mean_ms"]) == pytest.approx(mean_ms, abs=0.001)


def test_rows_are_in_order_and_lines_end_as_the_standard_says(tmp_path):
    shown = render.windows_csv(load_run(write_run(tmp_path)))
    assert shown.count("\r\n") == shown.count("\n") == len(shown.splitlines())
    seconds = [int(row["second"]) for row in csv.DictReader(io.StringIO(shown, newline=""))]
    assert seconds == sorted(seconds)


def test_no_cell_is_a_formula(tmp_path):
    names = [
        "=cmd|'/C calc'!A0",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1+1",
        "\r\n=1",
        '"=1"',
        "a,b",
        HOSTILE,
    ]
    path = write_run(tmp_path, {name: Traffic(1, method="=GET()") for name in names}, duration_s=1)
    rows = rows_of(path)
    assert len(rows) == len(names)
    for row in rows:
        assert None not in row  # the name broke out of no cell
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert "'=cmd|'/C calc'!A0" in {row["endpoint"] for row in rows}


def test_a_run_without_requests_has_a_header_and_no_rows(tmp_path):
    shown = render.windows_csv(load_run(write_run(tmp_path, {})))
    assert shown.startswith("second,t_s,method,endpoint,n,")
    assert shown.count("\n") == 1


# JUnit


def test_junit_is_read_by_a_consumer_of_it(tmp_path):
    verdict = judge_directory(failing_run(tmp_path))
    suite = next(iter(JUnitXml.fromstring(render.junit(verdict).encode())))
    cases = list(suite)
    assert (suite.tests, suite.failures, suite.errors) == (9, 4, 0)
    assert len(cases) == len({case.name for case in cases}) == 9
    failed = [case for case in cases if any(isinstance(r, Failure) for r in case.result)]
    assert len(failed) == 4
    by_name = {case.name: case for case in cases}
    warned = by_name[f"{CHECK} p99"]
    assert warned.result == []  # a warning passes, and says what it is
    assert warned.system_out.startswith("warning: 2500 ms, not below the pass limit")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"interrupted": "SIGTERM"}, "interrupted"),
        ({"complete": False}, "inconclusive"),
        ({"crashes": {"count": 1, "first": HOSTILE}}, "crashed"),
        ({"ended": "refused", "refusal": HOSTILE}, "refused"),
    ],
)
def test_a_run_that_cannot_be_judged_is_an_error_to_a_consumer_of_junit(tmp_path, changes, kind):
    path = write_run(tmp_path, meta=smoke_meta(**changes))
    suite = next(iter(JUnitXml.fromstring(render.junit(judge_directory(path)).encode())))
    assert (suite.errors, suite.failures) == (1, 0)
    (case,) = (case for case in suite if case.result)
    (error,) = case.result
    assert isinstance(error, Error)
    assert (case.name, error.type) == ("the run itself", kind)


def test_hostile_names_are_whole_test_cases_of_junit(tmp_path):
    verdict = judge_directory(hostile_run(tmp_path))
    suite = next(iter(JUnitXml.fromstring(render.junit(verdict).encode())))
    assert suite.tests == len(list(suite))
    assert "<!channel>" in suite.name
    assert len({case.name for case in suite}) == suite.tests


# The files of a run


def test_a_report_leaves_every_file_that_is_documented(tmp_path):
    path = write_run(tmp_path)
    report_directory(path)
    page = (PROJECT / "docs" / "run-directory.md").read_text()
    documented = set(re.findall(r"^\| `([\w.]+)` \|.*\| (?:yes|no) \|$", page, re.MULTILINE))
    assert {file.name for file in path.iterdir()} == documented


def test_a_night_is_exported_within_seconds(tmp_path):
    path = write_soak(tmp_path, seconds=3600, rps=20.0)
    run = load_run(path)
    started_s = time.process_time()
    shown = render.windows_csv(run)
    assert shown.count("\n") == 4 * 3600 + 1
    # An eighth of a night; a night takes 3 s of a processor, and no loop over its requests.
    assert time.process_time() - started_s < 10
