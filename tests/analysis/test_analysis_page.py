"""The report is valid, accessible and legible, and its top says what a reader must know first."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import html5lib
import pytest
from spike_runs import slow_until, spike_run
from synthetic_runs import (
    CHECK,
    DOWNLOAD,
    SMOKE_STAGE,
    START_S,
    Traffic,
    constant,
    lognormal,
    normal_traffic,
    smoke_meta,
    write_run,
)

from analysis import render
from analysis.finding import badness
from analysis.judge import judge
from analysis.limits import Bound, Limits, Metric, Tier
from analysis.margin import margin_of
from analysis.outputs import thresholds_for
from analysis.render.checks_section import proven_sentence
from analysis.render.hosts_section import UNTOUCHED, hosts_section, production_sentence
from analysis.render.latency_chart import SHADES
from analysis.render.margin import margin_bar
from analysis.render.rows import WHOLE_RUN
from analysis.render.section import anchor
from analysis.render.stylesheet import CSS, DARK, LIGHT
from analysis.render.wording import sentence
from analysis.runs import load_run
from analysis.verdict import Check

HOSTILE = "<b>'\"&</b> </svg></style> ]]> -- \x1b\x00 \ud7ff $x$ ${y} {{z}}"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1\nKeyError: <i>'


def hostile(parent: Path) -> Path:
    failures = {t: {HOSTILE: 2, "_hidden": 1} for t in range(20, 30)}
    meta = smoke_meta(
        title=HOSTILE,
        exercises=None,
        hosts={HOSTILE: 3},
        crashes={"count": 2, "first": TRACEBACK},
        stages=[{"name": HOSTILE, "start_s": 0, "end_s": 60}],
        workers=[{"id": HOSTILE, "index": HOSTILE, "reports": 1, "lost": True, "users_max": 1}],
    )
    return write_run(parent, {HOSTILE: Traffic(4, failures=failures)}, meta=meta)


def soak(parent: Path) -> Path:
    meta = smoke_meta(scenario="soak", planned={"duration_s": 960.0}, end=START_S + 960.0)
    traffic = {CHECK: Traffic(12, lognormal(30))}
    return write_run(parent, traffic, duration_s=960, meta=meta)


def searched(parent: Path) -> Path:
    holds = [
        {
            "kind": "step",
            "level": 4 + i,
            "start_s": 10 * i,
            "judged_from_s": 10 * i + 2,
            "end_s": 10 * i + 10,
            "good": i < 4,
            "reason": HOSTILE if i == 4 else "",
        }
        for i in range(6)
    ]
    found = {"outcome": "found", "limit": 7.0, "limit_users": 7.0, "bracket": [7, 8], "at_s": 40.0}
    meta = smoke_meta(scenario="breakpoint", breakpoint={**found, "holds": holds})
    return write_run(parent, meta=meta)


RUNS = {
    "passing": write_run,
    "failing": lambda parent: write_run(parent, {CHECK: Traffic(7, constant(2500))}),
    "empty": lambda parent: write_run(parent, {}),
    "all failed": lambda parent: write_run(parent, {CHECK: Traffic(3, error_ratio=1.0)}),
    "hostile": hostile,
    "soak": soak,
    "spike": lambda parent: spike_run(parent, slow_until(200)),
    "breakpoint": searched,
    "next to nothing": lambda parent: write_run(
        parent, {CHECK: Traffic(0.02)}, meta={"scenario": "soak"}, health=None
    ),
}


@pytest.fixture(scope="module", params=RUNS)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = RUNS[request.param](tmp_path_factory.mktemp("run"))
    return page_of(path)


def page_of(path: Path) -> str:
    run, thresholds = load_run(path), thresholds_for(path)
    return render.html(run, judge(run, thresholds), thresholds)


def tree_of(page: str) -> Any:
    """The page as a strict parser of HTML reads it; the first error in it is raised."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def text_of(page: str) -> str:
    return " ".join("".join(tree_of(page).find("body").itertext()).split())


# Valid


def test_the_page_is_valid_html(page: str) -> None:
    tree_of(page)


