"""The reports of the screenshots tell the stories that they were made up for, in a real browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from analysis.outputs import report_directory
from analysis.verdict import Outcome
from bench.screenshots import __main__ as screenshots
from bench.screenshots import browser as browsers
from bench.screenshots.browser import Browser, BrowserError, find_chromium
from bench.screenshots.cases import STORIES, write

OUTCOMES = {
    "smoke": Outcome.PASS,
    "load": Outcome.FAIL,
    "spike": Outcome.FAIL,
    "breakpoint": Outcome.PASS,
    "arrivals": Outcome.FAIL,
    "inconclusive": Outcome.INCONCLUSIVE,
    "crashed": Outcome.CRASHED,
    "empty": Outcome.FAIL,
}
"""Of all but the soak, which takes the time of eight hours of windows."""
WIDTHS_PX = (420, 1400)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name, outcome in OUTCOMES.items():
        path = write(tmp_path_factory.mktemp(name), STORIES[name]())
        assert report_directory(path).outcome is outcome, name
        found[name] = path / "report.html"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        program = find_chromium()
    except BrowserError as error:
        pytest.skip(str(error))
    with Browser(program) as found:
        yield found


def test_every_story_is_told_by_its_verdict(reports: dict[str, Path]) -> None:
    assert set(STORIES) - set(reports) == {"soak"}


@pytest.mark.parametrize("width_px", WIDTHS_PX)
@pytest.mark.parametrize("name", OUTCOMES)
def test_no_report_is_wider_than_its_window(
    reports: dict[str, Path], browser: Browser, name: str, width_px: int
) -> None:
    browser.open(reports[name], width_px=width_px, dark=False)

    assert browser.evaluate("document.documentElement.scrollWidth") <= width_px


@pytest.mark.parametrize("width_px", [420, 800, 1190, 1400])
def test_the_checks_need_no_scrolling_at_any_width(
    reports: dict[str, Path], browser: Browser, width_px: int
) -> None:
    browser.open(reports["breakpoint"], width_px=width_px, dark=False)
    beyond = """[...document.querySelectorAll('.checks .scroll')]
        .map(frame => frame.scrollWidth - frame.clientWidth)"""

    assert browser.evaluate(beyond) == [0]


@pytest.mark.parametrize(("width_px", "beside"), [(420, 1), (760, 1), (900, 2), (1180, 2)])
def test_cards_of_checks_stand_beside_each_other_where_there_is_room(
    reports: dict[str, Path], browser: Browser, width_px: int, beside: int
) -> None:
    browser.open(reports["load"], width_px=width_px, dark=False)
    lefts = """new Set([...document.querySelectorAll('.checks tbody tr')]
        .map(row => Math.round(row.getBoundingClientRect().left))).size"""

    assert browser.evaluate(lefts) == beside
    assert browser.evaluate("document.documentElement.scrollWidth") <= width_px


@pytest.mark.parametrize("width_px", WIDTHS_PX)
@pytest.mark.parametrize("name", ["load", "breakpoint"])
def test_no_text_of_a_chart_is_cut_off_by_its_edge(
    reports: dict[str, Path], browser: Browser, name: str, width_px: int
) -> None:
    browser.open(reports[name], width_px=width_px, dark=False)
    beyond = """[...document.querySelectorAll('figure svg')].flatMap(svg => {
        const edge = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < edge.left - 1 || box.right > edge.right + 1
                || box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
        }).map(text => text.textContent);
    })"""

    assert browser.evaluate(beyond) == []


@pytest.mark.parametrize("name", ["load", "breakpoint"])
def test_a_telephone_shows_charts_whole_with_letters_that_can_be_read(
    reports: dict[str, Path], browser: Browser, name: str
) -> None:
    browser.open(reports[name], width_px=420, dark=False)
    smallest = """Math.min(...[...document.querySelectorAll('figure svg')].flatMap(svg => {
        const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        return [...svg.querySelectorAll('text')].map(
            text => scale * parseFloat(getComputedStyle(text).fontSize));
    }))"""
    furthest = """Math.max(...[...document.querySelectorAll('figure, figure svg')].flatMap(
        shown => [shown.getBoundingClientRect().right, shown.scrollWidth]))"""

    assert browser.evaluate(smallest) >= 9
    assert browser.evaluate(furthest) <= 420
    assert browser.evaluate("document.documentElement.scrollWidth") <= 420


def test_a_report_follows_the_mode_of_its_reader(
    reports: dict[str, Path], browser: Browser
) -> None:
    shown = []
    for dark in (False, True):
        browser.open(reports["smoke"], width_px=1400, dark=dark)
        shown.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert shown == ["rgb(255, 255, 255)", "rgb(20, 23, 28)"]


def test_a_report_needs_no_script_and_asks_for_nothing(
    reports: dict[str, Path], browser: Browser
) -> None:
    browser.open(reports["load"], width_px=1400, dark=False)

    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0


def test_a_picture_is_as_wide_as_its_window(reports: dict[str, Path], browser: Browser) -> None:
    browser.open(reports["empty"], width_px=420, dark=True)
    picture = browser.picture(width_px=420, height_px=600)

    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 420
    assert int.from_bytes(picture[20:24], "big") == 600


def test_a_page_taller_than_a_picture_may_be_is_taken_in_pieces(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsers, "TALLEST_PX", 400)
    page = tmp_path / "tall.html"
    bands = "".join(
        f'<div style="height: 300px; background: rgb({shade}, 0, 0)"></div>'
        for shade in (50, 100, 150, 200)
    )
    page.write_text(f'<body style="margin: 0">{bands}')
    browser.open(page, width_px=300, dark=False)
    drawn = Image.open(io.BytesIO(browser.picture(width_px=300))).convert("RGB")

    assert drawn.size == (300, 1200)
    reds = [drawn.getpixel((150, y)) for y in range(150, 1200, 300)]
    assert reds == [(50, 0, 0), (100, 0, 0), (150, 0, 0), (200, 0, 0)]
    assert drawn.getpixel((150, 1199)) == (200, 0, 0)


def test_without_a_chromium_the_error_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browsers, "PROGRAMS", ("no-such-chromium",))

    assert screenshots.main(["empty"]) == 1
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_program_that_is_no_chromium_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)

    with pytest.raises(BrowserError), Browser(str(program)):
        pass


def test_a_case_that_there_is_not_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        screenshots.main(["nosuch"])
    assert "there is no case nosuch; choose of smoke, load" in capsys.readouterr().err
