"""The files of the judging half: where runs are judged, and their outputs written."""

from __future__ import annotations

from pathlib import Path

from analysis import render
from analysis.judge import judge
from analysis.reports import LATEST, VERDICT, find_run
from analysis.runs import Run, load_run
from analysis.thresholds import Thresholds, load_thresholds
from analysis.verdict import Verdict
from otaload.errors import ConfigurationError
from otaload.record.rundir import THRESHOLDS

__all__ = [
    "LATEST",
    "VERDICT",
    "export_directory",
    "find_run",
    "judge_directory",
    "report_directory",
    "thresholds_for",
    "write_outputs",
]

REPORT, JUNIT, SUMMARY, METRICS = "report.html", "junit.xml", "summary.md", "metrics.txt"


def judge_directory(
    path: Path,
    *,
    thresholds_path: Path | None = None,
    fail_on_warning: bool = False,
    partial: bool = False,
) -> Verdict:
    """The verdict on a run directory, by its own copy of the thresholds unless another is named."""
    run = load_run(path)
    return judge(
        run, thresholds_for(path, thresholds_path), fail_on_warning=fail_on_warning, partial=partial
    )


def report_directory(
    path: Path,
    *,
    thresholds_path: Path | None = None,
    fail_on_warning: bool = False,
    partial: bool = False,
) -> Verdict:
    """Judge a run directory and write its outputs into it; the verdict is returned."""
    run = load_run(path)
    thresholds = thresholds_for(path, thresholds_path)
    verdict = judge(run, thresholds, fail_on_warning=fail_on_warning, partial=partial)
    write_outputs(run, verdict, thresholds)
    return verdict


def export_directory(path: Path, form: str, *, thresholds_path: Path | None = None) -> str:
    """A run as `csv`, which is its windows and needs no thresholds, or as `openmetrics`."""
    run = load_run(path)
    if form == "csv":
        return render.windows_csv(run)
    verdict = judge(run, thresholds_for(path, thresholds_path))
    return render.openmetrics(run, verdict)


def thresholds_for(path: Path, thresholds_path: Path | None = None) -> Thresholds:
    """The thresholds that a run is judged by; raises `ConfigurationError` where there are none."""
    if thresholds_path is not None:
        return load_thresholds(thresholds_path)
    if not (path / THRESHOLDS).exists():
        raise ConfigurationError(
            f"{path / THRESHOLDS}: the run has no copy of its thresholds; "
            "name a file with --thresholds"
        )
    return load_thresholds(path / THRESHOLDS)


def write_outputs(run: Run, verdict: Verdict, thresholds: Thresholds) -> list[Path]:
    """Write the verdict, the report and what CI systems read into the run's directory.

    Each appears whole or not at all; returns their paths.
    Raises `ConfigurationError` where the directory cannot be written.
    """
    contents = {
        VERDICT: render.json(verdict),
        JUNIT: render.junit(verdict),
        SUMMARY: render.markdown(verdict),
        METRICS: render.openmetrics(run, verdict),
        REPORT: render.html(run, verdict, thresholds),
    }
    try:
        return [_write(run.path / name, content) for name, content in contents.items()]
    except OSError as error:
        raise ConfigurationError(
            f"{run.path}: the outputs cannot be written ({error.strerror or error}); "
            "free space there or make it writable"
        ) from error


def _write(path: Path, content: str) -> Path:
    draft = path.with_name(path.name + ".draft")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)
    return path
