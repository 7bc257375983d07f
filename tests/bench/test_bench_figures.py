"""The pictures of docs/statistics.md: each is drawn, shown, and an SVG that stands alone."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from bench.figures.__main__ import IMAGES, PICTURES
from bench.figures.loads import omission
from bench.figures.picture import picture

PAGE = (IMAGES.parent / "statistics.md").read_text(encoding="utf-8")


def test_the_page_shows_every_picture_and_no_other():
    assert set(re.findall(r"\(images/([a-z-]+)\.svg\)", PAGE)) == set(PICTURES)
    assert {path.stem for path in IMAGES.glob("*.svg")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_an_svg_with_a_title_that_fetches_nothing(name):
    text = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 -- our own file
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findtext("{http://www.w3.org/2000/svg}title") == PICTURES[name][0]
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_drawing_a_picture_again_gives_the_same_file():
    first, again = (picture("omission", PICTURES["omission"][0], omission) for _ in range(2))
    assert first == again
