"""YAML read as nodes that know their lines, and every problem worded for its writer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from analysis.quantities import shorten
from otaload.errors import ConfigurationError

MAX_BYTES = 256 * 1024
"""More than any real thresholds file, and little enough to be read in a moment."""


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


def read_text(path: Path) -> str:
    """The text of a thresholds file; raises `ConfigurationError` where there is none to be had."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such file; name another or copy the project's thresholds.yaml"
        ) from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: is a directory; name a thresholds file") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror or error}); mend it or name another file"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise ConfigurationError(f"{path!s}: not a file name ({error})") from error
    if len(data) > MAX_BYTES:
        raise ConfigurationError(
            f"{path}: larger than {MAX_BYTES // 1024} KiB; this is not a thresholds file"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def compose(text: str, source: str) -> yaml.Node:
    """The root node of a YAML text; raises `ConfigurationError` where it is not one document."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        raise ConfigurationError(
            f"{where}: not valid YAML ({error.problem or error.context}); mend the line"
        ) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"{source}: not valid YAML ({reason})") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: nested too deeply for a thresholds file") from None
    if root is None:
        raise ConfigurationError(f"{source}: empty; write at least a `global:` section")
    return root


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
