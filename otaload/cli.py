"""The command `otaload`.

The only module that knows all the others. What a subcommand alone needs is imported inside it, so
that `otaload run` does not wait for pandas and `otaload judge` does not patch the process as
locust's import does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from otaload import __version__
from otaload.announcing import announce, announce_unjudged, announce_unstarted, guarded
from otaload.browsing import open_page
from otaload.comparing import (
    add_compare,
    add_history,
    add_index,
    compare,
    groups_spelled_out,
    history,
    index,
    refresh_index,
)
from otaload.errors import ConfigurationError, OtaloadError
from otaload.exporting import add_export, export
from otaload.redaction import Secrets
from otaload.standard_output import (
    drop_output,
    flush_output,
    print_answer,
    write_any_letter,
    write_error,
    write_output,
)
from otaload.yamlfile import did_you_mean

if TYPE_CHECKING:
    from analysis.verdict import Verdict

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ("smoke", "load", "stress", "soak", "spike", "breakpoint", "health")
EXIT_CODES = """\
exit codes (those of k6 where it has one):
  0 pass or warning   99 a threshold failed   104 invalid configuration   105 interrupted
  107 the test code raised   90 warning, with --fail-on-warning   91 inconclusive
  92 refused: the target may not get this load
"""


RUN_OPTIONS = """\
options of the run (these and all others of `locust --help` go to locust as they are):
  --host URL                  the target; without one, the embedded service is started
  --time-scale, --user-scale  rehearse the scenario shorter, smaller
  --faults SPEC               make the embedded service misbehave (docs/faults.md)
  --thresholds FILE, --targets FILE, --reports-dir DIR, --seed N, --fail-on-warning
  --progress HOW              panel (on a terminal), lines (elsewhere), or none
  -t, --run-time 5m           end after that long at the latest
  --processes N               make the load with N processes
