"""What is shown: golden files for text, Markdown and JUnit; the page's structure and charts."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

from analysis import render
from analysis.drift import run_drift
from analysis.judge import judge
from analysis.metrics import (
    cause_series,
    health_series,
    latency_series,
    rate_series,
    user_series,
)
from analysis.outputs import judge_directory, report_directory, write_outputs
from analysis.quantities import Unit, format_bytes, format_duration, format_quantity
from analysis.render.chart_style import SERIES, spread, style, svg
from analysis.render.charts import causes_figure, health_figure, load_figure
from analysis.render.drift_chart import drift_figure
from analysis.render.latency_chart import latency_figure, limit_lines
from analysis.runs import load_run
from analysis.thresholds import load_thresholds
from otaload.errors import ConfigurationError

GOLDEN = Path(__file__).parent / "golden"
THRESHOLDS = load_thresholds(PROJECT / "thresholds.yaml")
HOSTILE = '<script>alert("x")</script> \x1b[31m & "\'|`*_' + "\x00é💥" + "long" * 30


def failing_run(tmp_path):
    """A constant, and therefore reproducible, run of every tier."""
    traffic = {
        CHECK: Traffic(7, constant(2500), failures={30: {"status 503, expected 200": 1}}),
        DOWNLOAD: Traffic(2, constant(400), method="GET"),
    }
    meta = smoke_meta(faults=["error p=0.002 on /updates/check"], notes=["a note of the run"])
    return write_run(tmp_path, traffic, meta=meta)


def hostile_run(tmp_path):
    traffic = {HOSTILE: Traffic(3, failures={t: {HOSTILE: 1} for t in range(9)}), CHECK: Traffic(3)}
    meta = smoke_meta(
        title=HOSTILE,
        notes=[HOSTILE],
        faults=[HOSTILE],
        exercises=None,
        target={"base_url": "https://user:secret@host/v1", "kind": HOSTILE},
        versions={HOSTILE: HOSTILE},
        crashes={"count": 1, "first": HOSTILE},
        stages=[{"name": HOSTILE, "start_s": 0, "end_s": 60}],
    )
    return write_run(tmp_path, traffic, meta=meta, processes=(HOSTILE,))


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("verdict.txt", render.text),
        ("summary.md", render.markdown),
        ("junit.xml", render.junit),
        ("verdict.json", render.json),
    ],
)
def test_the_outputs_equal_the_golden_files(tmp_path, name, draw):
    verdict = judge_directory(failing_run(tmp_path))
    shown = draw(verdict).replace(str(tmp_path), "reports")
    if os.environ.get("OTALOAD_WRITE_GOLDEN"):  # to be read before it is committed
        (GOLDEN / name).write_text(shown)
    assert shown == (GOLDEN / name).read_text()


def test_the_table_fits_a_terminal_also_with_long_names(tmp_path):
    for path in (failing_run(tmp_path), hostile_run(tmp_path)):
        lines = render.text(judge_directory(path)).splitlines()
        assert max(len(line) for line in lines) <= 120
        assert not any("\x1b" in line or "\x00" in line for line in lines)


def test_colour_is_only_used_when_asked_for(tmp_path):
    verdict = judge_directory(failing_run(tmp_path))
    assert "\x1b" not in render.text(verdict)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", render.text(verdict, colour=True))
    assert plain == render.text(verdict)


def test_junit_has_one_case_a_check_and_counts_its_failures(tmp_path):
    verdict = judge_directory(failing_run(tmp_path))
    suite = ElementTree.fromstring(render.junit(verdict)).find("testsuite")  # noqa: S314 - our own
    assert len(suite.findall("testcase")) == int(suite.get("tests")) == len(verdict.checks)
    assert len(suite.findall("testcase/failure")) == int(suite.get("failures")) == 4


def test_junit_errs_where_the_run_cannot_be_judged_and_survives_hostile_names(tmp_path):
    verdict = judge_directory(hostile_run(tmp_path))
    suite = ElementTree.fromstring(render.junit(verdict)).find("testsuite")  # noqa: S314 - our own
    assert suite.get("errors") == "1"
    assert suite.find("testcase/error").get("type") == "crashed"


def test_junit_fails_warnings_only_when_the_exit_code_does(tmp_path):
    path = write_run(tmp_path, {**normal_traffic(), CHECK: Traffic(7, constant(600))})
    assert "<failure" not in render.junit(judge_directory(path))
    assert "<failure" in render.junit(judge_directory(path, fail_on_warning=True))


def test_the_json_says_everything_about_a_check(tmp_path):
    content = json.loads(render.json(judge_directory(failing_run(tmp_path))))
    assert (content["format"], content["tier"], content["exit_code"]) == (1, "fail", 99)
    check = next(c for c in content["checks"] if c["endpoint"] == CHECK and c["metric"] == "p99")
    assert check["value"] == 2500
    assert check["limits"]["fail_above"] == {"value": 5000, "origin": "global"}


def test_the_json_has_the_endpoints_and_the_causes(tmp_path):
    content = json.loads(render.json(judge_directory(failing_run(tmp_path))))
    first, _, every = content["endpoints"]
    assert first == {
        "endpoint": CHECK,
        "n": 421,
        "failures": 1,
        **dict.fromkeys(("p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms"), 2500.0),
        "bytes_in": 126_000,
        "rps": 421 / 60,
    }
    assert (every["endpoint"], every["n"]) == ("all requests", 541)
    assert content["failures_by_cause"] == [
        {
            "endpoint": CHECK,
            "cause": "status 503, expected 200",
            "count": 1,
            "first_s": 30,
            "last_s": 30,
        }
    ]


def test_the_causes_of_failures_are_named_wherever_a_verdict_is_shown(tmp_path):
    failures = {t: {f"cause {t}": 10 - t} for t in range(1, 9)}
    path = write_run(tmp_path, {DOWNLOAD: Traffic(3, failures=failures), CHECK: Traffic(3)})
    verdict = judge_directory(path)
    shown = render.text(verdict)
    block = shown[shown.index("Failures\n") :].split("\n\n")[0].splitlines()
    assert block[1:] == [
        "  - 9 × /bundles/download: cause 1 (first at 1 s)",
        "  - 8 × /bundles/download: cause 2 (first at 2 s)",
        "  - 7 × /bundles/download: cause 3 (first at 3 s)",
        "  - 6 × /bundles/download: cause 4 (first at 4 s)",
        "  - 5 × /bundles/download: cause 5 (first at 5 s)",
        "  - and 3 more causes with 9 failures",
    ]
    assert r"9 × /bundles/download: cause 1 \(first at 1 s\)" in render.markdown(verdict)
    suite = ElementTree.fromstring(render.junit(verdict)).find("testsuite")  # noqa: S314 - our own
    assert "9 × /bundles/download: cause 1 (first at 1 s)" in suite.find("system-out").text
    _, walk = page_of(path)
    assert "9 × /bundles/download: cause 1 (first at 1 s)" in walk.text


def test_unproven_takes_two_lines_on_the_console(tmp_path):
    traffic = {f"/endpoint/number/{i}": Traffic(0.5) for i in range(12)}
    rows = "".join(f"  {name}: {{p99: {{pass: 1 s, fail: 2 s}}}}\n" for name in traffic)
    path = write_run(
        tmp_path, traffic, meta=smoke_meta(exercises=None), thresholds=f"endpoints:\n{rows}"
    )
    lines = render.text(judge_directory(path)).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Unproven"))
    assert lines[at : at + 3] == [
        "Unproven: too few requests to be 95 % sure; the exit code does not change",
        "  p99 /endpoint/number/0 (30 of 299), p99 /endpoint/number/1 (30 of 299), and 10 more",
        "",
    ]


def test_a_run_without_any_request_is_one_line_and_not_nine(tmp_path):
    for meta in (smoke_meta(), smoke_meta(interrupted="SIGTERM", complete=False)):
        path = write_run(tmp_path, {}, meta=meta)
        verdict = judge_directory(path)
        assert len(verdict.checks) == 9
        assert "no data" not in render.text(verdict)
        assert "no data" not in render.markdown(verdict)
        assert "not one request was recorded" in render.text(verdict)
        _, walk = page_of(path)
        assert "no data" not in walk.text
        assert "Not one request was recorded." in walk.text
        assert "no data, no data" not in render.junit(verdict)


def test_the_top_says_once_that_checks_are_unproven(tmp_path):
    _, walk = page_of(write_run(tmp_path))
    top = walk.text[: walk.text.index("The worst first")]
    assert "all 9 checks pass over 600 requests" in top.replace("All", "all")
    assert "Not fully proven: 3 of 9" in top
    assert "unproven" not in top


def test_one_request_is_not_called_requests(tmp_path):
    path = write_run(tmp_path, {CHECK: Traffic(1, from_s=10, to_s=11)}, meta=smoke_meta())
    _, walk = page_of(path)
    for shown in (render.text(judge_directory(path)), walk.text):
        assert not re.search(r"\b1 (?:successful )?(?:requests|failures)\b", shown)
    assert "fewer than one successful request each" in walk.text


def test_the_top_of_the_page_says_everything_once(tmp_path):
    meta = smoke_meta(rehearsal={"time_scale": 0.1, "user_scale": 1}, faults=["a hang of 5 s"])
    traffic = {**normal_traffic(), CHECK: Traffic(7, constant(600))}
    page, walk = page_of(write_run(tmp_path, traffic, meta=meta))
    top = walk.text[walk.text.index("! WARNING") : walk.text.index("ChecksLatency")]
    assert top.count("a hang of 5 s") == 1
    assert top.lower().count("rehearsal") == 1
    assert top.count("not below the pass limit of 500 ms") == 1
    assert top.lower().count("warning") == 2  # the word, and what the exit code makes of it
    assert "<title>! warning (rehearsal): " in page


def test_stages_that_were_not_reached_are_noted(tmp_path):
    stages = [{"name": f"s{t}", "start_s": t, "end_s": t + 20} for t in range(0, 100, 20)]
    meta = smoke_meta(stages=stages, planned={"duration_s": 100.0}, ended="limit found")
    page, walk = page_of(write_run(tmp_path, meta=meta))
    assert "2 later stages were not reached." in walk.text
    assert ">s40</td>" in page
    assert ">s60</td>" not in page


# The page

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Walk(HTMLParser):
    """Checks that elements nest, and gathers text, ids and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.elements: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action", "data"):
                self.references.append(value)
            assert not name.startswith("on")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page_of(path):
    run = load_run(path)
    page = render.html(run, judge(run, THRESHOLDS), THRESHOLDS)
    walk = Walk()
    walk.feed(page)
    walk.close()
    assert walk.open == []
    return page, walk