def test_the_strict_parser_would_notice(tmp_path: Path) -> None:
    broken = page_of(write_run(tmp_path)).replace("</section>", "", 1)

    with pytest.raises(html5lib.html5parser.ParseError):
        tree_of(broken)


def test_every_inline_svg_is_well_formed_xml(page: str) -> None:
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)  # noqa: S314 -- our own


def test_charts_have_real_text_and_name_no_colour_of_their_own(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path))
    charts = re.findall(r'<figure class="chart">.*?</figure>', page, re.DOTALL)

    assert len(charts) > 5
    for chart in charts:
        assert "<text" in chart
        assert "DejaVuSans-" not in chart  # what a letter drawn as an outline is called
        assert set(re.findall(r"(?:fill|stroke): ?(#[0-9a-f]+)", chart)) == set()


# Accessible


class Outline(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


def test_the_page_has_a_language_landmarks_and_one_title(page: str) -> None:
    outline = Outline(page)

    assert outline.all("html")[0]["lang"] == "en"
    for landmark in ("header", "main", "nav", "footer", "h1"):
        assert len(outline.all(landmark)) == 1, landmark
    assert all(section["aria-label"] for section in outline.all("section"))
    levels = [int(tag[1]) for tag, _ in outline.found if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_header_cell_has_a_scope_and_every_picture_says_what_it_shows(page: str) -> None:
    outline = Outline(page)

    assert all(cell.get("scope") in {"col", "row"} for cell in outline.all("th"))
    pictures = outline.all("svg")
    assert pictures
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in pictures)


def test_whatever_scrolls_can_be_reached_by_keyboard(page: str) -> None:
    outline = Outline(page)
    scrolling = [one for one in outline.all("div") if one.get("class") == "scroll"]

    assert all(one.get("tabindex") == "0" for one in (*scrolling, *outline.all("pre")))


def test_the_contents_lead_to_every_section(page: str) -> None:
    outline = Outline(page)

    links = [link["href"] for link in outline.all("a")]
    assert links == [f"#{section['id']}" for section in outline.all("section")]
    assert len(set(links)) == len(links)


def test_an_anchor_is_made_of_letters_and_hyphens() -> None:
    assert anchor("The generator's own health") == "the-generators-own-health"


# Legible


def colours(sheet: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", sheet))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_of_text_stands_out_from_what_is_behind_it(sheet: str) -> None:
    found = colours(sheet)
    texts = set(found) - {"page", "panel", "grid"}

    assert len(texts) == 12
    for name in texts:
        for behind in ("page", "panel"):
            assert contrast(found[name], found[behind]) >= 4.5, (name, behind)


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_every_shade_of_a_heatmap_stands_out_from_the_page_and_from_the_next(sheet: str) -> None:
    found = colours(sheet)

    def drawn(alpha: float) -> str:
        pairs = zip(*(bytes.fromhex(found[name][1:]) for name in ("series-1", "page")), strict=True)
        return "#" + bytes(round(alpha * on + (1 - alpha) * off) for on, off in pairs).hex()

    shades = [found["page"], *(drawn(alpha) for _, _, alpha in SHADES)]
    assert contrast(shades[0], shades[1]) >= 1.8
    for paler, denser in pairwise(shades):
        assert contrast(paler, denser) >= 1.2


def test_light_and_dark_name_the_same_colours_and_nothing_is_fetched() -> None:
    assert colours(LIGHT).keys() == colours(DARK).keys()
    assert "prefers-color-scheme: dark" in CSS
    assert "@media print" in CSS
    assert "url(" not in CSS
    assert "@import" not in CSS
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", CSS))
    assert used <= set(colours(LIGHT)) | {"tier", "under"}


# The top


def top_of(page: str) -> str:
    text = text_of(page)
    return text[: text.index("What the numbers mean")]


def test_the_top_names_target_commit_and_start(tmp_path: Path) -> None:
    top = top_of(page_of(write_run(tmp_path)))

    for fact in ("127.0.0.1:8123/v1 · embedded", "0123456789ab", "2026-11-18 11:06 UTC"):
        assert fact in top
    assert "Productionno production host was contacted" in top


def test_of_several_troubles_the_worst_is_the_sentence_and_all_are_listed(tmp_path: Path) -> None:
    workers = [
        {"id": "a", "index": 0, "reports": 9, "users_max": 5, "lost": True},
        {"id": "b", "index": 1, "reports": 9, "users_max": 5, "gaps": 2},
    ]
    page = page_of(write_run(tmp_path, meta=smoke_meta(workers=workers)))
    top = top_of(page)

    assert "? INCONCLUSIVEWorker 0 was lost.So far: all 9 checks pass" in top
    for trouble in ("worker 1: 2 of its reports are missing", "the health of worker 0 was not"):
        assert top.count(trouble) == 1
    assert "these tiers are no verdict on the service" in text_of(page)
    assert "✗ lost" in page


def test_the_first_traceback_stands_before_the_checks(tmp_path: Path) -> None:
    meta = smoke_meta(crashes={"count": 3, "first": TRACEBACK})
    page = page_of(write_run(tmp_path, meta=meta))

    assert page.index("KeyError: &lt;i&gt;</pre>") < page.index("<h2>Checks</h2>")


def test_what_the_table_of_checks_says_is_not_said_above_it(tmp_path: Path) -> None:
    traffic = {CHECK: Traffic(7, constant(600)), DOWNLOAD: Traffic(7, constant(2100), "GET")}
    page = page_of(write_run(tmp_path, traffic))

    assert "Further reasons" not in page
    assert page.count("not below the pass limit of 500 ms") == 0
    assert page.count("Not below the pass limit of 500 ms") == 1


def test_a_sentence_begins_with_a_capital_unless_it_begins_with_a_percentile() -> None:
    assert sentence("p99_drift of all requests") == "p99 drift of all requests."
    assert sentence("error_rate of all requests.") == "Error rate of all requests."


# How sure


def check(value: float, *, proven: bool = True, tier: Tier = Tier.PASS, **more: Any) -> Check:
    limits = Limits(Bound(500, "global"), Bound(1500, "global"), Bound(2000, "global"))
    given: dict[str, Any] = {"endpoint": CHECK, "metric": Metric("p95"), "reason": "", "n": 9}
    return Check(tier=tier, limits=limits, value=value, proven=proven, **{**given, **more})


@pytest.mark.parametrize(
    ("checks", "tier", "told"),
    [
        ((check(1), check(2)), Tier.PASS, "Proven: every check"),
        ((check(1), check(2, proven=False)), Tier.PASS, "Not fully proven: 1 of 2"),
        ((check(9e3, tier=Tier.FAIL), check(1, proven=False)), Tier.FAIL, "Proven: the check that"),
        ((check(9e3, tier=Tier.FAIL, proven=False),), Tier.FAIL, "Not proven: the check that fail"),
        ((check(600, tier=Tier.WARNING, proven=False),) * 2, Tier.WARNING, "Not proven: each of"),
        ((check(1),), Tier.INCONCLUSIVE, ""),
        ((), Tier.PASS, ""),
    ],
)
def test_the_top_says_whether_the_verdict_is_proven(
    tmp_path: Path, checks: tuple[Check, ...], tier: Tier, told: str
) -> None:
    path = write_run(tmp_path, normal_traffic())
    verdict = replace(judge(load_run(path), thresholds_for(path)), checks=checks, tier=tier)

    assert proven_sentence(verdict).startswith(told)
    assert bool(proven_sentence(verdict)) is bool(told)


# Margins


@pytest.mark.parametrize(
    ("value", "at"),
    [(0, 0), (250, 20), (500, 40), (1000, 50), (1500, 60), (1750, 70), (2000, 80), (3000, 90)],
)
def test_a_limit_stands_at_the_same_place_in_every_bar(value: float, at: float) -> None:
    margin = margin_of(check(value))

    assert margin is not None
    assert margin.value == pytest.approx(at)
    assert [(zone.begin, zone.end, zone.gap) for zone in margin.zones] == [
        (0, 40, False),
        (40, 60, False),
        (60, 80, True),
        (80, 100, False),
    ]


def test_a_bar_ends_at_twice_the_fail_limit_and_says_so() -> None:
    margin = margin_of(check(4001, low=-3, high=9e9))

    assert margin is not None
    assert (margin.value, margin.low, margin.high, margin.beyond) == (100, 0, 100, True)
    assert (margin.low_beyond, margin.high_beyond) == (True, True)
    bar = margin_bar(check(4001, low=-3, high=9e9))
    assert "v8" not in bar  # no stroke says that the bounds lie there
    assert "M4.0 7l-4 4l4 4" in bar
    assert "M196.0 7l4 4l-4 4" in bar


def test_the_worst_first_is_the_order_of_the_diamonds() -> None:
    near = replace(check(1900), limits=Limits(Bound(1800, ""), Bound(1950, ""), Bound(2000, "")))
    gap = replace(check(1.6), limits=Limits(Bound(1, ""), Bound(1.5, ""), Bound(2, "")))
    checks = sorted((near, gap, check(5000), check(9000)), key=badness)
    places = [found.value for one in checks if (found := margin_of(one)) is not None]

    assert checks[-1] is near  # 95 % of its fail limit, and yet less than its warning limit
    assert checks[-2] is gap
    assert [one.value for one in checks[:2]] == [9000, 5000]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize(
    ("limits", "ends"),
    [
        (Limits(Bound(2, ""), Bound(2, ""), Bound(2, "")), [80, 100]),
        (Limits(Bound(1, ""), None, Bound(2, "")), [40, 80, 100]),
        (Limits(Bound(1, ""), Bound(2, ""), Bound(2, "")), [40, 80, 100]),
        (Limits(Bound(1, ""), Bound(1, ""), Bound(2, "")), [40, 80, 100]),
    ],
)
def test_a_tier_that_there_is_not_has_no_zone(limits: Limits, ends: list[float]) -> None:
    margin = margin_of(replace(check(1), limits=limits))

    assert margin is not None
    assert [zone.end for zone in margin.zones] == ends


def test_a_bar_says_in_words_what_it_shows_and_draws_no_bound_that_is_not_known() -> None:
    bar = margin_bar(check(612, low=600, high=None))

    assert "612 ms, between its bounds at least 600 ms; pass below 500 ms, warning below" in bar
    assert bar.count("v8") == 1
    assert margin_of(replace(check(1), value=None)) is None


# Where the load went


def hosts_run(
    parent: Path, kind: str, hosts: dict[str, int], production: list[str] | None, **meta: Any
) -> Any:
    target = {"base_url": "https://staging.example.com/v1", "kind": kind}
    if production is not None:
        meta["production_hosts"] = production
    return load_run(write_run(parent, meta=smoke_meta(target=target, hosts=hosts, **meta)))


OURS, CDN, LIVE = "staging.example.com:443", "cdn.example.com", "localhost:18799"


@pytest.mark.parametrize(
    ("kind", "hosts", "production", "told"),
    [
        ("embedded", {"127.0.0.1:81": 9, "[::1]:81": 1}, None, UNTOUCHED),
        ("other", {"127.0.0.1:81": 9, "localhost:1": 1}, None, UNTOUCHED),
        ("staging", {OURS: 9}, None, UNTOUCHED),
        ("staging", {OURS: 9, CDN: 2}, [], UNTOUCHED),
        ("other", {OURS: 9}, [], UNTOUCHED),
        ("staging", {CDN: 9}, None, "not known: nothing held cdn.example.com"),
        ("other", {OURS: 9}, None, "not known: nothing held staging"),
        ("production", {OURS: 9}, None, "the target is production"),
        ("staging", {}, [], "not known: the hosts were not recorded"),
        ("staging", {OURS: 9, LIVE: 1}, [LIVE], f"a production host was contacted: {LIVE} (1 requ"),
        ("staging", {"other": 9}, [LIVE], f"a production host was contacted: {LIVE}"),
        ("staging", {OURS: 9}, [7], "a production host was contacted: unknown"),
    ],
)
def test_production_is_called_untouched_only_where_that_is_known(
    tmp_path: Path, kind: str, hosts: dict[str, int], production: list[str] | None, told: str
) -> None:
    run = hosts_run(tmp_path, kind, hosts, production)

    assert production_sentence(run).startswith(told)
    assert f"<strong>{told[:1].upper()}{told[1:]}" in hosts_section(run)


def test_a_soak_that_drifted_says_at_its_top_from_what_to_what_and_since_when(
    tmp_path: Path,
) -> None:
    def level(t: int, n: int, rng: Any) -> Any:
        return constant(30.0 if t < 480 else 60.0)(t, n, rng)

    meta = smoke_meta(scenario="soak", planned={"duration_s": 960.0}, end=START_S + 960.0)
    path = write_run(tmp_path, {CHECK: Traffic(12, level)}, duration_s=960, meta=meta)
    shown = text_of(page_of(path))

    levels = "from 30 ms in the first eighth to 60 ms in the last"
    assert f"p99 level of all requests went {levels}; it stayed above +50 % from about" in shown
    assert shown.count(levels) == 2  # and among the figures of the drift
    assert shown.index(levels) < shown.index("The worst first, over")


def test_tables_of_different_populations_say_which_is_theirs(tmp_path: Path) -> None:
    stages = [
        SMOKE_STAGE | {"name": "up", "phase": "ramp-up", "end_s": 20, "users_from": 0},
        SMOKE_STAGE | {"name": "hold", "start_s": 20},
    ]

    def slow_at_first(t: int, n: int, rng: Any) -> Any:
        return constant(900.0 if t < 20 else 30.0)(t, n, rng)

    meta = smoke_meta(stages=stages, exercises=None)
    path = write_run(tmp_path, {CHECK: Traffic(12, slow_at_first)}, meta=meta)
    shown = text_of(page_of(path))
    checks, endpoints = shown.index("over the phases that are judged"), shown.index(WHOLE_RUN)

    assert checks < endpoints
    assert "30 ms" in shown[checks:endpoints]
    assert "900 ms" in shown[endpoints:]
    assert f"\n{WHOLE_RUN}\n" in render.markdown(judge(load_run(path), thresholds_for(path)))


def test_a_search_says_which_part_of_a_stretch_its_figures_are_of(tmp_path: Path) -> None:
    page = page_of(searched(tmp_path))
    shown = text_of(page)

    assert "the part of each stretch that counts, once its load has settled" in shown
    assert "bad where any limit was broken (see the table)" in shown
    assert ">p95 of all</text>" in page or ">p95 of all<" in page


def test_bins_of_few_requests_have_no_heatmap(tmp_path: Path) -> None:
    few = page_of(write_run(tmp_path / "few", {CHECK: Traffic(8)}, meta=smoke_meta(exercises=None)))
    many = page_of(
        write_run(tmp_path / "many", {CHECK: Traffic(60)}, meta=smoke_meta(exercises=None))
    )

    assert ", all latencies" not in few
    assert f"{CHECK}, all latencies" in many


@pytest.mark.parametrize(
    ("scenario", "ended", "told"),
    [
        ("smoke", "refused", f"a production host was contacted: {LIVE} (3 requests); the run was"),
        (
            "health",
            "finished",
            f"a production host was contacted, as the health scenario may: {LIVE}",
        ),
    ],
)
def test_a_production_host_that_was_contacted_is_named_with_what_became_of_the_run(
    tmp_path: Path, scenario: str, ended: str, told: str
) -> None:
    run = hosts_run(tmp_path, "staging", {OURS: 9, LIVE: 3}, [LIVE], scenario=scenario, ended=ended)

    assert production_sentence(run).startswith(told)
    section = hosts_section(run)
    assert "this machine, production" in section
    assert "none matched" not in section


def test_a_name_cannot_turn_the_writing_around(tmp_path: Path) -> None:
    name = "/a\u202egnp.exe\u2066\u2028b\x85"
    page = page_of(write_run(tmp_path, {name: Traffic(4)}, meta=smoke_meta(exercises=None)))

    assert "/a�gnp.exe��b�" in page
    assert not set("\u202e\u2066\u2028\x85") & set(page)
