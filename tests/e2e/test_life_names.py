"""Names and texts of every kind and number: bounded in memory, counted to the last, escaped."""

from __future__ import annotations

import html.parser
from xml.etree import ElementTree

from tests.e2e.foreign import EMBEDDED, asking
from tests.e2e.running import Bench

HOSTILE = """\
NAMES = [
    "x" * 1_000_000,
    "two\\nlines\\r\\n",
    "nul \\0 bell \\a escape \\x1b[31m",
    "half a pair \\ud800",
    "not a character \\ufffe, right to left \\u202e",
    "<script>alert(1)</script>",
    "\\"'><img src=x onerror=alert(1)>",
    "]]> & &amp; {{7*7}} ${7*7} `id` | [a](javascript:alert(1))",
    "::error::injected%0A",
]


@events.test_start.add_listener
def fire_all(environment, **_):
    def fire(name, text):
        environment.events.request.fire(
            request_type="X", name=name, response_time=1, response_length=0, context={},
            exception=RuntimeError(text), url="http://host%d/x" % len(text),
        )
    for n, name in enumerate(NAMES):
        fire(name, name)
    for n in range(1000):
        fire(f"/many/{n}", f"failure {n} " + "y" * 1000)
"""


class Tags(html.parser.HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


def test_hostile_and_countless_names_are_bounded_counted_and_escaped(bench: Bench) -> None:
    path = asking(bench, module=HOSTILE)
    ended = bench.run(path, "--users", "1", "--run-time", "2", *EMBEDDED)
    totals = ended.totals()

    assert ended.code == 99, ended.output  # a thousand failures, and nothing crashed
    # Every one of them was counted, however it is called.
    assert sum(entry.failures for entry in totals.values()) == 1009
    served = ended.meta["service_counters"]["endpoints"]["/updates/check"]["requests"]
    # So many names came before it that the checks for updates have none of their own.
    assert sum(entry.requests for entry in totals.values()) == 1009 + served
    assert len(totals) <= 501
    assert max(map(len, totals)) <= 200
    assert len({cause for entry in totals.values() for cause in entry.causes}) <= 101
    assert totals["other"].requests >= 500
    assert any("beyond the bound" in note for note in ended.verdict["notes"])
    assert "beyond the bound" in (ended.path / "report.html").read_text()

    page = (ended.path / "report.html").read_text(encoding="utf-8")
    tags = Tags(page).tags
    assert not [attrs for tag, attrs in tags if any(name.startswith("on") for name, _ in attrs)]
    assert "<script>alert" not in page
    assert not [tag for tag, attrs in tags if ("src", "x") in attrs]
    assert "\0" not in page
    assert "\x1b" not in page
    suite = ElementTree.parse(ended.path / "junit.xml")  # noqa: S314 -- our own file
    assert suite.getroot().tag == "testsuites"
    summary = (ended.path / "summary.md").read_text(encoding="utf-8")
    assert "\n::error" not in summary
    assert "<script>" not in summary
    assert "\x1b" not in summary + ended.output
    bench.assert_no_orphans()