@pytest.fixture(scope="module")
def failing_page(tmp_path_factory):
    return page_of(failing_run(tmp_path_factory.mktemp("page")))


def test_the_page_is_well_formed_and_its_ids_are_unique(failing_page, tmp_path):
    _, walk = failing_page
    assert len(walk.ids) == len(set(walk.ids))
    # A chart each for all and two endpoints, percentiles, load, causes, health; a bar a check.
    # So few requests have no heatmap.
    checks = judge_directory(failing_run(tmp_path)).checks
    assert walk.elements.count("svg") == 7 + sum(check.value is not None for check in checks)


def test_every_cell_names_its_column_for_narrow_screens(failing_page):
    page, _ = failing_page
    cells = re.findall(r'<td[^>]*>|<th scope="row"[^>]*>', page)
    assert len(cells) > 50
    assert all(re.search(r' data-label="[^"]+"', cell) for cell in cells)


def test_the_page_refers_to_nothing_outside_itself(failing_page):
    page, walk = failing_page
    assert all(reference.startswith("#") for reference in walk.references)
    assert {reference[1:] for reference in walk.references} <= set(walk.ids)
    for forbidden in ("http://", "https://", "@import", "src=", "<script", "xmlns"):
        assert forbidden not in page


def test_hostile_names_are_shown_and_never_run(tmp_path):
    page, walk = page_of(hostile_run(tmp_path))
    assert "script" not in walk.elements
    assert "<script" not in page
    assert '<script>alert("x")</script>' in walk.text
    assert "\x00" not in page
    assert "\x1b" not in page
    assert "secret" not in page


