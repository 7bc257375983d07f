"""`verdict.json` keeps what `docs/verdict.schema.json` promises, for every kind of run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from spike_runs import slow_until, spike_run
from synthetic_runs import (
    CHECK,
    DOWNLOAD,
    PROJECT,
    Traffic,
    constant,
    lognormal,
    normal_traffic,
    smoke_meta,
    write_run,
)
from test_analysis_arrivals import write as arrivals_run
from test_analysis_breakpoint import history
from test_analysis_breakpoint import run_of as breakpoint_run
from test_analysis_ci_outputs import hostile_run
from test_analysis_omission import paced_run
from test_analysis_render import failing_run

from analysis import render
from analysis.outputs import judge_directory

SCHEMA = json.loads((PROJECT / "docs" / "verdict.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
GOLDEN = Path(__file__).parent / "golden"
ABORTED = {
    "rule": "error_rate above 20 % over 30 s",
    "reason": "50 % of the requests failed",
    "at_s": 31.5,
    "value": 0.5,
}


def soak_run(parent: Path) -> Path:
    """A soak of two hours whose latency drifts."""
    meta = smoke_meta(
        scenario="soak", planned={"users_max": 10, "duration_s": 7200.0}, stages=[], exercises=None
    )
    meta |= {"end": meta["start"] + 7200.0}
    traffic = {CHECK: Traffic(2, lognormal(100, drift_an_hour=0.4))}
    return write_run(parent, traffic, duration_s=7200, meta=meta)


def connecting_run(parent: Path) -> Path:
    """A run whose client tells the set-up of its connections, over TLS."""
    path = write_run(parent)
    lines = [json.loads(line) for line in (path / "windows.jsonl").read_text().splitlines()]
    for line in lines[:40]:
        one = {"counts": [1095, 1], "sum_us": 25006, "min_us": 25006, "max_us": 25006}
        line |= {"connects": one, "handshakes": one, "resent": 1}
    (path / "windows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


KINDS: dict[str, Callable[[Path], Path]] = {
    "passing": write_run,
    "failing": failing_run,
    "warning": lambda p: write_run(p, {**normal_traffic(), CHECK: Traffic(7, constant(600))}),
    "hostile": hostile_run,
    "empty": lambda p: write_run(p, {}),
    "only failures": lambda p: write_run(p, {CHECK: Traffic(3, error_ratio=1.0)}),
    "interrupted": lambda p: write_run(p, meta=smoke_meta(interrupted="SIGTERM", complete=False)),
    "crashed": lambda p: write_run(p, meta=smoke_meta(crashes={"count": 1, "first": "Boom"})),
    "refused": lambda p: write_run(p, meta=smoke_meta(ended="refused", refusal="h is production")),
    "bare": lambda p: write_run(p, meta={}, health=None),
    "rehearsal": lambda p: write_run(p, meta=smoke_meta(rehearsal={"time_scale": 0.1})),
    "aborted": lambda p: write_run(p, meta=smoke_meta(aborted=ABORTED, ended="aborted")),
    "aborted, unexplained": lambda p: write_run(p, meta=smoke_meta(ended="aborted", aborted={})),
    "connecting": connecting_run,
    "soak": soak_run,
    "short soak": lambda p: write_run(p, meta=smoke_meta(scenario="soak")),
    "spike": lambda p: spike_run(p, slow_until(200)),
    "spike, unrecovered": lambda p: spike_run(p, slow_until(1000)),
    "arrivals": arrivals_run,
    "missed arrivals": lambda p: arrivals_run(p, lambda t: (10, 2)),
    "paced": paced_run,
    "paced, late": lambda p: paced_run(p, lost=200),
    "breakpoint": breakpoint_run,
    "breakpoint, none": lambda p: breakpoint_run(p, history("none", 220.0, None)),
    "breakpoint, crashed": lambda p: write_run(p, meta=smoke_meta(scenario="breakpoint")),
}


def content_of(path: Path, **options: bool) -> dict[str, Any]:
    """The verdict on a run as a program reads it."""
    return json.loads(render.json(judge_directory(path, **options)))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, dict[str, Any]]:
    """The verdict of a run of each kind."""
    return {kind: content_of(make(tmp_path_factory.mktemp("run"))) for kind, make in KINDS.items()}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_golden_verdict_keeps_the_schema() -> None:
    VALIDATOR.validate(json.loads((GOLDEN / "verdict.json").read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_keeps_the_schema(verdicts, kind: str) -> None:
    VALIDATOR.validate(verdicts[kind])


def test_a_warning_that_fails_and_a_partial_verdict_keep_the_schema(tmp_path: Path) -> None:
    warned = content_of(KINDS["warning"](tmp_path / "a"), fail_on_warning=True)
    partial = content_of(KINDS["interrupted"](tmp_path / "b"), partial=True)
    assert (warned["exit_code"], partial["partial"]) == (90, True)
    VALIDATOR.validate(warned)
    VALIDATOR.validate(partial)


def objects_of(schema: dict[str, Any], value: Any) -> Iterator[tuple[int, dict[str, Any], Any]]:
    """Every object of the schema with the values that it describes in a verdict."""
    schema = resolved(schema)
    if isinstance(value, list):
        for item in value:
            yield from objects_of(schema.get("items", {}), item)
    elif isinstance(value, dict):
        yield id(schema), schema, value
        for name, part in schema.get("properties", {}).items():
            yield from objects_of(part, value[name])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference, or the one that may be null, stands for."""
    for choice in schema.get("oneOf", ()):
        if "$ref" in choice:
            return resolved(choice)
    if "$ref" in schema:
        return resolved(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    return schema


def test_every_part_of_the_schema_occurs_in_some_verdict_and_forbids_further_keys(verdicts) -> None:
    seen: set[int] = set()
    for content in verdicts.values():
        for identity, schema, value in objects_of(SCHEMA, content):
            seen.add(identity)
            if "properties" in schema:
                assert set(schema["required"]) == set(schema["properties"]) == set(value)
                assert schema["additionalProperties"] is False
    unseen = [name for name, part in SCHEMA["$defs"].items() if id(part) not in seen]
    assert unseen == []


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"outcome": "great"},
        {"exit_code": 0},
        {"tier": "pass"},
        {"surprise": 1},
        {"requests": -1},
        {"requests": "541"},
        {"checks": [{}]},
        {"omission": {}},
        {"headline": ""},
    ],
)
def test_what_is_no_verdict_does_not_keep_the_schema(change: dict[str, Any]) -> None:
    golden = json.loads((GOLDEN / "verdict.json").read_text())
    with pytest.raises(ValidationError):
        VALIDATOR.validate(golden | change)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(
            {key: value for key, value in golden.items() if key not in change} | {"x": 0}
        )


