"""The phases that thresholds judge, and limits that hold in one phase only.

Within a phase that has limits of its own, the file is read as if they stood in their places under
`global:` and `endpoints:`, inheritance included.
A threshold whose limits this changes is judged twice: in that phase, and in its others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml

from analysis.limits import ALL_REQUESTS, DRIFT, Metric, metric_named
from analysis.thresholds_yaml import Entry, Problems, entries, shown, unknown
from otaload.phase import Phase

if TYPE_CHECKING:
    from analysis.thresholds import Threshold, Thresholds

PHASES = "phases"
ROW_SECTIONS = ("global", "endpoints")
_LEVELS = {"global": 2, "endpoints": 3}
"""How many mappings lie within each other down to the limits: metrics, or endpoints and metrics."""

Sections = Mapping[str, Entry]
ReadRows = Callable[[Sections, str], "list[Threshold]"]


@dataclass(frozen=True)
class Scope:
    """Which stages of a run a threshold judges.

    By default all but the warm-up, the ramp-up that a run begins with; `named` are the phases that
    the file names in their place, and `without` those in which other limits hold.
    """

    named: tuple[Phase, ...] | None = None
    without: tuple[Phase, ...] = ()
    warm_up: bool = False

    def names(self, phase: Phase) -> bool:
        """Whether a phase may be judged at all."""
        return (self.named is None or phase in self.named) and phase not in self.without

    def judges(self, phase: Phase, *, is_warm_up: bool) -> bool:
        """Whether a stage of that phase is judged."""
        return self.names(phase) and (self.warm_up or not is_warm_up)


DEFAULT_SCOPE = Scope()


def scope_written(sections: Sections, problems: Problems) -> dict[str | None, Scope]:
    """The scope of each endpoint that names its phases, and by None that of all others."""
    found: dict[str | None, Scope] = {None: DEFAULT_SCOPE}
    places: dict[str | None, tuple[Entry, str]] = {}
    if "global" in sections:
        places[None] = (sections["global"], "global")
    if "endpoints" in sections:
        inner = _plain(sections["endpoints"].value)
        places |= {name: (entry, f"endpoints.{name}") for name, entry in inner.items()}
    for endpoint, (entry, where) in places.items():
        inside = _plain(entry.value)
        if PHASES not in inside:
            continue
        if endpoint is not None and len(inside) == 1:
            problems.add(entry.key, where, "names phases and no metric; write one beside them")
        named = _phase_list(inside[PHASES].value, f"{where}.{PHASES}", problems)
        found[endpoint] = Scope(named=named, warm_up=True)
    return found


def _phase_list(node: yaml.Node, where: str, problems: Problems) -> tuple[Phase, ...]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        what = f"expected a list such as [steady, burst], found {shown(node)}"
        problems.add(node, where, "the list is empty; name a phase" if _is_list(node) else what)
        return ()
    found: dict[Phase, None] = {}
    for item in node.value:
        text = item.value if isinstance(item, yaml.ScalarNode) else shown(item)
        phase = next((phase for phase in Phase if phase == text), None)
        if phase is None:
            problems.add(item, where, unknown(text, tuple(Phase), "phase"))
        elif phase in found:
            problems.add(item, where, f"`{phase}` is written twice")
        else:
            found[phase] = None
    return tuple(found)


def _is_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode)


def phase_rows(
    sections: Sections, rows: Sequence[Threshold], problems: Problems, read_rows: ReadRows
) -> tuple[list[Threshold], list[Threshold]]:
    """The general rows with their scopes narrowed, and those of phases with limits of their own.

    `read_rows` reads the rows of sections, below a path that its problems name.
    """
    if PHASES not in sections:
        return list(rows), []
    general = {(row.endpoint, row.metric): row for row in rows}
    own: list[Threshold] = []
    blocks = entries(sections[PHASES].value, PHASES, problems, expected="a mapping of phases")
    for name, entry in blocks.items():
        phase = next((phase for phase in Phase if phase == name), None)
        if phase is None:
            problems.add(entry.key, PHASES, unknown(name, tuple(Phase), "phase"))
            continue
        where = f"{PHASES}.{phase}"
        before = len(problems.lines)
        block = _block(entry.value, where, problems)
        if len(problems.lines) > before:
            continue
        merged = {key: _merged(sections.get(key), block.get(key), key) for key in ROW_SECTIONS}
        present = {key: found for key, found in merged.items() if found is not None}
        for row in read_rows(present, f"{where}."):
            key = (row.endpoint, row.metric)
            made = _own_row(row, general.get(key), phase, written=key in _written(block))
            if made is not None:
                own.append(made)
                if key in general:
                    scope = general[key].scope
                    narrowed = replace(scope, without=(*scope.without, phase))
                    general[key] = replace(general[key], scope=narrowed)
    return list(general.values()), own


def scope_lines(thresholds: Thresholds) -> list[str]:
    """What is judged, a line for each choice of phases, with its endpoints where they differ."""
    by_choice: dict[tuple[Phase, ...] | None, dict[str, None]] = {}
    for row in thresholds.rows:
        endpoints = by_choice.setdefault(row.scope.named, {})
        endpoints[row.endpoint or ALL_REQUESTS] = None
    return [
        f"judged: {'all but the warm-up' if named is None else ', '.join(named)}"
        + (f" ({', '.join(endpoints)})" if len(by_choice) > 1 else "")
        for named, endpoints in by_choice.items()
    ]


def _own_row(
    row: Threshold, general: Threshold | None, phase: Phase, *, written: bool
) -> Threshold | None:
    """The row as one of a phase; None where the general one holds there too, or judges others."""
    if row.metric == DRIFT:
        return None
    if written or general is None:
        return replace(row, scope=Scope((phase,), warm_up=True), phase=phase)
    if general.limits.values == row.limits.values or not general.scope.names(phase):
        return None
    return replace(row, scope=Scope((phase,), warm_up=general.scope.warm_up), phase=phase)


def _block(node: yaml.Node, where: str, problems: Problems) -> dict[str, Entry]:
    """The `global:` and `endpoints:` of a phase; what makes no sense in one is a problem."""
    found = entries(node, where, problems, expected="a mapping with global, endpoints")
    for name, entry in found.items():
        if name not in ROW_SECTIONS:
            problems.add(entry.key, where, unknown(name, ROW_SECTIONS, "section"))
            continue
        expected = "a mapping of metrics" if name == "global" else "a mapping of endpoints"
        rows = entries(entry.value, f"{where}.{name}", problems, expected=expected)
        inner = {"global": entry} if name == "global" else rows
        for key, row in inner.items():
            path = f"{where}.{name}" if name == "global" else f"{where}.{name}.{key}"
            _refuse_general(row, path, problems)
    return found


def _refuse_general(row: Entry, where: str, problems: Problems) -> None:
    """Note what is of the whole file or run and cannot be of one phase."""
    for name, place in _plain(row.value).items():
        if name == PHASES:
            problems.add(place.key, where, "these limits judge this phase; name no others")
        elif name == DRIFT.name:
            what = "p99_drift is judged over the whole run; move it to the file's `global:`"
            problems.add(place.key, where, what)


def _written(block: Sections) -> set[tuple[str | None, Metric | None]]:
    """The rows that a phase writes itself."""
    found: set[tuple[str | None, Metric | None]] = set()
    if "global" in block:
        found |= {(None, metric_named(name)) for name in _plain(block["global"].value)}
    if "endpoints" in block:
        for endpoint, row in _plain(block["endpoints"].value).items():
            found |= {(endpoint, metric_named(name)) for name in _plain(row.value)}
    return found


def _merged(general: Entry | None, own: Entry | None, section: str) -> Entry | None:
    if general is None or own is None:
        return general if own is None else own
    return Entry(own.key, _laid_over(general.value, own, _LEVELS[section]))


def _laid_over(general: yaml.Node, own: Entry, levels: int) -> yaml.Node:
    """The general mapping with a phase's own laid over it, down to the limits."""
    over = own.value
    if not isinstance(general, yaml.MappingNode) or not isinstance(over, yaml.MappingNode):
        return over
    beneath = {_canonical(key): value for key, value in general.value}
    pairs = []
    for key, value in over.value:
        found = beneath.pop(_canonical(key), None)
        deeper = found is not None and levels > 1
        pairs.append((key, _laid_over(found, Entry(key, value), levels - 1) if deeper else value))
    for key, value in general.value:
        if _canonical(key) in beneath:
            pairs.append((_moved(key, own.key) if levels == 1 else key, value))
    return yaml.MappingNode(over.tag, pairs, over.start_mark, over.end_mark)


def _moved(key: yaml.Node, to: yaml.Node) -> yaml.Node:
    """A general limit's key as if it stood where the phase's are, so that problems name that."""
    return yaml.ScalarNode(key.tag, key.value, to.start_mark, to.end_mark)


def _canonical(key: yaml.Node) -> str:
    """A key to find its like by; `p95.0` is p95."""
    name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
    metric = metric_named(name)
    return name if metric is None else metric.name


def _plain(node: yaml.Node) -> dict[str, Entry]:
    """The entries of a mapping with plain keys; whatever else is there, others complain of."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    pairs = [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
    return {str(key.value): Entry(key, value) for key, value in pairs}
