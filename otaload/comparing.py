"""The subcommands on several runs: `otaload compare`, `otaload history` and `otaload index`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from otaload.browsing import open_page
from otaload.errors import ConfigurationError
from otaload.standard_output import print_answer, write_error

BETWEEN, AGAINST = "--", "--against"


def add_compare(commands: argparse._SubParsersAction[Any], *, reports_dir: Path) -> None:
    """Add the parser of `otaload compare`."""
    parser = commands.add_parser(
        "compare",
        help="compare two groups of runs: is the second slower?",
        usage="otaload compare [OPTIONS] A [A ...] -- B [B ...] [OPTIONS]",
        description="Compare the runs before -- (the baseline A) with those after it (B). "
        "A verdict takes 5 runs a side.",
        epilog="exit codes: 0 no regression shown   99 a regression   91 too few runs for a "
        "verdict   104 the runs cannot be compared",
        allow_abbrev=False,
    )
    parser.add_argument(
        "before", nargs="*", metavar="A", help="the runs of the baseline: directories or names"
    )
    parser.add_argument(
        AGAINST,
        nargs="+",
        action="append",
        default=[],
        metavar="B",
        help="the runs to compare with it; -- is short for this option",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write tables and charts into this page, too"
    )
    parser.add_argument(
        "--anyway",
        action="store_true",
        help="compare also runs of different scenarios, loads, mixes, endpoints or kinds of target",
    )
    parser.add_argument(
        "--all-runs",
        action="store_true",
        help="compare also runs that are incomplete, interrupted, crashed or inconclusive",
    )
    _add_common_options(parser, reports_dir)


def add_history(commands: argparse._SubParsersAction[Any], *, reports_dir: Path) -> None:
    """Add the parser of `otaload history`."""
    parser = commands.add_parser(
        "history",
        help="list past runs with their figures",
        description="List past runs, the newest last, with the figures of their verdicts.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "scenario", nargs="?", metavar="SCENARIO", help="only the runs of this scenario"
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=20,
        metavar="N",
        help="the newest N of them (default: %(default)s)",
    )
    _add_common_options(parser, reports_dir)


def add_index(commands: argparse._SubParsersAction[Any], *, reports_dir: Path) -> None:
    """Add the parser of `otaload index`."""
    parser = commands.add_parser(
        "index",
        help="write the page that lists all runs",
        description="Write index.html of the reports directory anew, with all runs and the trends "
        "of their figures, and print its path; each judged run does so, too.",
        allow_abbrev=False,
    )
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    _add_reports_dir(parser, reports_dir)


def groups_spelled_out(arguments: list[str]) -> list[str]:
    """The arguments of a command, with the -- of a comparison replaced by the option it means.

    To argparse -- ends all options, and which words stood before it is lost.
    """
    if arguments[:1] != ["compare"]:
        return arguments
    return [AGAINST if word == BETWEEN else word for word in arguments]


def compare(options: argparse.Namespace) -> int:
    """Compare two groups of runs; answers with the exit code."""
    if not options.before or len(options.against) != 1:
        raise ConfigurationError(
            "compare: name two groups of runs, with -- once between them: "
            "otaload compare A1 A2 … -- B1 B2 …"
        )
    from analysis.comparison import compare_directories
    from analysis.render import comparison_json, comparison_page, comparison_text
    from analysis.run_groups import find_groups

    groups = find_groups(options.before, options.against[0], options.reports_dir)
    comparison = compare_directories(*groups, anyway=options.anyway, all_runs=options.all_runs)
    if options.html:
        _write_page(options.html, comparison_page.html(comparison))
    if options.format == "markdown":
        shown = comparison_text.markdown(comparison)
    elif options.format == "json":
        shown = comparison_json.json(comparison)
    else:
        shown = f"\n{comparison_text.text(comparison, colour=sys.stdout.isatty())}"
        shown += f"\npage: {options.html}\n" if options.html else ""
    print_answer(shown)
    return comparison.exit_code


def history(options: argparse.Namespace) -> int:
    """List past runs; answers with the exit code."""
    if options.limit < 1:
        raise ConfigurationError(f"--limit: {options.limit} is too few; give 1 or more")
    from analysis.history import read_history
    from analysis.render import past_runs

    found = read_history(options.reports_dir, options.scenario, limit=options.limit)
    draw = {"text": past_runs.text, "markdown": past_runs.markdown, "json": past_runs.json}
    print_answer(draw[options.format](found))
    return 0


def index(options: argparse.Namespace) -> int:
    """Write the index of all runs; answers with the exit code."""
    from analysis.run_index import write_index

    path = write_index(options.reports_dir)
    print_answer(f"{path}\n")
    if options.open:
        open_page(path)
    return 0


def refresh_index(run: Path, reports_dir: Path) -> None:
    """A run was judged: write the index anew if it is one of the reports directory.

    What keeps it from being written is told and changes no verdict.
    """
    from analysis.run_index import write_index

    if run.resolve().parent != reports_dir.resolve():
        return
    try:
        write_index(reports_dir)
    except ConfigurationError as error:
        write_error(f"otaload: the index of the runs is not up to date: {error}\n")


def _add_common_options(parser: argparse.ArgumentParser, reports_dir: Path) -> None:
    _add_reports_dir(parser, reports_dir)
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="how it is printed: text, markdown or json (default: %(default)s)",
    )


def _add_reports_dir(parser: argparse.ArgumentParser, reports_dir: Path) -> None:
    parser.add_argument(
        "--reports-dir",
        type=Path,
        default=reports_dir,
        metavar="DIR",
        help="where run directories are looked up (default: the project's reports/)",
    )


def _write_page(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"--html {path}: cannot be written ({error.strerror or error}); name another file"
        ) from error
