"""The one family of errors that end as a sentence and an exit code, never as a traceback."""

from __future__ import annotations


class OtaloadError(Exception):
    """Something the reader can mend; its text says what, where and how.

    `exit_code` is the code that the command ends with.
    """

    exit_code = 104


class ConfigurationError(OtaloadError):
    """An argument, a file or the environment is not usable as it stands."""


class RefusedError(OtaloadError):
    """The target may not get this load."""

    exit_code = 92


class OutputError(OtaloadError):
    """What a command was asked for has no place to go."""


class RunUnreadableError(OtaloadError):
    """A run directory is missing, foreign or damaged beyond what can be read."""