def test_the_page_shows_its_sections_in_order(failing_page):
    page, _ = failing_page
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "When limits were broken",
        "What failed",
        "Notes",
        "Checks",
        "Latency over time",
        "Latency by percentile",
        "Load and failures over time",
        "Failures by cause",
        "Phases",
        "Endpoints",
        "Coordinated omission",
        "The generator&#x27;s own health",
        "Where the load went",
        "Configuration",
        "What the numbers mean",
    ]


def test_the_banner_marks_all_that_limits_the_verdict(tmp_path):
    meta = smoke_meta(
        rehearsal={"time_scale": 0.1, "user_scale": 1}, faults=["hang"], interrupted="SIGTERM"
    )
    _, walk = page_of(write_run(tmp_path, {CHECK: Traffic(2)}, meta=meta))
    for mark in (
        "? INTERRUPTED",
        "Rehearsal: time × 0.1, users × 1",
        "Fault active in the service: hang",
        "Interrupted: no verdict on the service",
    ):
        assert mark in walk.text
    assert "Inconclusive: neither pass nor fail" not in walk.text  # which would say it twice


@pytest.mark.parametrize(
    "traffic", [{}, {CHECK: Traffic(3, error_ratio=1.0)}, {CHECK: Traffic(0.02)}]
)
def test_a_run_with_next_to_nothing_in_it_has_a_page(tmp_path, traffic):
    page_of(write_run(tmp_path, traffic))
    path = write_run(tmp_path, traffic, meta={"scenario": "soak"}, health=None)
    (path / "users.jsonl").write_text("")
    page_of(path)


