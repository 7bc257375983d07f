"""`python -m bench.verdicts`: run the simulations, print the acceptance table, exit 1 on a miss."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench.verdicts.table import Row

TOPICS = ("drift", "proportions", "breakpoint", "recovery", "omission", "comparing")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
BEGIN, END = "<!-- acceptance: begin -->", "<!-- acceptance: end -->"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; answers with 1 where a row missed its target or a topic is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="simulated runs of each kind (300)")
    parser.add_argument(
        "--seed", type=int, help="repeat the runs of this seed (default: a new one)"
    )
    parser.add_argument(
        "--only", choices=TOPICS, metavar="NAME", help=f"one of {', '.join(TOPICS)}"
    )
    parser.add_argument("--processes", type=int, default=1, help="topics run side by side (1)")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    options = parser.parse_args(argv)
    if options.runs < 1 or options.processes < 1:
        parser.error("--runs and --processes: give 1 or more")
    if options.write and options.only:
        parser.error("--write: the page holds the whole table; drop --only")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    wanted = [options.only] if options.only else list(TOPICS)
    topics = [name for name in wanted if _exists(name)]
    missing = [name for name in wanted if name not in topics]
    run = partial(run_topic, runs=options.runs, seed=seed)
    if options.processes > 1:
        with ProcessPoolExecutor(options.processes) as pool:
            found = list(pool.map(run, topics))
    else:
        found = [run(name) for name in topics]
    rows = [row for part in found for row in part]
    page = table(rows, seed=seed, runs=options.runs)
    print(page)
    for name in missing:
        print(f"missing: bench/verdicts/{name}.py is not there; its rows are not in the table")
    if options.write:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), page), encoding="utf-8")
    failed = [row for row in rows if not row.met]
    for row in failed:
        print(f"not met: {row.check}: {row.measured}, wanted {row.target}")
    return 1 if failed or missing else 0


def run_topic(name: str, *, runs: int, seed: int) -> list[Row]:
    """The rows of one topic."""
    began = time.perf_counter()
    rows: list[Row] = importlib.import_module(f"bench.verdicts.{name}").rows(runs=runs, seed=seed)
    took_s = time.perf_counter() - began
    print(f"{name}: {len(rows)} rows in {took_s:.0f} s", file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[Row], *, seed: int, runs: int) -> str:
    """The acceptance table as Markdown."""
    lines = ["| Check | Target | Measured | Met | Runs |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.check} | {row.target} | {row.measured} | {'yes' if row.met else '**no**'} "
        f"| {row.runs:,} |"
        for row in rows
    ]
    again = f"python -m bench.verdicts --seed {seed} --runs {runs}"
    return "\n".join([*lines, "", f"Seed {seed}: `{again}`."])


def with_table(page: str, new: str) -> str:
    """A page with the table between its markers replaced; raises `ValueError` without markers."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{PAGE}: has no `{BEGIN}` … `{END}`; put them where the table belongs")
    return pattern.sub(lambda _: f"{BEGIN}\n\n{new}\n\n{END}", page, count=1)


def _exists(name: str) -> bool:
    return importlib.util.find_spec(f"bench.verdicts.{name}") is not None


if __name__ == "__main__":
    sys.exit(main())