docs/command-line.md explains them.
"""


class _Parser(argparse.ArgumentParser):
    """Ends with 104 where argparse ends with 2: wrong arguments are a wrong configuration."""

    def error(self, message: str) -> NoReturn:
        self.exit(
            ConfigurationError.exit_code,
            f"otaload: error: {message}; see `{self.prog} --help`\n",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; answers with the process's exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    if arguments and arguments[0] == "staging":
        # The service has its own options; they are passed on as they are.
        from staging.server import main as serve

        return serve(arguments[1:])
    options, rest = parser.parse_known_args(groups_spelled_out(arguments))
    if rest and options.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        if options.command == "run":
            return _run(options, rest)
        command = {"judge": _judge, "report": _report, "check": _check, "seed": _seed}
        command |= {"compare": compare, "history": history, "index": index, "export": export}
        command["early-stop"] = _early_stop
        return _answer(command[options.command], options)
    except OtaloadError as error:
        write_error(f"otaload: error: {Secrets(os.environ).redact(str(error))}\n")
        if options.command == "run" and not options.ui:
            announce_unstarted(options.scenario, str(error), os.environ)
        return error.exit_code


def _answer(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """The exit code of a command, whether or not anybody reads its output to the end."""
    write_any_letter()
    try:
        code = command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        # Once more for its exit code: a failed verdict stays one under `| head`.
        code = command(options)
        sys.stdout.flush()
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser, with every subcommand and option documented."""
    parser = _Parser(
        prog="otaload",
        description="Load tests for over-the-air update services, with honest verdicts.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"otaload {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    run = commands.add_parser(
        "run",
        help="run a scenario (or any locustfile) headless, and judge it",
        description="Run a scenario or a locustfile headless; the exit code is its verdict.",
        epilog=f"{RUN_OPTIONS}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    run.add_argument("scenario", help=f"{', '.join(SCENARIOS)}, or the path of a locustfile")
    run.add_argument("--ui", action="store_true", help="open locust's web UI instead of headless")

    judge = commands.add_parser(
        "judge",
        help="judge a finished run again, from its files",
        description="Judge a run from its files and write its verdict and report anew.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report = commands.add_parser(
        "report",
        help="write a run's report anew",
        description="Write a run's report anew and print its path; the exit code is 0.",
    )
    for command in (judge, report):
        command.add_argument(
            "run", metavar="RUN", help="a run directory, its name, or the word latest"
        )
        command.add_argument(
            "--reports-dir",
            type=Path,
            default=ROOT / "reports",
            metavar="DIR",
            help="where run directories are looked up (default: the project's reports/)",
        )
        command.add_argument(
            "--thresholds",
            type=Path,
            metavar="FILE",
            help="judge by these limits (default: the copy in the run directory)",
        )
        command.add_argument(
            "--partial",
            action="store_true",
            help="judge an incomplete run by what there is instead of calling it inconclusive",
        )
    judge.add_argument(
        "--fail-on-warning", action="store_true", help="end with 90 when the verdict is a warning"
    )
    judge.add_argument(
        "--notify",
        action="store_true",
        help="send the verdict to the Slack webhook in SLACK_WEBHOOK_URL, as a run does at its end",
    )

    report.add_argument("--open", action="store_true", help="open it in a browser")

    early_stop = commands.add_parser(
        "early-stop",
        help="look at the drift of a soak that is under way",
        description="Print as JSON how far p99 has drifted in a soak so far, and whether that is "
        "above the fail limit for certain; a soak asks this itself and ends at the second yes in a "
        "row.",
    )
    early_stop.add_argument("run", metavar="RUN", help="the directory of the run")
    early_stop.add_argument(
        "--at",
        type=float,
        metavar="SECONDS",
        help="look at what started until then, after the start (default: all there is)",
    )

    check = commands.add_parser(
        "check",
        help="check thresholds.yaml and targets.yaml and print what they come to",
        description="Check the configuration and print the resolved thresholds.",
    )
    seed = commands.add_parser(
        "seed",
        help="create the test data of the embedded service, or check a target's",
        description="Create test app, releases with bundles, API key and user for the embedded "
        "service, and print the variables to export; or verify with --check that they exist.",
    )
    seed.add_argument("--check", action="store_true", help="verify the data on the target")
    seed.add_argument("--host", metavar="URL", help="the target to check (default: API_BASE_URL)")
    seed.add_argument(
        "--data-dir",
        type=Path,
        default=Path("staging-data"),
        metavar="DIR",
        help="where database and bundles go (default: %(default)s)",
    )
    seed.add_argument(
        "--bundle-bytes",
        default="2MiB",
        metavar="SIZE",
        help="size of each bundle, or of each in turn: 512KiB,10MiB (default: %(default)s)",
    )
    seed.add_argument(
        "--releases", type=int, default=2, metavar="N", help="releases (default: %(default)s)"
    )
    seed.add_argument(
        "--port",
        type=int,
        default=8787,
        help="the port that the printed URL names (default: %(default)s)",
    )
    for command in (check, seed):
        command.add_argument(
            "--targets",
            type=Path,
            default=ROOT / "targets.yaml",
            metavar="FILE",
            help="the description of the service (default: the project's targets.yaml)",
        )
    check.add_argument(
        "--thresholds",
        type=Path,
        default=ROOT / "thresholds.yaml",
        metavar="FILE",
        help="the limits (default: the project's thresholds.yaml)",
    )
    add_compare(commands, reports_dir=ROOT / "reports")
    add_history(commands, reports_dir=ROOT / "reports")
    add_index(commands, reports_dir=ROOT / "reports")
    add_export(commands, reports_dir=ROOT / "reports")
    commands.add_parser(
        "staging",
        help="start the embedded service in the foreground",
        description="See `otaload staging --help` for the service's own options.",
        add_help=False,
    )
    return parser


def find_locustfile(scenario: str) -> Path:
    """The file of a scenario's name or of a path; raises `ConfigurationError` for neither."""
    if scenario in SCENARIOS:
        return ROOT / "locustfiles" / f"{scenario}.py"
    path = Path(scenario)
    if path.suffix == ".py":
        if path.is_file():
            return path
        raise ConfigurationError(f"{scenario}: no such locustfile; check the path")
    raise ConfigurationError(
        f"{scenario}: no such scenario{did_you_mean(scenario, SCENARIOS)} (or give a .py file)"
    )


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    for word in rest:
        # Locust takes an option by its first letters.
        if word.startswith(("-f", "--loc")) and not word.startswith("--fail"):
            raise ConfigurationError(
                f"{word}: the locustfile is the word after `otaload run`; use locust -f for several"
            )
    files = str(find_locustfile(options.scenario))
    if options.scenario not in SCENARIOS:
        # A locustfile that knows nothing of otaload is recorded all the same.
        files = f"{ROOT / 'otaload' / 'plugin.py'},{files}"
    command = [sys.executable, "-m", "locust", "-f", files]
    if not options.ui:
        command.append("--headless")
    flush_output()
    # Replaced, not wrapped: signals and the exit code need no go-between.
    os.execv(command[0], [*command, *rest])  # noqa: S606 -- our own interpreter


def _judge(options: argparse.Namespace) -> int:
    from analysis.render import text

    try:
        path, verdict = _judged(options, fail_on_warning=options.fail_on_warning)
    except Exception as error:
        broke = f"the judge itself broke ({type(error).__name__})"
        reason = str(error) if isinstance(error, OtaloadError) else broke
        announce_unjudged(Path(options.run).name, reason, os.environ, notify=options.notify)
        raise
    shown = text(verdict, colour=sys.stdout.isatty()).rstrip()
    # Whoever reads it or does not, the verdict stands, and others are told of it.
    write_output(guarded(f"\n{shown}\n\nreport: {path / 'report.html'}\n", os.environ))
    announce(verdict, os.environ, notify=options.notify)
    return verdict.exit_code


def _report(options: argparse.Namespace) -> int:
    path, _ = _judged(options, fail_on_warning=False)
    print_answer(f"{path / 'report.html'}\n")
    if options.open:
        open_page(path / "report.html")
    return 0


def _judged(options: argparse.Namespace, *, fail_on_warning: bool) -> tuple[Path, Verdict]:
    from analysis.outputs import find_run, report_directory

    path = find_run(options.reports_dir, options.run)
    verdict = report_directory(
        path,
        thresholds_path=options.thresholds,
        fail_on_warning=fail_on_warning,
        partial=options.partial,
    )
    refresh_index(path, options.reports_dir)
    return path, verdict


def _early_stop(options: argparse.Namespace) -> int:
    from analysis.run_look import look_at

    print_answer(f"{json.dumps(look_at(Path(options.run), at_s=options.at))}\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    from analysis.thresholds import load_thresholds
    from analysis.thresholds_shown import resolved_table
    from otaload.targets import load_targets

    thresholds = load_thresholds(options.thresholds)
    targets = load_targets(options.targets, os.environ)
    print_answer(resolved_table(thresholds).rstrip() + "\n\n")
    where = (
        f"{targets.base_url} (from {targets.base_url_source})"
        if targets.base_url
        else ("the embedded service, as neither API_BASE_URL nor target.base_url is set")
    )
    lines = [
        f"target      {where}",
        f"app         {targets.app_id}",
        f"API key     {'set' if targets.api_key else 'not set (LOAD_TEST_API_KEY)'}",
        f"download    {targets.download_mode}",
        f"production  {', '.join(rule.described for rule in targets.production) or 'no host'}",
    ]
    print_answer("\n".join(lines) + "\n")
    return 0


def _seed(options: argparse.Namespace) -> int:
    if options.check:
        return _check_seed(options)
    from staging.errors import StagingError
    from staging.quantities import size_bytes
    from staging.seed import environment, seed
    from staging.store import Store

    try:
        sizes = [size_bytes(size) for size in options.bundle_bytes.split(",")]
    except ValueError as error:
        raise ConfigurationError(f"--bundle-bytes: {error}") from error
    if options.releases < 1:
        raise ConfigurationError(f"--releases: {options.releases} is too few; give 1 or more")
    try:
        store = Store(options.data_dir)
        try:
            each = sizes[0] if len(sizes) == 1 else sizes
            seeded = seed(store, bundle_bytes=each, releases=options.releases)
        finally:
            store.close()
    except StagingError as error:
        raise ConfigurationError(str(error)) from error
    variables = environment(
        base_url=f"http://127.0.0.1:{options.port}",
        api_key=seeded.api_key,
        app_id=seeded.app_id,
        release_id=seeded.release_id,
    )
    state = "created" if seeded.changed else "already there"
    print_answer(
        f"# {state} in {options.data_dir}; serve it with\n"
        f"#   otaload staging --data-dir {options.data_dir} --port {options.port}\n"
    )
    for name, value in variables.items():
        print_answer(f"export {name}={value}\n")
    return 0


def _check_seed(options: argparse.Namespace) -> int:
    from otaload.live.aim import tls_context
    from otaload.targets import check_base_url, load_targets
    from staging.verification import Endpoints, Status, check

    targets = load_targets(options.targets, os.environ)
    base_url = check_base_url(options.host, "--host") if options.host else targets.base_url
    if base_url is None:
        raise ConfigurationError("--check: no target; give --host or set API_BASE_URL")
    download = {
        "follow": None,
        "fixed": f"{targets.download.path}?appId={{app_id}}&releaseId={{release_id}}",
        "template": targets.download.path,
    }[targets.download_mode]
    findings = check(
        base_url,
        targets.api_key or "",
        targets.app_id,
        targets.release_id or "",
        endpoints=Endpoints(
            check=targets.check.path,
            register=targets.register.path,
            download=download,
            health=targets.health.path,
        ),
        tls=tls_context(targets) if base_url.startswith("https") else None,
    )
    secrets = Secrets(os.environ)  # the service's own words are among the findings
    for finding in findings:
        print_answer(f"{secrets.redact(str(finding))}\n")
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    return ConfigurationError.exit_code if failed else 0
