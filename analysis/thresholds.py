"""Thresholds: what `thresholds.yaml` may say, and what each endpoint's limits come to.

The global rows judge all requests together and name all their limits.
An endpoint's row may name its pass limit alone; it inherits the others from the global row of the
same metric, and an inherited warning limit that lies below its own pass limit is lifted to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import yaml

from analysis.abort_rules import ABORT, AbortRule, abort_rules
from analysis.limits import (
    DRIFT,
    NAMED_METRICS,
    RECOVERY,
    Bound,
    Limits,
    Metric,
    metric_named,
)
from analysis.quantities import Unit, format_limit, parse_quantity
from analysis.thresholds_phases import (
    DEFAULT_SCOPE,
    PHASES,
    ROW_SECTIONS,
    Scope,
    phase_rows,
    scope_written,
)
from analysis.thresholds_yaml import Entry, Problems, entries, shown, unknown
from otaload.errors import ConfigurationError
from otaload.phase import Phase
from otaload.yamlfile import compose, read_text

DEFAULT_FILE = Path("thresholds.yaml")
SECTIONS = (*ROW_SECTIONS, PHASES, ABORT, "generator")
BOUNDS = ("pass", "warning", "fail")


@dataclass(frozen=True)
class Threshold:
    """One metric of one endpoint, or of all requests where `endpoint` is None, and its limits.

    `scope` are the stages that it judges; `phase` is set where these are limits of one phase only.
    """

    endpoint: str | None
    metric: Metric
    limits: Limits
    scope: Scope = DEFAULT_SCOPE
    phase: Phase | None = None


@dataclass(frozen=True, kw_only=True)
class GeneratorLimits:
    """When the load generator's own measurements are not to be believed.

    A second is bad if a 50-ms timer woke more than `lag_ms` late or the process used more than
    `cpu_ratio` of a core; a run is inconclusive from `at_least` bad seconds that are more than
    `seconds_ratio` of it, or from `in_a_row` bad seconds in a row.
    """

    lag_ms: float = 50.0
    cpu_ratio: float = 0.9
    seconds_ratio: float = 0.01
    at_least: int = 3
    in_a_row: int = 10


@dataclass(frozen=True)
class Thresholds:
    """All thresholds of a file, resolved, in the order they are written.

    `phase_rows` hold in one phase each, in the place of those `rows` that they differ from.
    """

    rows: tuple[Threshold, ...]
    generator: GeneratorLimits = GeneratorLimits()
    source: str = "thresholds.yaml"
    phase_rows: tuple[Threshold, ...] = ()
    abort: tuple[AbortRule, ...] = ()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that the file names, in its order."""
        rows = (*self.rows, *self.phase_rows)
        return tuple(dict.fromkeys(row.endpoint for row in rows if row.endpoint is not None))

    def limits_of(self, endpoint: str | None, metric: Metric) -> Limits | None:
        """The limits written for a metric of an endpoint (None: all requests), if any are."""
        for row in self.rows:
            if row.endpoint == endpoint and row.metric == metric:
                return row.limits
        return None


def load_thresholds(path: Path = DEFAULT_FILE) -> Thresholds:
    """The thresholds of a file; raises `ConfigurationError` naming each line to mend."""
    return parse_thresholds(read_text(path), source=str(path))


def parse_thresholds(text: str, *, source: str = "thresholds.yaml") -> Thresholds:
    """The thresholds of a YAML text; raises `ConfigurationError` naming each line to mend."""
    problems = Problems(source)
    root = compose(text, source)
    if root is None:
        raise ConfigurationError(f"{source}: empty; write at least a `global:` section")
    sections = entries(root, "the file", problems, expected=f"a mapping with {', '.join(SECTIONS)}")
    for name, entry in sections.items():
        if name not in SECTIONS:
            problems.add(entry.key, "the file", unknown(name, SECTIONS, "section"))

    def read_rows(found: Mapping[str, Entry], path: str) -> list[Threshold]:
        return _all_rows(found, path, problems)

    rows = read_rows(sections, "")
    scopes = scope_written(sections, problems)
    generator = GeneratorLimits()
    if "generator" in sections:
        generator = _generator(sections["generator"].value, problems)
    abort = abort_rules(sections[ABORT].value, problems) if ABORT in sections else ()
    problems.raise_any()
    rows = [replace(row, scope=scopes.get(row.endpoint, scopes[None])) for row in rows]
    rows, own_rows = phase_rows(sections, rows, problems, read_rows)
    problems.raise_any()
    if not rows and not own_rows:
        problems.add(root, "the file", "it limits nothing; write at least one metric under global")
        problems.raise_any()
    return Thresholds(
        rows=tuple(rows),
        generator=generator,
        source=source,
        phase_rows=tuple(own_rows),
        abort=abort,
    )


def _all_rows(sections: Mapping[str, Entry], path: str, problems: Problems) -> list[Threshold]:
    """The rows of `global:` and `endpoints:`, whose problems are named below a path of keys."""
    rows: list[Threshold] = []
    if "global" in sections:
        rows += _rows(None, sections["global"].value, f"{path}global", {}, problems)
    problems.raise_any()  # what inherits from a faulty row would only repeat its fault
    general = {row.metric: row.limits for row in rows}
    if "endpoints" in sections:
        where = f"{path}endpoints"
        expected = "a mapping of endpoints"
        for name, entry in entries(
            sections["endpoints"].value, where, problems, expected=expected
        ).items():
            if not name.strip():
                problems.add(entry.key, where, "an endpoint needs a name")
            rows += _rows(name, entry.value, f"{where}.{name}", general, problems)
    return rows


