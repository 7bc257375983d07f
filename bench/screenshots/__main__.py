"""`python -m bench.screenshots`: reports of made-up runs, and pictures of them in Chromium.

Each report is opened at 1400 and 420 px, light and dark; one that scrolls sideways is an error. The
two pictures that the README shows are written to docs/images/.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from analysis.outputs import REPORT, report_directory
from bench.screenshots.browser import Browser, find_chromium
from bench.screenshots.cases import STORIES, write
from otaload.errors import OtaloadError

WIDTHS_PX = (1400, 420)
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SHOWN = {"report-load": ("load", 1400, 1000, False), "report-soak": ("soak", 1400, 1690, True)}
"""Pictures of the README: the report, its width, its height, and whether it is dark."""
COLOURS = 256


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.screenshots", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(STORIES)} (all)")
    parser.add_argument("--output", type=Path, help="folder for reports and pictures (temporary)")
    parser.add_argument("--images", action="store_true", help="also write those of docs/images/")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.cases if name not in STORIES]
    if unknown:
        parser.error(f"there is no case {unknown[0]}; choose of {', '.join(STORIES)}")
    try:
        program = find_chromium()
        with tempfile.TemporaryDirectory() as folder:
            output = options.output or Path(folder)
            output.mkdir(parents=True, exist_ok=True)
            reports = {name: _report(output, name) for name in options.cases or STORIES}
            with Browser(program) as browser:
                wide = [name for path in reports.items() for name in _pictures(browser, *path)]
                if options.images:
                    _shown(browser, reports)
    except OtaloadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name in wide:
        print(f"error: {name} is wider than its window: something is cut off", file=sys.stderr)
    return 1 if wide else 0


def _report(output: Path, name: str) -> Path:
    """The report of a case, written into a folder of its own."""
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    path = write(folder, STORIES[name]())
    report_directory(path)
    size_kb = (path / REPORT).stat().st_size / 1000
    print(f"{name}: {path / REPORT} ({size_kb:.0f} kB)", flush=True)
    return path / REPORT


def _pictures(browser: Browser, name: str, report: Path) -> list[str]:
    """Write a picture for each width and mode; the names of those that scroll sideways."""
    wide = []
    for width_px in WIDTHS_PX:
        for dark in (False, True):
            browser.open(report, width_px=width_px, dark=dark)
            if browser.evaluate("document.documentElement.scrollWidth") > width_px:
                wide.append(f"{name} at {width_px} px")
            mode = "dark" if dark else "light"
            picture = report.parents[2] / f"{name}-{width_px}-{mode}.png"
            picture.write_bytes(browser.picture(width_px=width_px))
    return wide


def _shown(browser: Browser, reports: dict[str, Path]) -> None:
    for image, (name, width_px, height_px, dark) in SHOWN.items():
        if name in reports:
            browser.open(reports[name], width_px=width_px, dark=dark)
            drawn = browser.picture(width_px=width_px, height_px=height_px)
            path = IMAGES / f"{image}.png"
            flat = (
                Image.open(io.BytesIO(drawn))
                .convert("RGB")
                .quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
            )
            flat.save(path, optimize=True)
            print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    sys.exit(main())
