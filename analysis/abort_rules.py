"""Abort rules: what `thresholds.yaml` may say of when a run is to be stopped for good."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from analysis.limits import ALL_REQUESTS, DRIFT, Metric, metric_named
from analysis.quantities import format_duration, format_limit, format_quantity, parse_quantity
from analysis.thresholds_yaml import Entry, Problems, entries, shown, unknown

ABORT = "abort"
KEYS = ("metric", "endpoint", "above", "over", "after", "at_least")
REQUIRED = ("metric", "above", "over")
METRICS = ("p50", "p90", "p95", "p99", "max", "mean", "error_rate")
AT_LEAST = 100
LONGEST_OVER_S = 600.0
"""The last seconds of a run are kept in memory; what needs more of them is a threshold."""
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(\S*)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_METHOD = re.compile(r"[A-Z]+ +")


@dataclass(frozen=True, kw_only=True)
class AbortRule:
    """Stop the run if `metric` is above a bound over a stretch of `over_s` seconds.

    `above` is in milliseconds or a ratio; the stretch begins `after_s` after the start at the
    earliest, and has at least so many requests. `endpoint` is None for all requests.
    """

    metric: Metric
    above: float
    over_s: float
    after_s: float = 0.0
    at_least: int = AT_LEAST
    endpoint: str | None = None

    @property
    def name(self) -> str:
        """What is watched: `error_rate of /updates/check`."""
        return f"{self.metric.name} of {self.endpoint or ALL_REQUESTS}"

    @property
    def bound_text(self) -> str:
        """The bound with its unit."""
        return format_limit(self.above, self.metric.unit)

    @property
    def text(self) -> str:
        """The rule in a line: `error_rate of /updates/check above 20 % over 30 s`."""
        text = f"{self.name} above {self.bound_text} over {format_duration(self.over_s)}"
        if self.after_s:
            text += f", after {format_duration(self.after_s)}"
        return f"{text}, from {self.at_least} {'request' if self.at_least == 1 else 'requests'}"

    def told(self, value: float | None, n: int) -> str:
        """Why it fires in a sentence; without a value, because nothing was answered."""
        over = f"over {format_duration(self.over_s)}"
        if value is None:
            return f"not one request was answered {over}, for which {self.name} has a rule"
        shown_value = format_quantity(value, self.metric.unit, apart_from=(self.above,))
        return f"{self.name} is {shown_value} {over} (n {n}), above {self.bound_text}"


def abort_rules(node: yaml.Node, problems: Problems) -> tuple[AbortRule, ...]:
    """The rules of a list; each thing wrong with it is a problem of its own."""
    if not isinstance(node, yaml.SequenceNode):
        problems.add(node, ABORT, f"expected a list of rules, found {shown(node)}")
        return ()
    rules = [_rule(item, f"{ABORT}[{i}]", problems) for i, item in enumerate(node.value, start=1)]
    return tuple(rule for rule in rules if rule is not None)


def abort_lines(rules: Sequence[AbortRule]) -> list[str]:
    """The rules, each in a line."""
    return [f"abort: {rule.text}" for rule in rules]


def _rule(node: yaml.Node, where: str, problems: Problems) -> AbortRule | None:
    before = len(problems.lines)
    found = entries(node, where, problems, expected=f"a mapping with {', '.join(KEYS)}")
    for name, entry in found.items():
        if name not in KEYS:
            problems.add(entry.key, where, unknown(name, KEYS, "key"))
    missing = [name for name in REQUIRED if name not in found]
    if missing and isinstance(node, yaml.MappingNode):
        problems.add(node, where, f"has no {' and no '.join(missing)}; write it")
    metric = _metric(found.get("metric"), where, problems)
    above = _above(found.get("above"), metric, where, problems)
    over_s = _seconds(found.get("over"), f"{where}.over", problems)
    if over_s is not None and not 1 <= over_s <= LONGEST_OVER_S:
        what = f"a rule looks at 1 s to {format_duration(LONGEST_OVER_S)}; "
        problems.add(found["over"].value, f"{where}.over", f"{what}a threshold judges longer times")
    after_s = _seconds(found.get("after"), f"{where}.after", problems)
    at_least = _whole(found.get("at_least"), f"{where}.at_least", problems)
    endpoint = _endpoint(found.get("endpoint"), f"{where}.endpoint", problems)
    if len(problems.lines) > before or metric is None or above is None or over_s is None:
        return None
    return AbortRule(
        metric=metric,
        above=above,
        over_s=over_s,
        after_s=after_s or 0.0,
        at_least=AT_LEAST if at_least is None else at_least,
        endpoint=endpoint,
    )


def _metric(entry: Entry | None, where: str, problems: Problems) -> Metric | None:
    name = _text(entry, f"{where}.metric", "a metric such as error_rate", problems)
    if entry is None or name is None:
        return None
    metric = metric_named(name)
    if metric is None or metric == DRIFT:
        problems.add(entry.value, f"{where}.metric", unknown(name, METRICS, "metric"))
        return None
    return metric


def _above(
    entry: Entry | None, metric: Metric | None, where: str, problems: Problems
) -> float | None:
    text = _text(entry, f"{where}.above", "one quantity", problems)
    if entry is None or text is None or metric is None:
        return None
    try:
        value = parse_quantity(text, metric.unit)
    except ValueError as error:
        problems.add(entry.value, f"{where}.above", str(error))
        return None
    if metric.name == "error_rate" and value >= 1:
        problems.add(entry.value, f"{where}.above", "an error rate is never above 100 %; lower it")
        return None
    return value


def _seconds(entry: Entry | None, where: str, problems: Problems) -> float | None:
    text = _text(entry, where, "a duration such as `30 s`", problems)
    if entry is None or text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is not None and match[2] in _SECONDS:
        return float(match[1]) * _SECONDS[match[2]]
    hint = f"write `{text} s`" if match is not None and not match[2] else "write for example `30 s`"
    problems.add(entry.value, where, f"{shown(entry.value)} is not a duration; {hint}")
    return None


def _whole(entry: Entry | None, where: str, problems: Problems) -> int | None:
    text = _text(entry, where, "a whole number of at least 1", problems)
    if entry is None or text is None:
        return None
    if text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text) >= 1:
        return int(text)
    what = f"expected a whole number of at least 1, found {shown(entry.value)}"
    problems.add(entry.value, where, what)
    return None


def _endpoint(entry: Entry | None, where: str, problems: Problems) -> str | None:
    name = _text(entry, where, "the name of an endpoint", problems)
    if entry is None or name is None:
        return None
    if not name.strip():
        problems.add(entry.value, where, "an endpoint needs a name; leave it out for all requests")
    elif _METHOD.match(name):
        bare = _METHOD.sub("", name, count=1)
        what = f"a rule watches all methods of an endpoint together; write `{bare}`"
        problems.add(entry.value, where, what)
    return name


def _text(entry: Entry | None, where: str, expected: str, problems: Problems) -> str | None:
    if entry is None:
        return None
    if isinstance(entry.value, yaml.ScalarNode):
        return str(entry.value.value)
    problems.add(entry.value, where, f"expected {expected}, found {shown(entry.value)}")
    return None
