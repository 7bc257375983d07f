"""The one base class of everything that this package refuses."""


class StagingError(Exception):
    """Something the caller can mend; the text says what, where and how."""


class UsageError(StagingError):
    """A command line that cannot be carried out."""


class LaunchError(StagingError):
    """The child process did not start, or did not answer its admin page."""
