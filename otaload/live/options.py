"""otaload's options on Locust's command line, and their values checked."""

from __future__ import annotations

import argparse
import math
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from locust.util.timespan import parse_timespan

from otaload import targets
from otaload.errors import ConfigurationError
from otaload.live.panel import has_terminal
from otaload.standard_output import write_error

ROOT = Path(__file__).resolve().parents[2]
"""The project's checkout: where `thresholds.yaml`, `targets.yaml` and `reports/` stand."""


CI_OFF = ("", "0", "false")
"""Values of the variable `CI` that mean the same as none."""


class ProgressView(StrEnum):
    """How a headless run shows how it stands."""

    PANEL = "panel"
    LINES = "lines"
    NONE = "none"


@dataclass(frozen=True)
class Settings:
    """The checked options; the scales are factors, 1.0 for the real thing."""

    time_scale: float
    user_scale: float
    faults: str | None
    targets_path: Path
    thresholds_path: Path
    reports_dir: Path
    seed: int
    fail_on_warning: bool
    run_time_s: float | None
    early_stop: bool = True
    progress: ProgressView = ProgressView.NONE

    @property
    def is_rehearsal(self) -> bool:
        """Whether the scenario runs smaller or shorter than it is meant to."""
        return self.time_scale != 1.0 or self.user_scale != 1.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add otaload's options to Locust's parser.

    They are texts for the parser and checked by `read_settings`, so that every mistake ends with
    the same exit code.
    """
    # Locust's web UI shows the options of the parser itself in its form, not those of a group.
    add = parser.add_argument
    add(
        "--time-scale",
        metavar="FACTOR",
        default="1",
        env_var="OTALOAD_TIME_SCALE",
        help="Shrink (or stretch) every stage's duration; 0.1 rehearses a 10 minute run in one.",
    )
    add(
        "--user-scale",
        metavar="FACTOR",
        default="1",
        env_var="OTALOAD_USER_SCALE",
        help="Shrink (or stretch) every stage's number of users, or rate of arrivals.",
    )
    group = parser.add_argument_group("otaload", "recording, judging and reporting")
    add = group.add_argument
    add(
        "--faults",
        metavar="SPEC",
        default=None,
        env_var="OTALOAD_FAULTS",
        help="Faults of the embedded service, such as 'error:p=0.01; latency:ms=50ms'; "
        "docs/faults.md lists them.",
    )
    add(
        "--targets",
        metavar="FILE",
        default=str(targets.DEFAULT_PATH),
        env_var="OTALOAD_TARGETS",
        help="The description of the service under test (default: the project's targets.yaml).",
    )
    add(
        "--thresholds",
        metavar="FILE",
        default=str(ROOT / "thresholds.yaml"),
        env_var="OTALOAD_THRESHOLDS",
        help="The limits to judge by (default: the project's thresholds.yaml).",
    )
    add(
        "--reports-dir",
        metavar="DIR",
        default=str(ROOT / "reports"),
        env_var="OTALOAD_REPORTS_DIR",
        help="Where run directories are made (default: the project's reports/).",
    )
    add(
        "--seed",
        metavar="N",
        default="1",
        env_var="OTALOAD_SEED",
        help="Seed of everything random in the devices, so that a run can be repeated.",
    )
    add(
        "--fail-on-warning",
        action="store_true",
        default=False,
        env_var="OTALOAD_FAIL_ON_WARNING",
        help="End with exit code 90 instead of 0 when the verdict is a warning.",
    )
    add(
        "--no-early-stop",
        action="store_true",
        default=False,
        env_var="OTALOAD_NO_EARLY_STOP",
        help="Let a soak run to its planned end even when its drift is above the fail limit for "
        "certain.",
    )
    add(
        "--progress",
        metavar="HOW",
        default="auto",
        env_var="OTALOAD_PROGRESS",
        help="How a headless run shows how it stands: a panel at the foot of the terminal, lines "
        "every 10 s, or none (default: the panel on a terminal, lines elsewhere and where CI is "
        "set).",
    )
    # On a laptop in a café, Locust's own default shows the UI to everybody there.
    parser.set_defaults(web_host="127.0.0.1")
    _take_free_port(parser, sys.argv)
    parser.error = _end_with_104  # type: ignore[method-assign]


def _take_free_port(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """With --processes, master and workers are of one run; Locust's fixed port would have them
    meet those of any other run on the machine."""
    given = {argument.partition("=")[0] for argument in arguments}
    if "--processes" not in given and "LOCUST_PROCESSES" not in os.environ:
        return
    if given & {"--master-port", "--master-bind-port", "--worker"}:
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    parser.set_defaults(master_port=port, master_bind_port=port, master_bind_host="127.0.0.1")


def read_settings(options: argparse.Namespace) -> Settings:
    """Check the options; raises `ConfigurationError` with the option's name and the remedy."""
    return Settings(
        time_scale=_factor(options.time_scale, "--time-scale"),
        user_scale=_factor(options.user_scale, "--user-scale"),
        faults=(options.faults or "").strip() or None,
        targets_path=_path(options.targets),
        thresholds_path=_path(options.thresholds),
        reports_dir=_path(options.reports_dir),
        seed=_seed(options.seed),
        fail_on_warning=bool(options.fail_on_warning),
        run_time_s=_run_time(options.run_time),
        early_stop=not options.no_early_stop,
        progress=_progress(options.progress, headless=bool(options.headless)),
    )


def _end_with_104(message: str) -> NoReturn:
    write_error(f"otaload: error: {message}; see --help\n")
    sys.exit(ConfigurationError.exit_code)


def _path(text: str) -> Path:
    path = Path(text)
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def _factor(text: object, option: str) -> float:
    try:
        factor = float(str(text))
    except ValueError:
        factor = math.nan
    if not 0 < factor < math.inf:
        raise ConfigurationError(f"{option}: {text!r} is not a number above 0; try 0.1")
    return factor


def _run_time(given: object) -> float | None:
    """Locust's option is in seconds; the web UI's form has it as it was written, such as 5m."""
    if not given:
        return None
    try:
        return float(given if isinstance(given, int | float) else parse_timespan(str(given)))
    except ValueError:
        raise ConfigurationError(f"--run-time: {given!r} is not a duration; try 5m") from None


def _progress(text: object, *, headless: bool) -> ProgressView:
    wanted = str(text).strip().lower()
    if wanted not in ("auto", *ProgressView):
        raise ConfigurationError(
            f"--progress: {text!r} is no way to show it; write {', '.join(ProgressView)} or auto"
        )
    if not headless:
        return ProgressView.NONE
    is_terminal = has_terminal(sys.stdout)
    if wanted == ProgressView.PANEL and not is_terminal:
        raise ConfigurationError(
            "--progress panel: the output is no terminal that it could be drawn on; use lines"
        )
    if wanted != "auto":
        return ProgressView(wanted)
    in_ci = os.environ.get("CI", "").strip().lower() not in CI_OFF
    return ProgressView.PANEL if is_terminal and not in_ci else ProgressView.LINES


def _seed(text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        raise ConfigurationError(f"--seed: {text!r} is not a whole number") from None


def environment_note() -> str | None:
    """What of the environment changes the run, for the run's record; None for nothing."""
    names = sorted(name for name in os.environ if name.startswith("OTALOAD_"))
    return f"from the environment: {', '.join(names)}" if names else None