def test_the_least_busy_of_many_endpoints_have_no_chart(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.render.latency_section.MOST_ENDPOINTS", 2)
    traffic = {f"/endpoint/{i}": Traffic(1) for i in range(5)}
    _, walk = page_of(write_run(tmp_path, traffic))
    assert "3 less busy endpoints have no chart here." in walk.text


# Charts


def test_the_latency_chart_draws_the_series_and_every_limit(tmp_path):
    run = load_run(write_run(tmp_path))
    series = latency_series(run, run.endpoints)
    limits = [(row.metric.name, row.limits) for row in THRESHOLDS.rows if row.endpoint is None]
    with style("t"):
        figure = latency_figure(series, limits, run.meta.stages, run.duration_s)
        drawn = svg(figure, "t")
    (axes,) = figure.axes
    for line, name in zip(axes.lines[:3], ("p50_ms", "p95_ms", "p99_ms"), strict=True):
        assert line.get_ydata().tolist() == series[name].tolist()
    assert len({line.get_linestyle() for line in axes.lines[:2]}) == 2
    assert axes.lines[3].get_ydata().tolist() == series["max_ms"].tolist()
    assert sorted(line.get_ydata()[0] for line in axes.lines[4:10]) == [
        800,
        1500,
        1500,
        2000,
        3000,
        5000,
    ]
    for label in ("p95 pass 800 ms", "p95 fail 2000 ms", "p99 warning 3000 ms"):
        assert f">{label}</text>" in drawn
    assert "var(--series-1)" in drawn
    assert SERIES[0] not in drawn


def test_equal_limits_share_a_line():
    limits = [("p95", THRESHOLDS.limits_of(DOWNLOAD, row.metric)) for row in THRESHOLDS.rows[:1]]
    assert [line.label for line in limit_lines(limits)] == ["p95 pass, fail 2000 ms"]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_labels_keep_their_order_and_their_distance(positions):
    moved = spread(sorted(positions), 0.07)
    assert all(after - before >= 0.07 - 1e-9 for before, after in pairwise(moved))
    assert len(moved) == len(positions)


def test_the_load_chart_draws_rates_and_users(tmp_path):
    run = load_run(failing_run(tmp_path))
    rates, users = rate_series(run), user_series(run)
    with style("t"):
        figure = load_figure(rates, users, (), run.duration_s)
    above, below = figure.axes
    assert above.lines[0].get_ydata().tolist() == rates["rps"].tolist()
    assert above.lines[1].get_ydata().sum() == 1
    assert below.lines[1].get_ydata().max() == 10


def test_the_load_chart_marks_the_limit_of_a_breakpoint_run(tmp_path):
    run = load_run(write_run(tmp_path))
    with style("t"):
        figure = load_figure(rate_series(run), user_series(run), (), 60, first_bad_s=40.0)
    assert [axes.lines[-1].get_xdata()[0] for axes in figure.axes] == [40, 40]
    assert figure.axes[1].texts[-1].get_text() == "first bad slice"


def test_the_causes_chart_draws_a_line_for_each_cause(tmp_path):
    failures = {3: {"_reset": 2, "$x$ <b>": 1}}
    run = load_run(write_run(tmp_path, {CHECK: Traffic(2, failures=failures)}))
    with style("t"):
        drawn = svg(causes_figure(cause_series(run), (), run.duration_s), "t")
    assert "_reset</text>" in drawn
    assert "$x$ &lt;b&gt;</text>" in drawn


@pytest.mark.parametrize(("processes", "lines"), [(2, 2), (9, 1)])
def test_the_health_chart_draws_each_process_or_the_worst_of_many(tmp_path, processes, lines):
    names = [f"w{i}" for i in range(processes)]
    run = load_run(write_run(tmp_path, processes=names))
    with style("t"):
        figure = health_figure(health_series(run), THRESHOLDS.generator, run.duration_s)
    assert len(figure.axes[0].lines) == lines + 1  # and the limit
    assert figure.axes[1].lines[-1].get_ydata()[0] == 50


def test_the_drift_chart_draws_the_windows_and_both_levels(tmp_path):
    meta = smoke_meta(scenario="soak", planned={"duration_s": 960.0}, end=START_S + 960.0)
    traffic = {CHECK: Traffic(12, lognormal(30))}
    run = load_run(write_run(tmp_path, traffic, duration_s=960, meta=meta))
    drift = run_drift(run)
    assert drift.drift_ratio is not None
    with style("t"):
        figure = drift_figure(drift, THRESHOLDS.rows[3].limits, run.duration_s)
    points, first, last = figure.axes[0].lines[:3]
    assert len(points.get_ydata()) == 93
    assert first.get_ydata()[0] == pytest.approx(np.nanmedian(drift.window_p99_ms[:12]), rel=1e-3)
    assert last.get_xdata()[1] == 960
    assert "p99 drift" in page_of(run.path)[0]


# Files and numbers


def test_the_outputs_are_written_whole_and_can_be_rebuilt(tmp_path):
    run = load_run(failing_run(tmp_path))
    verdict = judge(run, THRESHOLDS)
    paths = write_outputs(run, verdict, THRESHOLDS)
    assert sorted(p.name for p in paths) == [
        "junit.xml",
        "metrics.txt",
        "report.html",
        "summary.md",
        "verdict.json",
    ]
    first = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
    write_outputs(load_run(run.path), verdict, THRESHOLDS)
    assert {path: path.read_bytes() for path in paths} == first
    assert not list(run.path.glob("*.draft"))


def test_a_directory_is_judged_and_reported_in_one_step(tmp_path):
    path = failing_run(tmp_path)
    assert report_directory(path) == judge_directory(path)
    assert json.loads((path / "verdict.json").read_bytes())["exit_code"] == 99


def test_a_directory_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    run = load_run(failing_run(tmp_path))
    verdict = judge(run, THRESHOLDS)
    (run.path / "verdict.json").mkdir()
    with pytest.raises(ConfigurationError, match="the outputs cannot be written"):
        write_outputs(run, verdict, THRESHOLDS)


@pytest.mark.parametrize(
    ("value", "others", "text"),
    [
        (2000.4, (2000,), "2000.4 ms"),
        (2000, (2000,), "2000 ms"),
        (1700.4, (2000,), "1700 ms"),
        (0.0456, (), "0.0456 ms"),
        (12.345, (), "12.3 ms"),
        (0, (), "0 ms"),
    ],
)
def test_a_value_has_as_many_digits_as_set_it_apart_from_its_limits(value, others, text):
    assert format_quantity(value, Unit.MS, apart_from=others) == text


def test_ratios_are_shown_as_percentages():
    assert format_quantity(0.00012, Unit.RATIO, apart_from=(0.0001,)) == "0.012 %"
    assert format_quantity(0.0001002, Unit.RATIO, apart_from=(0.0001,)) == "0.01002 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (28_800, "8 h"),
        (3660, "1 h 1 min"),
    ],
)
def test_durations_are_in_the_largest_units(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3,000 TB")],
)
def test_bytes_are_in_the_largest_unit(n, text):
    assert format_bytes(n) == text
