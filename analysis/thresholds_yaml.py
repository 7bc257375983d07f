"""YAML read as nodes that know their lines, and every problem worded for its writer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml

from analysis.quantities import shorten
from otaload.errors import ConfigurationError


@dataclass
class Problems:
    """What is wrong with a file, gathered so that all of it is reported at once."""

    source: str
    lines: list[tuple[int, str]] = field(default_factory=list)

    def add(self, node: yaml.Node, where: str, what: str) -> None:
        """Note a problem at a node; `where` is the path of keys that leads to it."""
        line: int = node.start_mark.line + 1
        self.lines.append((line, f"{self.source}:{line}: {where}: {what}"))

    def raise_any(self) -> None:
        """Raise `ConfigurationError` with a line for each problem, in the file's order."""
        if self.lines:
            ordered = sorted(self.lines, key=lambda problem: problem[0])
            raise ConfigurationError("\n".join(text for _, text in ordered))


class Entry(NamedTuple):
    """A key of a mapping and its value, as nodes that know their lines."""

    key: yaml.Node
    value: yaml.Node


def entries(node: yaml.Node, where: str, problems: Problems, *, expected: str) -> dict[str, Entry]:
    """The entries of a mapping by name; duplicates and other kinds of nodes are problems."""
    if not isinstance(node, yaml.MappingNode):
        problems.add(node, where, f"expected {expected}, found {shown(node)}")
        return {}
    found_at: dict[str, int] = {}
    found: dict[str, Entry] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.add(key, where, "a key must be plain text")
            continue
        name = str(key.value)
        if name in found_at:
            first = found_at[name]
            problems.add(key, where, f"`{shorten(name)}` is written twice (first in line {first})")
            continue
        found_at[name] = key.start_mark.line + 1
        found[name] = Entry(key, value)
    return found


def shown(node: yaml.Node) -> str:
    """What a node holds, in a few words for a message."""
    if isinstance(node, yaml.ScalarNode):
        return f"`{shorten(node.value)}`" if node.value.strip() else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """A sentence about an unknown key, with what may have been meant."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
    return f"unknown {what} `{shorten(name)}`; {hint}"
