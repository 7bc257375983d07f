"""Runs `otaload judge` on a finished run, in a process of its own.

The engine stays free of pandas and matplotlib, and a run is always judged from what is on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from otaload.slack import WEBHOOK
from otaload.standard_output import flush_output, write_error

INCONCLUSIVE, REFUSED = 91, 92
VERDICT_CODES = frozenset({0, 90, INCONCLUSIVE, REFUSED, 99, 105, 107})
TIMEOUT_S = 600.0


def judge_in_process(run: Path, *, fail_on_warning: bool) -> int:
    """Judge a run directory; prints the verdict and answers with the exit code.

    The verdict goes to Slack where the environment names a webhook.
    A judge that itself breaks makes the run inconclusive: what is unknown is never green.
    """
    # The directory is named for the index of all runs in it.
    command = [sys.executable, "-m", "otaload", "judge", str(run)]
    command += ["--reports-dir", str(run.parent)]
    if fail_on_warning:
        command.append("--fail-on-warning")
    if os.environ.get(WEBHOOK, "").strip():
        command.append("--notify")
    flush_output()
    try:
        # In a session of its own: Ctrl-C in a terminal must not cost a finished run its verdict.
        code = subprocess.run(  # noqa: S603 -- our own command
            command, check=False, timeout=TIMEOUT_S, start_new_session=True
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        write_error(f"otaload: error: {run}: could not be judged ({error})\n")
        return INCONCLUSIVE
    if code not in VERDICT_CODES:
        write_error(f"otaload: error: {run}: judging ended with code {code}\n")
        return INCONCLUSIVE
    return code