def _rows(
    endpoint: str | None,
    node: yaml.Node,
    where: str,
    general: dict[Metric, Limits],
    problems: Problems,
) -> list[Threshold]:
    found: dict[Metric, Threshold] = {}
    for name, entry in entries(node, where, problems, expected="a mapping of metrics").items():
        if name == PHASES:
            continue  # `scope_written` reads it
        metric = metric_named(name)
        if metric is None:
            names = ("p50", "p90", "p95", "p99", "p99.9", *NAMED_METRICS)
            problems.add(entry.key, where, unknown(name, names, "metric"))
            continue
        if metric in found:
            problems.add(entry.key, where, f"`{name}` is {metric.name}, which is already written")
            continue
        if metric in (DRIFT, RECOVERY) and endpoint is not None:
            problems.add(entry.key, where, f"{name} is judged globally; move it to `global:`")
            continue
        limits = _limits(endpoint, metric, entry, f"{where}.{name}", general.get(metric), problems)
        if limits is not None:
            found[metric] = Threshold(endpoint, metric, limits)
    return list(found.values())


def _limits(
    endpoint: str | None,
    metric: Metric,
    entry: Entry,
    where: str,
    inherited: Limits | None,
    problems: Problems,
) -> Limits | None:
    before = len(problems.lines)
    written = entries(entry.value, where, problems, expected="pass, warning and fail")
    own = "global" if endpoint is None else "endpoint"
    bounds: dict[str, Bound] = {}
    for name, bound in written.items():
        if name not in BOUNDS:
            problems.add(bound.key, where, unknown(name, BOUNDS, "limit"))
            continue
        value = _quantity(bound.value, metric.unit, f"{where}.{name}", problems)
        if value is not None:
            bounds[name] = Bound(value, own)
    if len(problems.lines) > before:
        return None
    if inherited is not None:
        bounds = _inherit(bounds, inherited)
    for name in ("pass", "fail"):
        if name not in bounds:
            mend = "write it" if endpoint is None else f"write it here or in global.{metric.name}"
            problems.add(entry.key, where, f"has no {name} limit; {mend}")
            return None
    problem = _disorder(bounds, metric, own)
    if problem is not None:
        first, text = problem
        problems.add(written[first].key if first in written else entry.key, where, text)
        return None
    return Limits(bounds["pass"], bounds.get("warning"), bounds["fail"])


def _inherit(own: dict[str, Bound], inherited: Limits) -> dict[str, Bound]:
    bounds = {"pass": inherited.pass_below, "fail": inherited.fail_above, **own}
    if "warning" not in own and inherited.warning_below is not None:
        warning = inherited.warning_below
        if warning.value < bounds["pass"].value:
            warning = replace(bounds["pass"], origin=f"{warning.origin}, lifted to pass")
        elif warning.value > bounds["fail"].value:
            warning = replace(bounds["fail"], origin=f"{warning.origin}, lowered to fail")
        bounds["warning"] = warning
    return bounds


def _disorder(bounds: dict[str, Bound], metric: Metric, own: str) -> tuple[str, str] | None:
    """The limit that is out of order and a sentence about it, or None if all are in order."""

    def shown_bound(name: str) -> str:
        inherited = "" if bounds[name].origin == own else ", inherited"
        return f"{name} ({format_limit(bounds[name].value, metric.unit)}{inherited})"

    ordered = [name for name in BOUNDS if name in bounds]
    # Pass against fail first: a lifted warning would only repeat what is wrong with those.
    for lower, upper in (("pass", "fail"), *pairwise(ordered)):
        if bounds[upper].value < bounds[lower].value:
            text = f"{shown_bound(upper)} is below {shown_bound(lower)}"
            return upper, f"{text}; raise {upper} or lower {lower}"
    highest = max(bound.value for bound in bounds.values())
    if metric.name == "error_rate" and highest > 1:
        name = next(name for name in ordered if bounds[name].value > 1)
        return name, f"{shown_bound(name)} is above 100 %; an error rate cannot be"
    return None


def _generator(node: yaml.Node, problems: Problems) -> GeneratorLimits:
    units = {"lag": Unit.MS, "cpu": Unit.RATIO, "seconds": Unit.RATIO}
    fields = {"lag": "lag_ms", "cpu": "cpu_ratio", "seconds": "seconds_ratio"}
    counts = ("at_least", "in_a_row")
    quantities: dict[str, float] = {}
    wholes: dict[str, int] = {}
    expected = "a mapping with lag, cpu, seconds, at_least, in_a_row"
    for name, entry in entries(node, "generator", problems, expected=expected).items():
        where = f"generator.{name}"
        if name in units:
            value = _quantity(entry.value, units[name], where, problems)
            if value is not None:
                quantities[fields[name]] = value
        elif name in counts:
            text = entry.value.value if isinstance(entry.value, yaml.ScalarNode) else ""
            if text.isascii() and text.isdigit() and 1 <= len(text) <= 6 and int(text) >= 1:
                wholes[name] = int(text)
            else:
                what = f"expected a whole number of at least 1, found {shown(entry.value)}"
                problems.add(entry.value, where, what)
        else:
            problems.add(entry.key, "generator", unknown(name, (*units, *counts), "limit"))
    return replace(GeneratorLimits(), **quantities, **wholes)  # type: ignore[arg-type]


def _quantity(node: yaml.Node, unit: Unit, where: str, problems: Problems) -> float | None:
    if not isinstance(node, yaml.ScalarNode):
        problems.add(node, where, f"expected one quantity, found {shown(node)}")
        return None
    try:
        return parse_quantity(node.value, unit)
    except ValueError as error:
        problems.add(node, where, str(error))
        return None
