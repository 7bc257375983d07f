"""Where a run came from: versions, machine, git commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from typing import Any

from otaload import __version__
from otaload.live.options import ROOT

_PACKAGES = ("locust", "gevent", "httptools", "numpy", "pandas")
_GIT_TIMEOUT_S = 5.0


def provenance() -> dict[str, Any]:
    """The keys of `run.json` that say what made the run."""
    return {
        "git_commit": _git_commit(),
        "versions": {
            "otaload": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
    }


def _git_commit() -> str | None:
    """The checkout's commit, with `-dirty` for uncommitted changes; None outside a checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    command = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed command on our own checkout
            command, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
