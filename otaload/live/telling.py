"""Tells CI and Slack of a run that did not start, in a process of its own.

What is told is put into words where the verdicts are, which the engine does not load.
"""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from otaload.ci_job import in_github
from otaload.slack import WEBHOOK

TIMEOUT_S = 60.0
"""Slack is given half of it, however often it must be asked."""
PLUGIN = "plugin"


def tell_unstarted(name: str, reason: str) -> None:
    """Say that a run did not start, and why, where somebody waits for its verdict.

    Whatever goes wrong in telling is said on stderr and never changes the exit code.
    """
    if not (in_github(os.environ) or os.environ.get(WEBHOOK, "").strip()):
        return
    sys.stdout.flush()
    try:
        subprocess.run(  # noqa: S603 -- our own command
            [sys.executable, "-m", "otaload.announcing", name],
            input=reason.encode(errors="replace"),
            check=False,
            timeout=TIMEOUT_S,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"otaload: warning: that no run started was told to nobody ({error})\n")


def name_of(options: Namespace | None) -> str:
    """What a run is called that did not get as far as to have a name: by its locustfile."""
    files = str(getattr(options, "locustfile", None) or "").split(",")
    names = [Path(file.strip()).stem for file in files if file.strip()]
    return next((name for name in reversed(names) if name != PLUGIN), "the run")
