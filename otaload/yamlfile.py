"""Reads YAML files whose errors name the line, the key and the remedy.

A `Section` wraps a mapping and hands its values out one by one, checked; `Section.close` then
refuses what nobody asked for, so an option that is accepted always has a reader.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from otaload.errors import ConfigurationError

MAX_BYTES = 256 * 1024
"""More than any real configuration, and little enough to be read in a moment."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?` for a close name, else the list of known ones."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(known)}" if known else ""


def read_text(path: Path) -> str:
    """The text of a configuration file; raises `ConfigurationError` where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: is a directory; name a file") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror or error}); mend it or name another file"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise ConfigurationError(f"{path!s}: not a file name ({error})") from error
    if len(data) > MAX_BYTES:
        raise ConfigurationError(
            f"{path}: larger than {MAX_BYTES // 1024} KiB; this is not a configuration file"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None


def compose(text: str, source: str) -> yaml.Node | None:
    """The root node of a YAML text, None for an empty one; `source` stands for it in errors.

    Raises `ConfigurationError` where it is not one YAML document.
    """
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        raise ConfigurationError(
            f"{where}: not valid YAML ({error.problem or error.context}); mend the line"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"{source}: not valid YAML ({reason})") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: nested too deeply for a configuration file") from None


def read_yaml(path: Path) -> Section:
    """The top mapping of a YAML file; an empty file is an empty mapping.

    Raises `ConfigurationError` for a file that cannot be read, is no YAML, repeats a key, or is not
    a mapping at its top.
    """
    node = compose(read_text(path), str(path))
    if node is None or node.tag == "tag:yaml.org,2002:null":
        return Section(str(path), "", None, 1)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(f"{path}:1: expected `key: value` lines at the top")
    return Section(str(path), "", node, 1)


class Section:
    """One mapping of a YAML file; `where` is its dotted place, "" at the top."""

    def __init__(self, file: str, where: str, node: yaml.MappingNode | None, line: int) -> None:
        self.file = file
        self.where = where
        self.line = line
        self._nodes: dict[str, tuple[yaml.Node, int]] = {}
        self._asked: set[str] = set()
        for key, value in node.value if node else ():
            key_line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"{file}:{key_line}: a key is a plain word")
            if key.value in self._nodes:
                raise ConfigurationError(
                    f"{file}:{key_line}: {self.dotted(key.value)}: given twice (first on line "
                    f"{self._nodes[key.value][1]}); keep one"
                )
            self._nodes[key.value] = (value, key_line)

    def __contains__(self, key: str) -> bool:
        return key in self._nodes

    def keys(self) -> list[str]:
        """The keys as they stand in the file."""
        return list(self._nodes)

    def dotted(self, key: str) -> str:
        """The place of a key, as errors name it."""
        return f"{self.where}.{key}" if self.where else key

    def error(self, key: str, problem: str) -> ConfigurationError:
        """An error about one key, with its file and line."""
        line = self._nodes[key][1] if key in self._nodes else self.line
        return ConfigurationError(f"{self.file}:{line}: {self.dotted(key)}: {problem}")

    def section(self, key: str) -> Section:
        """A mapping below this one; an absent one is empty."""
        found = self._take(key)
        if found is None:
            return Section(self.file, self.dotted(key), None, self.line)
        node, line = found
        if not isinstance(node, yaml.MappingNode):
            raise self.error(key, "expected a mapping of `key: value`")
        return Section(self.file, self.dotted(key), node, line)

    def sections(self, key: str) -> list[Section]:
        """A list of mappings; an absent one is empty."""
        found = self._take(key)
        if found is None:
            return []
        node = found[0]
        if not isinstance(node, yaml.SequenceNode) or not all(
            isinstance(item, yaml.MappingNode) for item in node.value
        ):
            raise self.error(key, "expected a list of mappings")
        return [
            Section(self.file, f"{self.dotted(key)}[{n}]", item, item.start_mark.line + 1)
            for n, item in enumerate(node.value)
        ]

    def text(self, key: str, default: str | None = None) -> str | None:
        """A scalar as it is written; `default` where the key is absent or null."""
        found = self._take(key)
        if found is None:
            return default
        node = found[0]
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(key, "expected one plain value")
        return str(node.value)

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """One of a few words."""
        value = self.text(key, default) or default
        if value not in allowed:
            raise self.error(key, f"{value!r} is not allowed{did_you_mean(value, allowed)}")
        return value

    def number(self, key: str, default: float, *, least: float = 0.0) -> float:
        """A plain number of at least `least`."""
        value = self.text(key)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            raise self.error(key, f"{value!r} is not a number") from None
        if not least <= number < float("inf"):
            raise self.error(key, f"{value} is out of range; give a number of at least {least:g}")
        return number

    def whole(self, key: str, default: int, *, least: int = 0) -> int:
        """A whole number of at least `least`."""
        number = self.number(key, default, least=least)
        if number != int(number):
            raise self.error(key, f"{number:g} is not a whole number")
        return int(number)

    def flag(self, key: str, *, default: bool) -> bool:
        """`true` or `false`."""
        return self.choice(key, ("true", "false"), "true" if default else "false") == "true"

    def texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of scalars."""
        found = self._take(key)
        if found is None:
            return tuple(default)
        node = found[0]
        if not isinstance(node, yaml.SequenceNode) or not all(
            isinstance(item, yaml.ScalarNode) for item in node.value
        ):
            raise self.error(key, "expected a list, such as [a, b]")
        return tuple(str(item.value) for item in node.value)

    def weights(self, key: str, default: dict[str, float]) -> dict[str, float]:
        """A mapping of names to weights above 0."""
        if key not in self._nodes:
            return default
        section = self.section(key)
        weights = {name: section.number(name, 0.0) for name in section.keys()}  # noqa: SIM118 -- no dict
        if not sum(weights.values()) > 0:
            raise self.error(key, "the weights must add up to more than 0")
        return weights

    def close(self) -> None:
        """Refuse the keys that nobody asked for."""
        for key in self._nodes:
            if key not in self._asked:
                hint = did_you_mean(key, sorted(self._asked))
                raise self.error(key, f"unknown key{hint}")

    def _take(self, key: str) -> tuple[yaml.Node, int] | None:
        self._asked.add(key)
        found = self._nodes.get(key)
        if found and found[0].tag == "tag:yaml.org,2002:null":
            return None
        return found
