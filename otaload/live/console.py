"""What a run says on the console, and which of Locust's chatter it does not."""

from __future__ import annotations

import atexit
import logging

from otaload.standard_output import flush_output, write_any_letter, write_output

_CHATTER = (
    "Shape test updating",
    "Ramping to",
    "All users spawned",
    "Sending spawn jobs",
    "Your selected spawn rate is very high",
    "Shape worker starting",
    "Shape test starting",
    "Shape test stopping",
    "Spawning is complete and report waittime",
)


_UNTRUE = (
    # Said of every shape; ours honour --run-time and refuse the other two.
    "--run-time, --users or --spawn-rate have no impact",
    "The following option(s) will be ignored",
)


class _Quiet(logging.Filter):
    """Drops the lines that Locust writes at every small step of a profile."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_CHATTER + _UNTRUE)


def prepare_console() -> None:
    """Silence what Locust says of profiles before it starts, and is not so for ours."""
    logging.getLogger("locust.main").addFilter(_Quiet())
    write_any_letter()
    atexit.register(flush_output)  # Locust writes until the very end


def calm_locust(*, headless: bool) -> None:
    """Silence the step-by-step lines, and headless Locust's tables, which the verdict replaces."""
    logging.getLogger("locust.runners").addFilter(_Quiet())
    if headless:
        logging.getLogger("locust.stats_logger").setLevel(logging.CRITICAL)


def say(text: str) -> None:
    """One line to the console; a run goes on though nobody reads it any more."""
    write_output(f"{text}\n")
