"""The subcommand `otaload export`: a run in a format that other tools read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from otaload.errors import ConfigurationError
from otaload.standard_output import print_answer


def add_export(commands: argparse._SubParsersAction[Any], *, reports_dir: Path) -> None:
    """Add the parser of `otaload export`."""
    parser = commands.add_parser(
        "export",
        help="write a run as CSV or OpenMetrics",
        description="Write a run in a format that other tools read: csv has a row for each second "
        "and endpoint, openmetrics the verdict with its checks, totals and latencies. "
        "The exit code is 0.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a run directory, its name, or the word latest")
    parser.add_argument(
        "--format",
        choices=("csv", "openmetrics"),
        default="csv",
        help="what is written: csv or openmetrics (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write into this file (default: to stdout)"
    )
    parser.add_argument(
        "--thresholds",
        type=Path,
        metavar="FILE",
        help="judge by these limits, of openmetrics (default: the copy in the run directory)",
    )
    parser.add_argument(
        "--reports-dir",
        type=Path,
        default=reports_dir,
        metavar="DIR",
        help="where run directories are looked up (default: the project's reports/)",
    )


def export(options: argparse.Namespace) -> int:
    """Write a run in another format; answers with the exit code."""
    if options.thresholds and options.format == "csv":
        raise ConfigurationError(
            "--thresholds: windows are not judged; leave it out, or add --format openmetrics"
        )
    from analysis.outputs import export_directory, find_run

    path = find_run(options.reports_dir, options.run)
    content = export_directory(path, options.format, thresholds_path=options.thresholds)
    # The lines of CSV end in CR LF everywhere, so nothing may translate them.
    if options.output is None:
        print_answer(content.encode())
        return 0
    try:
        options.output.write_bytes(content.encode())
    except OSError as error:
        raise ConfigurationError(
            f"--output {options.output}: cannot be written ({error.strerror or error}); "
            "name another file"
        ) from error
    return 0
