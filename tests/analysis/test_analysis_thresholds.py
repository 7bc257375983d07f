"""The thresholds file: what it may say, how limits are inherited, and every error's exact text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_runs import PROJECT

from analysis.limits import Metric, Tier
from analysis.thresholds import (
    SECTIONS,
    GeneratorLimits,
    load_thresholds,
    parse_thresholds,
)
from analysis.thresholds_shown import resolved_table
from otaload.errors import ConfigurationError

P95, P99, ERROR_RATE = Metric("p95"), Metric("p99"), Metric("error_rate")
GLOBAL = "global:\n  p95: {pass: 800 ms, warning: 1500 ms, fail: 2 s}\n"


def shipped():
    return load_thresholds(PROJECT / "thresholds.yaml")


@pytest.mark.parametrize(
    ("endpoint", "metric", "bounds"),
    [
        (None, "p95", (800, 1500, 2000)),
        (None, "p99", (1500, 3000, 5000)),
        (None, "error_rate", (0.0001, 0.001, 0.005)),
        (None, "p99_drift", (0.15, 0.30, 0.50)),
        ("/updates/check", "p95", (500, 1500, 2000)),
        ("/updates/check", "p99", (1000, 3000, 5000)),
        ("/bundles/download", "p95", (2000, 2000, 2000)),
        ("/bundles/download", "p99", (5000, 5000, 5000)),
        ("/devices/register", "p95", (1000, 1500, 2000)),
        ("/devices/register", "p99", (2000, 3000, 5000)),
    ],
)
def test_the_shipped_file_holds_the_missions_numbers(endpoint, metric, bounds):
    assert shipped().limits_of(endpoint, Metric(metric)).values == bounds


def test_the_shipped_file_limits_the_generator_as_the_statistics_say():
    assert shipped().generator == GeneratorLimits()


@pytest.mark.parametrize(
    ("value", "tier", "gap"),
    [
        (799.9, Tier.PASS, False),
        (800, Tier.WARNING, False),
        (1499.9, Tier.WARNING, False),
        (1500, Tier.WARNING, True),
        (1700, Tier.WARNING, True),
        (2000, Tier.WARNING, True),
        (2000.1, Tier.FAIL, False),
    ],
)
def test_global_p95_has_the_tier_that_the_mission_writes(value, tier, gap):
    limits = shipped().limits_of(None, P95)
    assert (limits.tier_of(value), limits.in_gap(value)) == (tier, gap)


@pytest.mark.parametrize(
    ("ratio", "tier"),
    [
        (0, Tier.PASS),
        (0.000099, Tier.PASS),
        (0.0001, Tier.WARNING),
        (0.001, Tier.WARNING),
        (0.005, Tier.WARNING),
        (0.00501, Tier.FAIL),
    ],
)
def test_global_error_rate_has_the_tier_that_the_mission_writes(ratio, tier):
    assert shipped().limits_of(None, ERROR_RATE).tier_of(ratio) is tier


@pytest.mark.parametrize(
    ("value", "tier"), [(1999.9, Tier.PASS), (2000, Tier.WARNING), (2000.1, Tier.FAIL)]
)
def test_a_download_passes_below_two_seconds_and_fails_above(value, tier):
    limits = shipped().limits_of("/bundles/download", P95)
    assert limits.tier_of(value) is tier
    assert limits.warning_below.origin == "global, lifted to pass"
    assert limits.fail_above.origin == "global"
    assert limits.pass_below.origin == "endpoint"


def test_an_endpoint_may_write_all_its_limits():
    text = GLOBAL + "endpoints:\n  /a:\n    p95: {pass: 10 ms, warning: 20 ms, fail: 30 ms}\n"
    limits = parse_thresholds(text).limits_of("/a", P95)
    assert limits.values == (10, 20, 30)


def test_an_inherited_warning_above_an_own_fail_limit_is_lowered_to_it():
    text = GLOBAL + "endpoints:\n  /a:\n    p95: {pass: 500 ms, fail: 1200 ms}\n"
    limits = parse_thresholds(text).limits_of("/a", P95)
    assert limits.values == (500, 1200, 1200)
    assert limits.warning_below.origin == "global, lowered to fail"


def test_without_a_warning_limit_there_is_no_gap():
    limits = parse_thresholds("global:\n  p90: {pass: 1 s, fail: 2 s}\n").rows[0].limits
    assert limits.tier_of(1500) is Tier.WARNING
    assert not limits.in_gap(1500)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.yaml: empty; write at least a `global:` section"),
        ("# only a comment\n", "t.yaml: empty; write at least a `global:` section"),
        (
            "- p95\n",
            f"t.yaml:1: the file: expected a mapping with {', '.join(SECTIONS)}, found a list",
        ),
        ("{}", "t.yaml:1: the file: it limits nothing; write at least one metric under global"),
        (
            "a: b: c\n",
            "t.yaml:1: not valid YAML (mapping values are not allowed here); mend the line",
        ),
        (
            "globl:\n  p95: {pass: 1 s, fail: 2 s}\n",
            "t.yaml:1: the file: unknown section `globl`; did you mean `global`?",
        ),
        (
            "global:\n  p59: {pass: 1 s, fail: 2 s}\n  latency: {}\n",
            "t.yaml:3: global: unknown metric `latency`; known are "
            "p50, p90, p95, p99, p99.9, max, mean, error_rate, p99_drift, "
            "recovery",
        ),
        (
            "global:\n  eror_rate: {pass: 1 %, fail: 2 %}\n",
            "t.yaml:2: global: unknown metric `eror_rate`; did you mean `error_rate`?",
        ),
        (
            "global:\n  p95: {pass: 800, fail: 2 s}\n",
            "t.yaml:2: global.p95.pass: `800` has no unit; write `800 ms`",
        ),
        (
            "global:\n  error_rate: {pass: 0.01, fail: 1 %}\n",
            "t.yaml:2: global.error_rate.pass: `0.01` has no unit; write `0.01 %`",
        ),
        (
            "global:\n  p95: {pass: 5 %, fail: 2 s}\n",
            "t.yaml:2: global.p95.pass: `5 %` has the wrong unit; "
            "write for example `800 ms` or `2 s`",
        ),
        (
            "global:\n  error_rate: {pass: 5 ms, fail: 2 %}\n",
            "t.yaml:2: global.error_rate.pass: `5 ms` has the wrong unit; "
            "write for example `0.5 %`",
        ),
        (
            "global:\n  p95: {pass: -5 ms, fail: 2 s}\n",
            "t.yaml:2: global.p95.pass: `-5 ms` is not a quantity; "
            "write for example `800 ms` or `2 s`",
        ),
        (
            "global:\n  p95: {pass: .inf, fail: 2 s}\n",
            "t.yaml:2: global.p95.pass: `.inf` is not a quantity; "
            "write for example `800 ms` or `2 s`",
        ),
        (
            "global:\n  error_rate: {pass: 0 %, fail: 2 %}\n",
            "t.yaml:2: global.error_rate.pass: `0 %` can never be met; write a limit above 0",
        ),
        (
            "global:\n  error_rate: {pass: 1 %, fail: 200 %}\n",
            "t.yaml:2: global.error_rate: fail (200 %) is above 100 %; an error rate cannot be",
        ),
        (
            "global:\n  p95:\n    pass: 500 ms\n    warning: 400 ms\n    fail: 2 s\n",
            "t.yaml:4: global.p95: warning (400 ms) is below pass (500 ms); "
            "raise warning or lower pass",
        ),
        (
            GLOBAL + "endpoints:\n  /a:\n    p95:\n      pass: 3 s\n",
            "t.yaml:5: endpoints./a.p95: fail (2000 ms, inherited) is below pass (3000 ms); "
            "raise fail or lower pass",
        ),
        (
            "global:\n  p95: {pass: 1 s}\n",
            "t.yaml:2: global.p95: has no fail limit; write it",
        ),
        (
            GLOBAL + "endpoints:\n  /a:\n    p99: {pass: 1 s}\n",
            "t.yaml:5: endpoints./a.p99: has no fail limit; write it here or in global.p99",
        ),
        (
            GLOBAL + "endpoints:\n  /a:\n    p99_drift: {pass: 1 %, fail: 2 %}\n",
            "t.yaml:5: endpoints./a: p99_drift is judged globally; move it to `global:`",
        ),
        (
            "global:\n  p95: {pass: 1 s, fail: 2 s, pas: 1 s}\n",
            "t.yaml:2: global.p95: unknown limit `pas`; did you mean `pass`?",
        ),
        (
            "global:\n  p95: {pass: 1 s, pass: 2 s, fail: 3 s}\n",
            "t.yaml:2: global.p95: `pass` is written twice (first in line 2)",
        ),
        (
            "global:\n  p95: {pass: 1 s, fail: 2 s}\n  p95.0: {pass: 1 s, fail: 2 s}\n",
            "t.yaml:3: global: `p95.0` is p95, which is already written",
        ),
        (
            "global:\n  p95: 500 ms\n",
            "t.yaml:2: global.p95: expected pass, warning and fail, found `500 ms`",
        ),
        (
            "global:\n  p95: {pass: [1 s], fail: 2 s}\n",
            "t.yaml:2: global.p95.pass: expected one quantity, found a list",
        ),
        ("global:\n", "t.yaml:1: global: expected a mapping of metrics, found nothing"),
        (
            GLOBAL + "generator:\n  in_a_row: 2.5\n  lagg: 3 ms\n",
            "t.yaml:4: generator.in_a_row: expected a whole number of at least 1, found `2.5`\n"
            "t.yaml:5: generator: unknown limit `lagg`; did you mean `lag`?",
        ),
        ("[" * 5000, "t.yaml: nested too deeply for a configuration file"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line_and_the_remedy(text, message):
    with pytest.raises(ConfigurationError) as caught:
        parse_thresholds(text, source="t.yaml")
    if "p59" in text:  # p59 is a percentile; only the other key is wrong
        assert "p59" not in str(caught.value)
    assert str(caught.value) == message
    assert caught.value.exit_code == 104


def test_all_problems_of_a_file_are_reported_at_once():
    text = "global:\n  p95: {pass: 1, fail: 2 s}\n  p99: {pass: 1 s, fail: 2}\n"
    with pytest.raises(ConfigurationError) as caught:
        parse_thresholds(text)
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_a_directory_a_huge_one_and_a_binary_one_are_refused(tmp_path):
    huge, binary = tmp_path / "huge.yaml", tmp_path / "binary.yaml"
    huge.write_text("#" * 300_000)
    binary.write_bytes(b"global:\n\xff\xfe")
    for path, message in (
        (
            tmp_path / "none.yaml",
            "no such file; check the path",
        ),
        (tmp_path, "is a directory; name a file"),
        (huge, "larger than 256 KiB; this is not a configuration file"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            load_thresholds(path)
        assert str(caught.value) == f"{path}: {message}"
    with pytest.raises(ConfigurationError) as caught:
        load_thresholds(binary)
    assert str(caught.value) == f"{binary}:2: not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("\ufeff" + GLOBAL, encoding="utf-8")
    assert load_thresholds(path).limits_of(None, P95).values == (800, 1500, 2000)


def test_the_resolved_table_shows_each_limits_origin_and_each_gap():
    golden = Path(__file__).parent / "golden" / "resolved.txt"
    assert resolved_table(shipped()) == golden.read_text()


_WORDS = st.sampled_from(
    [
        *("global", "endpoints", "generator", "p95", "p99.9", "error_rate", "pass", "fail", "/a"),
        *("phases", "burst", "abort", "- metric", "above"),
    ]
)
_VALUES = st.one_of(
    st.sampled_from(
        ["800 ms", "2 s", "0.5 %", "5", "", "~", "[burst]", "[", "&a", "*a", "!!int x", "<<"]
    ),
    st.text(max_size=8),
)
_LINES = st.lists(
    st.tuples(st.integers(0, 3), _WORDS, _VALUES).map(lambda p: f"{'  ' * p[0]}{p[1]}: {p[2]}"),
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@given(st.one_of(_LINES.map("\n".join), st.text(max_size=60)))
def test_any_text_is_either_read_or_refused(text):
    try:
        parse_thresholds(text)
    except ConfigurationError as error:
        assert str(error)


@settings(deadline=None, max_examples=50)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_either_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "t.yaml"
    path.write_bytes(content)
    try:
        load_thresholds(path)
    except ConfigurationError as error:
        assert str(error)
