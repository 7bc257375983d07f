"""Groups of run directories: what is refused, left out and noted, and how it is shown."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from synthetic_runs import (
    CHECK,
    DOWNLOAD,
    REGISTER,
    START_S,
    Traffic,
    lognormal,
    smoke_meta,
    write_run,
)

from analysis.compare import Finding
from analysis.comparison import Comparison, compare_directories
from analysis.render import comparison_json, comparison_page, comparison_text
from analysis.run_groups import find_groups
from otaload.errors import ConfigurationError, RunUnreadableError

GOLDEN = Path(__file__).parent / "golden"
SPREAD = (0.98, 1.01, 1.0, 0.99, 1.03)
HOSTILE = '<script>alert("x")</script> \x1b[31m & "\'|`*_' + "\x00é💥" + "long" * 30


def run(parent, number, level=1.0, *, error_ratio=0.0, traffic=None, **changes):
    """A run an hour after the one before; `changes` are those of its `run.json`."""
    start_s = START_S + 3600 * number
    default = {
        CHECK: Traffic(14, lognormal(25 * level), error_ratio=error_ratio),
        DOWNLOAD: Traffic(4, lognormal(180 * level), method="GET"),
        REGISTER: Traffic(2, lognormal(40 * level)),
    }
    times = {"start": start_s + 0.25, "end": start_s + 60.25}
    meta = smoke_meta(**{**times, **changes})
    return write_run(
        parent, default if traffic is None else traffic, meta=meta, seed=number, start_s=start_s
    )


def group(parent, first, level=1.0, *, count=5, **more):
    return [run(parent, first + 2 * i, level * SPREAD[i], **more) for i in range(count)]


@pytest.fixture(scope="module")
def equal(tmp_path_factory):
    """Two groups of alternating runs of one service."""
    parent = tmp_path_factory.mktemp("equal")
    return group(parent, 0), group(parent, 1)


@pytest.fixture(scope="module")
def slower(tmp_path_factory) -> Comparison:
    """A comparison with a service that got slower, and that lost a run."""
    tmp_path = tmp_path_factory.mktemp("slower")
    before = group(tmp_path, 0)
    after = group(tmp_path, 1, 1.25, git_commit="fedcba9876543210", faults=["latency on all"])
    broken = run(tmp_path, 20, interrupted="SIGINT", ended="interrupted")
    return compare_directories(before, [*after, broken])


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("comparison.txt", comparison_text.text),
        ("comparison.md", comparison_text.markdown),
    ],
)
def test_the_outputs_of_a_comparison_equal_the_golden_files(slower, name, draw):
    shown = draw(slower)
    if os.environ.get("OTALOAD_WRITE_GOLDEN"):  # to be read before it is committed
        (GOLDEN / name).write_text(shown)
    assert shown == (GOLDEN / name).read_text()


def test_the_json_of_a_comparison_has_every_figure_and_every_run(slower):
    content = json.loads(comparison_json.json(slower))
    assert (content["format"], content["exit_code"]) == (1, 99)
    assert (content["finding"], content["headline"]) == ("regression", slower.headline)
    assert [(f["endpoint"], f["metric"]) for f in content["figures"]] == [
        (d.endpoint, d.metric.name) for d in slower.differences.all
    ]
    first, (before, after) = content["figures"][0], content["groups"]
    assert (first["unit"], first["n_before"], first["confidence"]) == ("ms", 5, 0.98)
    assert 0 < first["low"] < first["change"] < first["high"]
    assert [len(side["runs"]) for side in (before, after)] == [5, 5]
    assert after["runs"][0]["git_commit"] == "fedcba9876543210"
    assert len(before["runs"][0]["endpoints"]) == 3
    assert after["left_out"][0]["reason"] == "interrupted by SIGINT after 1 min"


def test_a_slower_group_is_a_regression_with_exit_code_99(slower):
    assert slower.finding is Finding.REGRESSION
    assert slower.exit_code == 99
    assert re.match(r"Regression: p95 of all requests is \d\d % higher \(98 % ", slower.headline)


def test_equal_groups_end_with_0_and_say_what_would_have_been_seen(equal):
    comparison = compare_directories(*equal)
    assert (comparison.finding, comparison.exit_code) == (Finding.NO_DIFFERENCE, 0)
    assert re.search(r"about \S+ % in p95 or \S+ % in p99 would have been", comparison.headline)
    assert comparison.notes == ()


def test_few_runs_end_with_91_and_their_number(equal):
    before, after = equal
    comparison = compare_directories(before[:3], after)
    assert (comparison.finding, comparison.exit_code) == (Finding.INDICATIVE, 91)
    assert comparison.headline.endswith("it takes 5 sound runs a side and there are 3 and 5.")
    assert "intervals of" not in comparison_text.text(comparison)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"complete": False}, "the run is incomplete"),
        ({"interrupted": "SIGINT"}, "interrupted by SIGINT after 1 min"),
        ({"crashes": {"count": 2, "first": "ValueError: x"}}, "the test code raised 2 times"),
        ({"workers": [{"id": "w", "index": 1, "lost": True}]}, "worker 1 was lost"),
    ],
)
def test_an_unsound_run_is_left_out_unless_all_are_wanted(equal, tmp_path, changes, reason):
    before, after = equal
    unsound = run(tmp_path, 50, **changes)
    comparison = compare_directories(before, [*after, unsound])
    (left_out,) = comparison.after.left_out
    assert left_out.name == unsound.name
    assert reason in left_out.reason
    assert len(comparison.after.runs) == 5

    included = compare_directories(before, [*after, unsound], all_runs=True)
    assert len(included.after.runs) == 6
    assert any(unsound.name in note and reason in note for note in included.notes)


def test_a_damaged_run_is_left_out_with_its_reason(equal, tmp_path):
    before, after = equal
    damaged, without = run(tmp_path, 50), run(tmp_path, 51)
    (damaged / "windows.jsonl").write_text("not json\n")
    (without / "thresholds.yaml").unlink()
    comparison = compare_directories([*before, damaged], [*after, without])
    assert "damaged: windows.jsonl:1: " in comparison.before.left_out[0].reason
    assert "no copy of its thresholds" in comparison.after.left_out[0].reason


def test_a_group_of_which_nothing_is_left_is_refused_with_the_reasons(equal, tmp_path):
    unsound = [run(tmp_path, 50 + i, interrupted="SIGTERM") for i in range(2)]
    with pytest.raises(ConfigurationError) as raised:
        compare_directories(equal[0], unsound)
    assert "group B: none of its 2 runs can be compared:" in str(raised.value)
    assert unsound[1].name in str(raised.value)
    assert "--all-runs" in str(raised.value)


OTHER_LOADS = {
    "scenario": {"scenario": "load"},
    "scale": {"rehearsal": {"time_scale": 0.1, "user_scale": 1}},
    "load": {"planned": {"users_max": 9, "duration_s": 60.0}},
    "mix": {"mix": {"UpdateCheck": 1}},
    "pace": {"pacing_s": 2.0},
    "kind of target": {"target": {"kind": "staging", "base_url": "https://staging.example"}},
}


@pytest.mark.parametrize("name", OTHER_LOADS)
def test_runs_of_other_loads_are_refused_unless_wanted(equal, tmp_path, name):
    before, after = equal
    other = run(tmp_path, 50, **OTHER_LOADS[name])
    trait = {"pace": "how often a user asks"}.get(name, f"the {name}")
    with pytest.raises(ConfigurationError, match=f"{trait}: A has .*, B has .* and "):
        compare_directories(before, [*after, other])
    comparison = compare_directories(before, [*after, other], anyway=True, all_runs=True)
    assert comparison.notes[0].startswith("not comparable, and compared all the same: ")


def test_other_rates_of_arrivals_are_another_load_though_as_many_users_stand_ready(tmp_path):
    def at(per_s):
        stage = {"name": "steady", "start_s": 0, "end_s": 60, "users_from": 90, "users_to": 90}
        return {"stages": [{**stage, "rate_from": per_s, "rate_to": per_s}]}

    slow, fast = (run(tmp_path, number, **at(50 * number)) for number in (1, 2))
    with pytest.raises(ConfigurationError, match="50→50 arrivals/s in 60 s"):
        compare_directories([slow], [fast], all_runs=True)


def test_other_endpoints_are_refused(equal, tmp_path):
    traffic = {CHECK: Traffic(14, lognormal(25)), "/new": Traffic(2, lognormal(25))}
    with pytest.raises(ConfigurationError, match=r'the endpoints: only B has "/new"'):
        compare_directories(equal[0], [run(tmp_path, 50, traffic=traffic), *equal[1]])


def test_breakpoint_runs_are_refused(tmp_path):
    groups = (group(tmp_path, first, count=2, scenario="breakpoint") for first in (0, 1))
    with pytest.raises(ConfigurationError, match="otaload history breakpoint"):
        compare_directories(*groups)


def test_what_differs_between_the_groups_is_noted(slower):
    notes = "\n".join(slower.notes)
    assert 'the faults in the service: A has none, B has "latency on all"' in notes
    assert 'the git commit: A has "0123456789abcdef", B has "fedcba9876543210"' in notes


def test_groups_one_after_the_other_are_noted_and_alternating_ones_are_not(equal, tmp_path):
    later = group(tmp_path, 100)
    assert "all runs of A were made before" in compare_directories(equal[0], later).notes[0]
    assert "all runs of A were made before" in compare_directories(later, equal[0]).notes[
        0
    ].replace("of B were made before those of A", "of A were made before those of B")
    assert compare_directories(*equal).notes == ()


def test_runs_at_the_same_time_are_noted(equal, tmp_path):
    meta = smoke_meta(start=START_S + 30.25, end=START_S + 90.25)
    traffic = {name: Traffic(7, lognormal(25)) for name in (CHECK, REGISTER)}
    traffic[DOWNLOAD] = Traffic(4, lognormal(180), method="GET")
    other = write_run(tmp_path / "other", traffic, meta=meta, start_s=START_S + 30)
    notes = compare_directories(equal[0], [*equal[1], other]).notes
    assert any("ran at the same time" in note and other.name in note for note in notes)


def test_short_runs_are_noted(tmp_path):
    few = {CHECK: Traffic(2, lognormal(25)), DOWNLOAD: Traffic(1, lognormal(180), method="GET")}
    groups = [[run(tmp_path, 2 * i + first, traffic=few) for i in range(5)] for first in (0, 1)]
    assert "has 180 requests, fewer than 299" in compare_directories(*groups).notes[0]


def test_a_run_in_both_groups_or_twice_in_one_is_refused(equal):
    names, parent = [path.name for path in equal[0]], equal[0][0].parent
    with pytest.raises(ConfigurationError, match="is named in both groups"):
        find_groups(names, [names[0]], parent)
    with pytest.raises(ConfigurationError, match="is named twice in group B"):
        find_groups(names[:1], [names[1], str(equal[0][1])], parent)
    with pytest.raises(RunUnreadableError, match="nowhere: there is no such run"):
        find_groups(names, ["nowhere"], parent)


def test_the_table_of_a_comparison_fits_a_terminal_also_with_hostile_names(tmp_path):
    traffic = {HOSTILE: Traffic(3, lognormal(20)), CHECK: Traffic(3, lognormal(30))}
    groups = [
        [
            run(tmp_path, 2 * i + first, traffic=traffic, git_commit=f"{HOSTILE}{first}")
            for i in range(5)
        ]
        for first in (0, 1)
    ]
    comparison = compare_directories(*groups)
    lines = comparison_text.text(comparison).splitlines()
    assert max(len(line) for line in lines) <= 120
    assert not any("\x1b" in line or "\x00" in line for line in lines)
    assert "<script>" not in comparison_page.html(comparison)
    assert "\n" not in comparison_text.markdown(comparison).split("| ")[3]
    assert json.loads(comparison_json.json(comparison))["finding"] == comparison.finding


def test_the_page_needs_nothing_but_itself_and_has_each_chart(slower):
    page = comparison_page.html(slower)
    assert page.count("<svg") == 3  # p95, p99 and the changes; no failure, so no error rate
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page
    assert slower.headline.partition(": ")[2] in page
    assert "interrupted by SIGINT" in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def test_the_page_draws_error_rates_where_there_are_any(tmp_path):
    page = comparison_page.html(
        compare_directories(group(tmp_path, 0), group(tmp_path, 1, error_ratio=0.02))
    )
    assert page.count("<svg") == 4
    assert "error rate of a run (%)" in page


def test_a_comparison_of_one_run_a_side_is_drawn_too(equal):
    comparison = compare_directories(equal[0][:1], equal[1][:1])
    assert comparison_page.html(comparison).count("<svg") == 3
    assert "1 run" in comparison_text.text(comparison)


def test_runs_are_found_by_directory_after_they_were_moved(equal, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(equal[0][0], elsewhere / "baseline")
    before, _ = find_groups([str(elsewhere / "baseline")], [equal[1][0].name], equal[1][0].parent)
    assert compare_directories(before, equal[1]).before.runs[0].name == "baseline"
