"""Tells others about a verdict: the CI system that the command runs in, and Slack.

Whatever goes wrong in telling is said on stderr and never changes the exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from otaload.ci_job import in_github, job_url
from otaload.redaction import Secrets
from otaload.slack import WEBHOOK, NotSentError, send
from otaload.standard_output import write_error, write_output

if TYPE_CHECKING:
    from analysis.verdict import Verdict

UNJUDGED, UNSTARTED = "could not be judged", "was not started"
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
MOST_SUMMARY_BYTES = 1024 * 1024
"""What GitHub takes as the summary of one step; with more it shows none of it."""
_CUT = "\n\nCut here; summary.md in the run's directory is whole.\n"


def guarded(text: str, environ: Mapping[str, str]) -> str:
    """A text for the log; in a workflow, no line of it is taken as a command.

    Names and failure texts come from the service under test, which may say `::add-mask::`.
    """
    if not in_github(environ):
        return text
    token = token_hex(16)
    return f"::stop-commands::{token}\n{text.rstrip()}\n::{token}::\n"


def announce(verdict: Verdict, environ: Mapping[str, str], *, notify: bool) -> None:
    """Annotations and the step's summary where there is a workflow; Slack where it is asked for."""
    from analysis import render

    if in_github(environ):
        write_output(render.github(verdict))
    if environ.get(STEP_SUMMARY):
        _append_summary(Path(environ[STEP_SUMMARY]), render.markdown(verdict))
    if notify:
        tell_slack(render.slack(verdict, link=job_url(environ)), environ)


def announce_unjudged(
    run: str,
    reason: str,
    environ: Mapping[str, str],
    *,
    notify: bool,
    told: str = UNJUDGED,
) -> None:
    """Say where a verdict was expected that there is none: silence would be read as good news."""
    from analysis.render.github import unjudged as annotation
    from analysis.render.slack import unjudged as message

    secrets = Secrets(environ)  # a reason may quote what it was given
    run, reason = secrets.redact(run), secrets.redact(reason)
    if in_github(environ):
        write_output(annotation(run, told, reason))
    if notify:
        tell_slack(message(run, told, reason, link=job_url(environ)), environ)


def announce_unstarted(run: str, reason: str, environ: Mapping[str, str]) -> None:
    """Say that a run did not start; to Slack where the environment names a webhook."""
    notify = bool(environ.get(WEBHOOK, "").strip())
    announce_unjudged(run, reason, environ, notify=notify, told=UNSTARTED)


def tell_slack(message: str, environ: Mapping[str, str]) -> None:
    """Send a message to the webhook that the environment names."""
    webhook = environ.get(WEBHOOK, "").strip()
    if not webhook:
        _warn(f"nothing was sent to Slack: {WEBHOOK} is not set")
        return
    try:
        send(message, webhook)
    except NotSentError as error:
        _warn(f"nothing was sent to Slack: {error}")


def _append_summary(path: Path, summary: str) -> None:
    """Append to the step's summary as much as GitHub still takes."""
    try:
        room = MOST_SUMMARY_BYTES - (path.stat().st_size if path.exists() else 0)
        content = f"\n{summary.rstrip()}\n".encode()
        if len(content) > room:
            kept = content[: max(0, room - len(_CUT.encode()))]
            content = kept[: kept.rfind(b"\n") + 1] + _CUT.encode()
        if len(content) <= room:
            with path.open("ab") as file:
                file.write(content)
        else:
            _warn(f"{STEP_SUMMARY}: it is full; summary.md is in the run's directory")
    except OSError as error:
        _warn(f"{STEP_SUMMARY}: cannot be written ({error.strerror or error})")


def _warn(sentence: str) -> None:
    write_error(f"otaload: warning: {sentence}\n")


if __name__ == "__main__":
    announce_unstarted(sys.argv[1], sys.stdin.buffer.read().decode(), os.environ)