@pytest.mark.parametrize("key", SCHEMA["properties"])
def test_a_verdict_without_one_of_its_keys_does_not_keep_the_schema(key: str) -> None:
    golden = json.loads((GOLDEN / "verdict.json").read_text())
    del golden[key]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(golden)


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from([*smoke_meta(), "aborted", "pacing_s", "think_s"]), _ANYTHING, max_size=4
    )
)
def test_whatever_run_json_says_the_verdict_keeps_the_schema(tmp_path_factory, changes) -> None:
    path = write_run(tmp_path_factory.mktemp("any"), {DOWNLOAD: Traffic(2)}, duration_s=20)
    content = {**json.loads((path / "run.json").read_text()), **changes}
    (path / "run.json").write_text(json.dumps(content))
    VALIDATOR.validate(content_of(path))


# The page on the run directory


def documented() -> tuple[str, set[str]]:
    """The page's text, and the keys in the tables of its part on `verdict.json`."""
    page = (PROJECT / "docs" / "run-directory.md").read_text()
    part = page[page.index("## verdict.json") :].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", part, re.MULTILINE)
    return page, {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def names_of(schema: dict[str, Any]) -> Iterator[str]:
    """Every key that the schema knows."""
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})


def test_every_key_of_the_schema_is_documented_and_no_other() -> None:
    page, keys = documented()
    names = set(names_of(SCHEMA))
    assert keys - names == set()
    assert set(SCHEMA["properties"]) - keys == set()
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
