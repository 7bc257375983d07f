"""What benchmarks measure on: the head of each page of results, and how a profile is shown."""

import cProfile
import os
import pstats
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def head(title: str, *sentences: str) -> list[str]:
    """A page's title, when and on what it was measured, and what to know of it."""
    load = os.getloadavg()[0]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return [
        f"# {title}",
        "",
        f"Measured {when} on {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        f"load average {load:.1f} at the end.",
        *sentences,
        "",
    ]


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table whose columns but the first are figures."""
    marks = ["---", *["---:"] * (len(columns) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (columns, tuple(marks), *rows)] + [""]


def own_time(profile: cProfile.Profile, most: int = 12) -> list[tuple[str, str, str]]:
    """The functions in which the most time was spent, their calls, and their share of all time."""
    found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total_s = sum(own_s for _, _, own_s, _, _ in found.values())
    worst = sorted(found.items(), key=lambda entry: -entry[1][2])[:most]
    return [
        (f"`{_named(place)}`", f"{calls:,}", f"{own_s / total_s:.0%}")
        for place, (_, calls, own_s, _, _) in worst
    ]


def _named(place: tuple[str, int, str]) -> str:
    file, _, function = place
    if file == "~":  # built in
        return function.strip("<>").removeprefix("built-in ").removeprefix("method ")
    path = Path(file)
    shown = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else Path(path.name)
    inside = ".venv" in shown.parts
    return f"{Path(*path.parts[-2:]) if inside else shown}: {function}"
