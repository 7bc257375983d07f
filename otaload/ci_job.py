"""The CI job that a command runs in, as the environment tells of it."""

from __future__ import annotations

from collections.abc import Mapping


def in_github(environ: Mapping[str, str]) -> bool:
    """Whether the command runs in a GitHub workflow, or in what speaks its language."""
    return environ.get("GITHUB_ACTIONS") == "true"


def job_url(environ: Mapping[str, str]) -> str:
    """The page of the CI job: of GitHub, GitLab or Jenkins; nothing elsewhere."""
    server, repository, run = (
        environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    url = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
    url = url or environ.get("CI_JOB_URL", "") or environ.get("BUILD_URL", "")
    return url if url.startswith(("https://", "http://")) else ""
