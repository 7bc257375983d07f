"""The index of all runs: what it shows, what damage does to it, and who may write it when."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_runs import START_S, Traffic, lognormal, smoke_meta, write_run

from analysis.outputs import report_directory
from analysis.render import index_page
from analysis.render.trend_chart import nice_top
from analysis.run_index import write_index
from otaload.errors import ConfigurationError

HOSTILE = "<script>alert(1)</script>&\"'"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """The elements of a page, which must all be closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.names: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.ids += [value for key, value in attrs if key == "id"]
        self.links += [value for key, value in attrs if key in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def run(parent, number, *, median_ms=20.0, **changes):
    """A judged run, an hour after the one before."""
    start_s = START_S + 3600 * number
    meta = smoke_meta(
        **{"start": start_s + 0.25, "end": start_s + 60.25, "exercises": ["/x"], **changes}
    )
    traffic = {"/x": Traffic(10, lognormal(median_ms))}
    path = write_run(parent, traffic, meta=meta, seed=number, start_s=start_s)
    report_directory(path)
    return path


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A judged run to make others of."""
    return run(tmp_path_factory.mktemp("one"), 0)


def made_of(judged: Path, parent: Path, number: int, **changes) -> Path:
    """A run directory with the files that an index is read from, and figures of its own."""
    meta = json.loads((judged / "run.json").read_text())
    verdict = json.loads((judged / "verdict.json").read_text())
    meta |= {"start": START_S + 3600 * number, **changes.pop("meta", {})}
    figures = changes.pop("figures", {})
    verdict["endpoints"] = [row | figures for row in verdict["endpoints"]]
    name = changes.pop("name", f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}T00-00-00Z-smoke")
    path = parent / name
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps(meta))
    (path / "verdict.json").write_text(json.dumps({**verdict, **changes}))
    (path / "report.html").write_text("a report")
    return path


def page(reports: Path) -> Page:
    """The index as it is written now."""
    return Page(write_index(reports).read_text())


def test_runs_are_listed_newest_first_with_tier_figures_and_a_link_to_their_report(tmp_path):
    old, new = run(tmp_path, 0), run(tmp_path, 1, median_ms=40)
    found = page(tmp_path)
    verdict = json.loads((new / "verdict.json").read_text())

    assert found.links == [f"{new.name}/report.html", f"{old.name}/report.html"]
    assert "2 runs: 2 pass" in found.text
    assert f"{verdict['requests']:,}" in found.text
    assert "svg" in found.names
    assert len(found.ids) == len(set(found.ids))


def test_an_index_needs_nothing_but_itself(judged, tmp_path):
    made_of(judged, tmp_path, 1)
    text = write_index(tmp_path).read_text()

    assert "http" not in text
    assert "<script" not in text
    assert "url(" not in text


def test_names_are_escaped_wherever_they_stand(judged, tmp_path):
    name = f"2026-01-01T00-00-00Z-{HOSTILE.replace('/', '')}"
    path = made_of(judged, tmp_path, 1, name=name, meta={"scenario": HOSTILE})
    damaged = tmp_path / f"{name}-2"
    damaged.mkdir()
    (damaged / "run.json").write_text(HOSTILE)
    found = page(tmp_path)

    assert "script" not in found.names
    assert path.name in found.text
    assert found.links == [f"{'2026-01-01T00-00-00Z-'}{quoted(path.name)}/report.html"]


def quoted(name: str) -> str:
    """A hostile name as it stands in an address."""
    tail = name.removeprefix("2026-01-01T00-00-00Z-")
    return "".join(c if c.isalnum() or c in "_.-~" else f"%{ord(c):02X}" for c in tail)


def test_the_trend_has_a_point_for_each_sound_run_in_their_order(judged, tmp_path):
    for number, p95_ms in enumerate((100.0, 300.0, 200.0)):
        made_of(judged, tmp_path, number, figures={"p95_ms": p95_ms, "p99_ms": 2 * p95_ms})
    made_of(judged, tmp_path, 3, figures={"p95_ms": 9999.0}, outcome="interrupted")
    text = write_index(tmp_path).read_text()
    lines = re.findall(r'<polyline points="([^"]+)"', text)
    p95, p99 = ([tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines)

    assert [x for x, _ in p95] == sorted(x for x, _ in p95)
    heights = [y for _, y in p95]
    assert heights[1] < heights[2] < heights[0]  # upwards is less
    assert all(above < below for (_, above), (_, below) in zip(p99, p95, strict=True))
    assert "p95 200 ms" in text
    assert "p95 100 ms to 300 ms" in text
    assert "1 not drawn" in text


def test_runs_of_another_scale_target_or_with_faults_have_a_trend_of_their_own(judged, tmp_path):
    staging = {"base_url": "https://someone:secret@staging.example.com/v1", "kind": "staging"}
    made_of(judged, tmp_path, 0, meta={"target": {"kind": "embedded"}, "rehearsal": None})
    made_of(judged, tmp_path, 1, meta={"target": staging, "rehearsal": None})
    made_of(judged, tmp_path, 2, meta={"rehearsal": {"time_scale": 0.1, "user_scale": 1}})
    made_of(judged, tmp_path, 3, meta={"faults": ["latency on all"]})
    found = page(tmp_path)

    assert found.names.count("figure") == 4
    assert "staging.example.com" in found.text
    assert "secret" not in found.text
    assert "embedded service" in found.text
    assert "with faults" in found.text


def test_a_search_is_drawn_by_the_limit_that_it_found(judged, tmp_path):
    for number, limit in enumerate((400, 420)):
        meta = {"scenario": "breakpoint", "breakpoint": {"limit_users": limit, "at_s": 300}}
        made_of(judged, tmp_path, number, meta=meta)
    found = page(tmp_path)

    assert "limit 400 to 420 users" in found.text.replace("400 users", "400")
    assert "p95" not in " ".join(re.findall(r"newest: .*?\.", found.text))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', '{"endpoints": 5}'])
def test_damaged_runs_are_listed_as_such(judged, tmp_path, content):
    made_of(judged, tmp_path, 0)
    broken = made_of(judged, tmp_path, 1)
    (broken / "verdict.json").write_text(content)
    gone = made_of(judged, tmp_path, 2)
    (gone / "run.json").write_text(content)
    if content == "":
        (tmp_path / "a-file").write_text("not a run")
    found = page(tmp_path)

    assert "not judged" in found.text
    assert broken.name in found.text
    assert gone.name in found.text


def test_figures_that_are_no_numbers_draw_nothing(judged, tmp_path):
    made_of(judged, tmp_path, 0, figures={"p95_ms": None, "p99_ms": None})
    made_of(judged, tmp_path, 1, figures={"p95_ms": 1e308, "p99_ms": 0})
    text = write_index(tmp_path).read_text()

    assert "nan" not in text
    assert "inf" not in text.replace("info", "")
    Page(text)


def test_a_directory_without_a_run_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="holds no run yet"):
        write_index(tmp_path)
    with pytest.raises(ConfigurationError, match="holds no run yet"):
        write_index(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_a_page_that_is_not_ours_is_left_alone(judged, tmp_path):
    made_of(judged, tmp_path, 0)
    (tmp_path / "index.html").write_text("somebody's own")

    with pytest.raises(ConfigurationError, match="move it away"):
        write_index(tmp_path)
    assert (tmp_path / "index.html").read_text() == "somebody's own"


def test_processes_that_write_it_at_once_leave_a_whole_page_with_all_runs(judged, tmp_path):
    for number in range(40):
        made_of(judged, tmp_path, number)
    code = (
        "import sys; from pathlib import Path; from analysis.run_index import write_index\n"
        "for _ in range(20): write_index(Path(sys.argv[1]))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    path, seen = tmp_path / "index.html", 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen += 1
            assert len(Page(path.read_text()).links) == 40
        time.sleep(0.01)

    assert seen
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [one.name for one in tmp_path.iterdir() if not one.is_dir()] == ["index.html"]


def test_five_hundred_runs_take_a_moment_and_the_older_are_counted(judged, tmp_path, monkeypatch):
    for number in range(300):
        made_of(judged, tmp_path, number)
    monkeypatch.setattr("analysis.run_index.MOST_RUNS", 250)
    began_s = time.process_time()
    found = page(tmp_path)

    assert time.process_time() - began_s < 5
    assert len(found.links) == 250
    assert "50 earlier runs not shown" in found.text
    charted = index_page.MOST_POINTS
    assert f"{charted} runs" in found.text


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (0.7, 0.8), (1, 1), (1.2, 1.5), (480, 500), (501, 600), (9e4, 1e5)]
)
def test_an_axis_ends_at_a_round_number_above_its_values(highest, top):
    assert nice_top(highest) == pytest.approx(top)
