"""Reading run directories: whole, torn, damaged, foreign; and what is computed from them."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_runs import (
    CHECK,
    DOWNLOAD,
    START_S,
    Traffic,
    constant,
    lognormal,
    normal_traffic,
    quick_window,
    smoke_meta,
    window_of,
    write_run,
)

from analysis.figures import (
    FailureCause,
    endpoint_figures,
    failure_causes,
    stage_figures,
    stages_reached,
)
from analysis.latency_bins import MOST_POINTS, bin_width_s
from analysis.measured import Endpoint
from analysis.meta import read_run_meta
from analysis.metrics import (
    cause_series,
    latency_series,
    rate_series,
    user_series,
)
from analysis.outputs import find_run, judge_directory, report_directory
from analysis.quantiles import bin_quantiles_ms
from analysis.runs import load_run
from otaload.errors import ConfigurationError, RunUnreadableError
from otaload.record import Histogram, RunDirectory, WindowKey


def test_totals_are_those_that_were_written(tmp_path):
    run = load_run(write_run(tmp_path))
    assert run.totals == (600, 0)
    assert run.duration_s == 60
    assert [run.labels[endpoint] for endpoint in run.endpoints] == [
        CHECK,
        DOWNLOAD,
        "/devices/register",
    ]


def test_a_name_with_several_methods_is_told_apart_by_them(tmp_path):
    path = write_run(tmp_path, {"/x": Traffic(2, method="GET"), "/y": Traffic(3)})
    with (path / "windows.jsonl").open("a") as file:
        file.write(
            f'{{"second":{START_S},"method":"POST","endpoint":"/x",'
            '"successes":{"counts":[5,1],"sum_us":5,"min_us":5,"max_us":5}}\n'
        )
    run = load_run(path)
    assert list(run.labels.values()) == ["/y", "GET /x", "POST /x"]


def test_two_lines_of_one_key_are_added(tmp_path):
    with RunDirectory.create(tmp_path, scenario="x", start_s=START_S, meta=smoke_meta()) as raw:
        key = WindowKey(START_S, "GET", "/x")
        raw.append_windows([(key, window_of([10], {})), (key, window_of([20], {"reset": 2}))])
    run = load_run(raw.path)
    measured = run.measured(run.endpoints)
    assert measured.successes == Histogram.of([10_000, 20_000])
    assert measured.failed == 2


def test_merged_histograms_equal_otaloads_own(tmp_path):
    rng = np.random.default_rng(2)
    windows = [
        (WindowKey(START_S + t, "GET", "/x"), window_of(np.exp(rng.normal(3, 1, 40)), {}))
        for t in range(50)
    ]
    with RunDirectory.create(tmp_path, scenario="x", start_s=START_S, meta=smoke_meta()) as raw:
        raw.append_windows(windows)
    run = load_run(raw.path)
    whole = Histogram()
    for _, window in windows:
        whole += window.successes
    measured = run.measured(run.endpoints)
    assert measured.successes == whole
    assert measured.blocks.sum() == whole.n


@pytest.mark.parametrize("name", ["windows.jsonl", "users.jsonl"])
def test_a_torn_last_line_is_dropped_with_a_note(tmp_path, name):
    path = write_run(tmp_path)
    file = path / name
    file.write_bytes(file.read_bytes()[:-9])
    verdict = judge_directory(path)
    assert verdict.exit_code == 0
    assert f"{name}: the last line was torn off and is left out" in verdict.notes


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"second": 1', "not JSON"),
        ("[]", "list indices must be integers or slices, not str"),
        ('{"second":%d,"method":"GET"}', "'endpoint' is missing"),
        (
            '{"second":1.5,"method":"GET","endpoint":"/x"}',
            "a window is keyed by a whole second, a method and an endpoint",
        ),
        (
            '{"second":%d,"method":"GET","endpoint":7}',
            "a window is keyed by a whole second, a method and an endpoint",
        ),
        (
            '{"second":%d,"method":"GET","endpoint":"/x",'
            '"successes":{"counts":[5,1,6],"sum_us":5,"min_us":5,"max_us":5}}',
            "the counts of a histogram come in pairs of index and count",
        ),
        (
            '{"second":%d,"method":"GET","endpoint":"/x",'
            '"successes":{"counts":[5,-1],"sum_us":5,"min_us":5,"max_us":5}}',
            "expected a whole number of at least 0, not -1",
        ),
        (
            '{"second":%d,"method":"GET","endpoint":"/x",'
            '"successes":{"counts":[99999999,1],"sum_us":5,"min_us":5,"max_us":5}}',
            "a bucket's index is out of range",
        ),
        (
            '{"second":%d,"method":"GET","endpoint":"/x",'
            '"failures":{"counts":[5,2],"sum_us":5,"min_us":5,"max_us":5},"causes":{"a":1}}',
            "the causes do not add up to the failures",
        ),
        ('{"second":%d,"method":"GET","endpoint":"/x","bytes_in":1e400}', "not JSON"),
    ],
)
def test_a_malformed_line_in_the_middle_makes_a_run_inconclusive(tmp_path, line, reason):
    path = write_run(tmp_path)
    lines = (path / "windows.jsonl").read_text().splitlines()
    lines.insert(7, line.replace("%d", str(START_S)))
    (path / "windows.jsonl").write_text("\n".join(lines) + "\n")
    verdict = judge_directory(path)
    assert verdict.exit_code == 91
    assert verdict.reasons == (f"damaged: windows.jsonl:8: {reason}; the line is left out",)
    assert verdict.requests == 600  # all the other lines still count


def test_malformed_lines_of_users_make_a_run_inconclusive(tmp_path):
    path = write_run(tmp_path)
    text = (path / "users.jsonl").read_text()
    (path / "users.jsonl").write_text(f'{{"second":1}}\nnull\n{text}')
    verdict = judge_directory(path)
    assert verdict.exit_code == 91
    assert verdict.reasons == (
        "damaged: users.jsonl:1: 'planned'; this and 1 more lines are left out",
    )


def test_a_line_that_went_missing_is_damage(tmp_path):
    path = write_run(tmp_path, meta=smoke_meta(recorded={"requests": 600, "failures": 0}))
    assert judge_directory(path).outcome == "pass"
    windows = path / "windows.jsonl"
    lines = windows.read_bytes().splitlines(keepends=True)
    gone = sum(json.loads(lines[0])["successes"]["counts"][1::2])
    windows.write_bytes(b"".join(lines[1:]))
    verdict = judge_directory(path)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons == (
        f"damaged: windows.jsonl: holds {600 - gone} requests with 0 failures, "
        "where 600 with 0 were recorded",
    )


def test_a_line_from_another_time_is_damage(tmp_path):
    path = write_run(tmp_path)
    with (path / "windows.jsonl").open("a") as file:
        file.write('{"second":12,"method":"GET","endpoint":"/x"}\n')
    verdict = judge_directory(path)
    assert verdict.reasons == ("damaged: windows.jsonl: 1 line outside the run's time left out",)


def test_failures_from_another_time_are_neither_counted_nor_drawn(tmp_path):
    path = write_run(tmp_path)
    failed = {"failures": {"counts": [5, 1], "sum_us": 5, "min_us": 5, "max_us": 5}}
    with (path / "windows.jsonl").open("a") as file:
        for second in (START_S * 100, 12):
            key = {"second": second, "method": "GET", "endpoint": "/x"}
            file.write(json.dumps({**key, **failed, "causes": {"boom": 1}}) + "\n")
    run = load_run(path)
    assert run.damage == ("windows.jsonl: 2 lines outside the run's time left out",)
    assert "boom" not in set(run.causes["cause"])
    assert not len(cause_series(run).filter(["boom"]).columns)
    assert run.totals[1] == sum(run.causes["n"])


@pytest.mark.parametrize("start", [None, float(START_S), 2.0**40])
def test_times_beyond_any_calendar_are_reported_and_no_traceback(tmp_path, start):
    path = write_run(tmp_path)
    meta = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**meta, "start": start, "end": 2.0**50}))
    if start is None:
        for name in ("windows.jsonl", "users.jsonl"):
            text = (path / name).read_text()
            (path / name).write_text(re.sub(r'"second":\d+', f'"second":{2**40 - 1}', text))
    verdict = report_directory(path)
    assert "run.json: end is not a time (1.1259e+15); left out" in verdict.notes
    assert (path / "report.html").exists()


def test_extra_keys_of_a_workers_line_are_ignored(tmp_path):
    path = write_run(tmp_path)
    with (path / "windows.jsonl").open("a") as file:
        file.write(
            f'{{"second":{START_S},"method":"GET","endpoint":"/x","worker":"w1",'
            '"successes":{"counts":[5,1],"sum_us":5,"min_us":5,"max_us":5}}\n'
        )
    verdict = judge_directory(path)
    assert (verdict.exit_code, verdict.requests) == (0, 601)


@pytest.mark.parametrize("name", ["windows.jsonl", "users.jsonl"])
def test_a_missing_file_makes_a_run_inconclusive_and_not_a_traceback(tmp_path, name):
    path = write_run(tmp_path)
    (path / name).unlink()
    verdict = judge_directory(path)
    assert verdict.exit_code == 91
    assert f"damaged: {name} is missing" in verdict.reasons


def test_a_run_json_with_nothing_but_its_format_is_read(tmp_path):
    path = write_run(tmp_path)
    (path / "run.json").write_text('{"format": 1}')
    run = load_run(path)
    assert run.start_s == START_S
    verdict = judge_directory(path)
    assert verdict.exit_code == 91
    assert judge_directory(path, partial=True).exit_code == 0


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(smoke_meta())), _JUNK, max_size=6))
def test_any_content_of_run_json_is_read(changes):
    meta, notes = read_run_meta({**smoke_meta(), **changes})
    assert meta.title is not None
    assert all(note.startswith("run.json: ") for note in notes)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": true}', "\xff"])
def test_what_is_not_a_run_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunUnreadableError):
        load_run(tmp_path)
    with pytest.raises(RunUnreadableError):
        load_run(tmp_path / "none")


def test_a_run_without_its_thresholds_asks_for_them(tmp_path):
    path = write_run(tmp_path)
    thresholds = (path / "thresholds.yaml").rename(tmp_path / "other.yaml")
    with pytest.raises(ConfigurationError) as caught:
        judge_directory(path)
    assert str(caught.value) == (
        f"{path / 'thresholds.yaml'}: the run has no copy of its thresholds; "
        "name a file with --thresholds"
    )
    assert judge_directory(path, thresholds_path=thresholds).exit_code == 0


def test_the_latest_run_is_found_by_its_start_and_number(tmp_path):
    for name in (
        "2026-01-02T00-00-00Z-a",
        "2026-01-01T00-00-00Z-z",
        "2026-01-02T00-00-00Z-a-2",
        "2026-01-02T00-00-00Z-a-10",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    (tmp_path / "2027-not-a-run").mkdir()
    assert find_run(tmp_path, "latest").name == "2026-01-02T00-00-00Z-a-10"
    assert find_run(tmp_path, "2026-01-01T00-00-00Z-z").name == "2026-01-01T00-00-00Z-z"
    assert find_run(tmp_path / "x", str(tmp_path / "2026-01-01T00-00-00Z-z")).is_dir()
    for name, message in (
        (
            "nope",
            f"nope: there is no such run under {tmp_path}; the last ones are "
            "2026-01-02T00-00-00Z-a, 2026-01-02T00-00-00Z-a-2, 2026-01-02T00-00-00Z-a-10",
        ),
        (
            "2027-not-a-run",
            f"{tmp_path / '2027-not-a-run'}: not a run directory "
            "(it has no run.json); name another",
        ),
    ):
        with pytest.raises(RunUnreadableError) as caught:
            find_run(tmp_path, name)
        assert str(caught.value) == message
    with pytest.raises(RunUnreadableError):
        find_run(tmp_path / "empty", "latest")


# Metrics

_DISTRIBUTIONS = {
    "uniform": lambda rng, n: rng.uniform(0.3, 400, n),
    "lognormal": lambda rng, n: np.exp(rng.normal(3, 1.2, n)),
    "pareto": lambda rng, n: 5 * (1 + rng.pareto(1.5, n)),
    "bimodal": lambda rng, n: np.where(rng.random(n) < 0.97, 20.0, 3000.0) + rng.random(n),
    "constant": lambda rng, n: np.full(n, 12.345),
}


@pytest.mark.parametrize("shape", sorted(_DISTRIBUTIONS))
@pytest.mark.parametrize("n", [1, 2, 10, 999, 20_000])
def test_a_quantile_is_within_four_thousandths_of_the_exact_one_whole_or_in_parts(shape, n):
    rng = np.random.default_rng(n)
    values_us = (_DISTRIBUTIONS[shape](rng, n) * 1000).astype(np.int64)
    exact = np.sort(values_us)
    parts = [Histogram.of(part.tolist()) for part in np.array_split(values_us, 7)]
    merged = sum(parts[1:], start=parts[0])
    whole = Histogram.of(values_us.tolist())
    assert merged == whole
    matrix = np.zeros((1, max(whole.counts) + 1), dtype=np.int64)
    for index, count in merged.counts.items():
        matrix[0, index] = count
    quantiles = [0.5, 0.9, 0.95, 0.99, 0.999]
    binned = bin_quantiles_ms(matrix, quantiles)[0]
    for q, from_bins in zip(quantiles, binned, strict=True):
        truth = exact[max(1, int(np.ceil(q * n - 1e-9))) - 1]
        assert abs(merged.quantile_us(q) / truth - 1) <= 0.0039
        assert abs(from_bins * 1000 / truth - 1) <= 0.0039


def test_an_empty_bin_has_no_percentile():
    assert np.isnan(bin_quantiles_ms(np.zeros((2, 5), dtype=np.int64), [0.5])).all()


@settings(deadline=None)
@given(st.integers(1, 40 * 24 * 3600), st.integers(0, 10**8))
def test_charts_never_get_more_points_than_they_can_show(duration_s, n):
    width_s = bin_width_s(duration_s, n)
    assert duration_s / width_s <= max(MOST_POINTS, 40 * 24 * 3600 / 7200)
    assert bin_width_s(duration_s) <= width_s


def test_the_latency_series_follows_the_latency(tmp_path):
    def jump(t, n, rng):
        return np.full(n, 10.0 if t < 30 else 100.0)

    run = load_run(write_run(tmp_path, {CHECK: Traffic(20, jump)}))
    series = latency_series(run, run.endpoints)
    before, after = series[series["t_s"] < 30], series[series["t_s"] > 30]
    assert before["p99_ms"].to_numpy() == pytest.approx(10, rel=0.0039)
    assert after["p50_ms"].to_numpy() == pytest.approx(100, rel=0.0039)
    assert series["n"].sum() == 1200


def test_rates_are_per_second_also_in_a_last_short_bin(tmp_path):
    meta = smoke_meta(end=START_S + 301.0)
    failures = {300: {"reset": 4}}
    path = write_run(tmp_path, {CHECK: Traffic(6, failures=failures)}, duration_s=301, meta=meta)
    series = rate_series(load_run(path))
    assert series["rps"].iloc[:-1].to_numpy() == pytest.approx(6)
    assert series["rps"].iloc[-1] == 10
    assert series["failures_per_s"].iloc[-1] == 4


def test_users_are_the_highest_of_each_bin(tmp_path):
    run = load_run(write_run(tmp_path, users=lambda t: t % 11))
    assert user_series(run)["users"].max() == 10


def test_causes_are_counted_by_endpoint_and_over_time(tmp_path):
    failures = {3: {"reset": 2, "status 503": 1}, 50: {"reset": 1}}
    traffic = {**normal_traffic(), CHECK: Traffic(2, failures=failures)}
    run = load_run(write_run(tmp_path, traffic))
    assert failure_causes(run) == (
        FailureCause(CHECK, "reset", 3, 3, 50),
        FailureCause(CHECK, "status 503", 1, 3, 3),
    )
    series = cause_series(run)
    assert series["reset"].tolist()[3] == 2
    assert series["reset"].sum() == 3


def test_rare_causes_are_drawn_together(tmp_path):
    failures = {t: {f"cause {t}": 10 - t} for t in range(8)}
    run = load_run(write_run(tmp_path, {CHECK: Traffic(2, failures=failures)}))
    series = cause_series(run, most=5)
    assert list(series.columns)[-1] == "all other causes"
    assert series.drop(columns="t_s").to_numpy().sum() == sum(10 - t for t in range(8))


def test_stages_split_the_run_at_their_seconds(tmp_path):
    def jump(t, n, rng):
        return np.full(n, 10.0 if t < 10 else 100.0)

    found = stage_figures(load_run(write_run(tmp_path, {CHECK: Traffic(5, jump)})))
    assert [stage.name for stage in found] == ["ramp-up", "hold"]
    assert [stage.figures.n for stage in found] == [50, 250]
    assert [stage.figures.p99_ms for stage in found] == [10, 100]
    # The first second began a quarter late, but the builder filled it like the others.
    assert [stage.figures.rps for stage in found] == pytest.approx([5, 5], rel=0.03)


def stages_meta(*bounds, **changes):
    """A `run.json` with stages between these times, begun 0.9 s after a whole second."""
    stages = [
        {"name": f"s{a}", "start_s": a, "end_s": b, "users_from": 5, "users_to": 5}
        for a, b in itertools.pairwise(bounds)
    ]
    planned = {"users_max": 10, "duration_s": bounds[-1]}
    start = {"start": START_S + 0.9, "stages": stages, "planned": planned}
    return smoke_meta(**{**start, "end": START_S + 60.9, **changes})


@pytest.mark.parametrize("bounds", [(0, 0.5, 6), (0, 10.3, 20.7, 40), (2, 30, 50.5), (0, 60)])
@pytest.mark.parametrize("start", [START_S, START_S + 0.05, START_S + 0.95])
def test_stages_add_up_to_the_run(tmp_path, bounds, start):
    meta = stages_meta(*bounds, start=start)
    run = load_run(write_run(tmp_path, meta=meta, duration_s=61))
    found = stage_figures(run)
    assert sum(stage.figures.n for stage in found) == run.totals[0] == 610
    every = endpoint_figures(run)[-1].figures
    assert sum(stage.figures.bytes_in for stage in found) == every.bytes_in


def test_a_second_belongs_to_the_stage_that_has_more_of_it(tmp_path):
    run = load_run(write_run(tmp_path, {CHECK: Traffic(10)}, meta=stages_meta(0, 10, 60)))
    # The run began at 0.9 of its first second, so second 10 is from 9.1 to 10.1 s after it.
    assert [stage.figures.n for stage in stage_figures(run)] == [110, 490]


def test_requests_after_the_last_stage_belong_to_the_last_that_was_reached(tmp_path):
    traffic = {CHECK: Traffic(10, to_s=42)}
    run = load_run(write_run(tmp_path, traffic, meta=stages_meta(0, 20, 40)))
    assert [stage.figures.n for stage in stage_figures(run)] == [210, 210]


def test_stages_that_a_run_did_not_reach_are_left_out(tmp_path):
    meta = stages_meta(0, 10, 20, 30, 40, 100, ended="limit found")
    run = load_run(write_run(tmp_path, {CHECK: Traffic(10, to_s=30)}, meta=meta))
    # The last request started 29.1 s after the start; the wait for answers reached no stage.
    assert [stage.name for stage in stage_figures(run)] == ["s0", "s10", "s20"]
    assert stages_reached(run) == 3


def test_an_endless_stage_ends_with_the_run(tmp_path):
    stage = {"name": "watch", "start_s": 0, "end_s": None, "users_from": 1, "users_to": 1}
    meta = smoke_meta(stages=[stage], planned={"users_max": 1, "duration_s": None})
    run = load_run(write_run(tmp_path, meta=meta))
    assert run.notes == ()
    (found,) = stage_figures(run)
    assert (found.end_s, found.figures.n) == (pytest.approx(59.75), 600)


def test_the_wait_for_the_last_answers_does_not_lower_the_rate(tmp_path):
    traffic = {CHECK: Traffic(10, to_s=60)}
    for planned_s in (60.0, None):
        meta = smoke_meta(end=START_S + 120.25, planned={"users_max": 10, "duration_s": planned_s})
        run = load_run(write_run(tmp_path, traffic, duration_s=120, meta=meta))
        assert endpoint_figures(run)[0].figures.rps == pytest.approx(10, rel=0.01)
        assert run.load_s + run.drain_s == pytest.approx(120)
        verdict = judge_directory(run.path)
        assert (verdict.duration_s, verdict.drain_s) == (60, 60)


def test_endpoints_add_up_to_all_requests(tmp_path):
    *parts, every = endpoint_figures(load_run(write_run(tmp_path)))
    assert every.endpoint == "all requests"
    assert sum(part.figures.n for part in parts) == every.figures.n == 600


def test_the_busiest_endpoint_comes_first(tmp_path):
    traffic = {"/a": Traffic(1, constant(5)), "/b": Traffic(9, lognormal(5))}
    run = load_run(write_run(tmp_path, traffic))
    assert run.endpoints == (Endpoint("POST", "/b"), Endpoint("POST", "/a"))


def test_the_builders_quick_windows_equal_recorded_ones():
    values = np.exp(np.random.default_rng(5).normal(2, 3, 3000))
    assert quick_window(values).successes == window_of(values, {}).successes


def test_run_json_is_not_rewritten_by_judging(tmp_path):
    path = write_run(tmp_path)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    judge_directory(path)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert json.loads(before["run.json"])["complete"] is True


def test_workers_of_a_run_that_was_killed_have_short_names(tmp_path: Path) -> None:
    ids = [f"build-agent-17.example.com_{n}{'f' * 31}" for n in "ab"]
    lines = [
        {"second": START_S + 1, "process": name, "users": 1, "cpu": 0.1, "lag_ms": 1.0}
        for name in ("master", *ids)
    ]
    path = tmp_path / "2026-11-23T07-31-05Z-load"
    path.mkdir()
    (path / "run.json").write_text('{"format": 1}')
    (path / "windows.jsonl").write_text("")
    (path / "users.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    named = ["master", "unlisted worker 0", "unlisted worker 1"]
    assert load_run(path).health["process"].tolist() == named
