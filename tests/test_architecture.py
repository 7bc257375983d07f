"""The walls of the house: which room may import which, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from otaload.cli import SCENARIOS

ROOT = Path(__file__).resolve().parents[1]

# For each room, the project's rooms that it may import beside itself; the longest prefix counts.
ALLOWED = {
    "staging": set(),
    "otaload.errors": set(),
    "otaload.yamlfile": {"otaload.errors"},
    "otaload.targets": {"otaload.errors", "otaload.yamlfile"},
    "otaload.phase": set(),
    "otaload.redaction": set(),
    "otaload.http": set(),
    "otaload.arrivals": set(),
    "otaload.record": {"otaload.errors"},
    "otaload.live": {
        *("otaload", "otaload.errors", "otaload.yamlfile", "otaload.targets", "otaload.record"),
        *("otaload.http", "otaload.arrivals", "analysis.thresholds", "analysis.limits"),
        *("analysis.abort_rules", "analysis.looks", "analysis.metric_values"),
        *("analysis.quantities", "otaload.phase", "otaload.redaction", "otaload.slack"),
        *("otaload.standard_output", "otaload.ci_job"),
        *("staging.launch", "staging.errors", "staging.fault_spec"),
    },
    "otaload.plugin": {"otaload.live"},
    "analysis": {
        *("otaload", "otaload.errors", "otaload.yamlfile", "otaload.record"),
        "otaload.phase",
    },
    "otaload.browsing": {"otaload.standard_output"},
    "otaload.standard_output": {"otaload.errors"},
    "otaload.comparing": {
        *("otaload.browsing", "otaload.errors", "otaload.standard_output", "analysis"),
    },
    "otaload.exporting": {"otaload.errors", "otaload.standard_output", "analysis"},
    "otaload.slack": {"otaload.errors"},
    "otaload.ci_job": set(),
    "otaload.announcing": {
        *("otaload.ci_job", "otaload.redaction", "otaload.slack", "otaload.standard_output"),
        "analysis",
    },
    "locustfiles": {
        *("otaload.errors", "otaload.targets", "otaload.http", "otaload.live.context"),
        *("otaload.plugin", "otaload.phase", "otaload.arrivals"),
    },
}
ROOMS = ("staging", "otaload", "analysis", "locustfiles")


def imports_of(path: Path) -> set[str]:
    """The dotted names of the project's modules that a file imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names if name.split(".")[0] in ROOMS}


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The longest entry of `ALLOWED` that a module lies in."""
    found = [room for room in ALLOWED if module == room or module.startswith(f"{room}.")]
    return max(found, key=len, default=None)


FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(module_of(path))
    if room is None:
        assert module_of(path) in {"otaload", "otaload.__main__", "otaload.cli"}
        return
    for name in imports_of(path):
        inside = name == room or name.startswith(f"{room}.")
        assert inside or any(
            name == allowed or (name.startswith(f"{allowed}.") and allowed != "otaload")
            for allowed in ALLOWED[room]
        ), f"{module_of(path)} imports {name}"


def test_no_scenario_bears_the_name_of_a_standard_module_or_imports_another() -> None:
    for name in SCENARIOS:
        assert name not in sys.stdlib_module_names
        imported = imports_of(ROOT / "locustfiles" / f"{name}.py")
        assert imported == {"locustfiles.devices", "locustfiles.profiles"}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("otaload.live.wiring", ("pandas", "matplotlib", "numpy")),
        ("otaload.live.judging", ("pandas", "matplotlib", "locust")),
        ("analysis.outputs", ("locust", "gevent")),
        ("analysis.thresholds", ("pandas", "matplotlib", "locust")),
        ("staging.launch", ("uvicorn", "locust")),
        ("otaload.cli", ("pandas", "locust", "matplotlib")),
    ],
)
def test_importing_a_module_does_not_load(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([n for n in {unwanted!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
