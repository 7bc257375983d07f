"""What the endurance benchmark calls flat."""

import dataclasses

import pytest

from bench.endurance import Endured, Sample, measure, misses, report


def samples(minutes, mb_of_minute, fds=lambda minute: 20):
    """A sample a second."""
    return [
        Sample(float(s), int(mb_of_minute(s // 60) * 1e6), fds(s // 60), s * 0.1)
        for s in range(minutes * 60 + 16)
    ]


def endured(found, **other):
    """A run without a failure."""
    values = {"requests": 100, "failures": 0, "served": 100, "exit_code": 0, "meta": {}}
    return Endured(samples=tuple(found), **{**values, **other})


def missed(found, **other):
    """What of the aims a run with these samples missed."""
    return misses(endured(found, **other), measure(found, warm_up_s=120))


def test_memory_that_grew_only_in_the_warm_up_is_flat():
    found = samples(8, lambda minute: 90.0 if minute >= 2 else 60.0 + 10 * minute)
    flat = measure(found, warm_up_s=120)
    assert (flat.change_mb, flat.range_mb, len(flat.after_mb)) == (0.0, 0.0, 6)
    assert missed(found) == []


def test_memory_that_grows_by_half_a_megabyte_a_minute_is_a_miss():
    assert missed(samples(8, lambda minute: 80 + 0.5 * minute)) == ["memory"]


def test_a_bump_that_went_away_again_is_a_miss():
    assert missed(samples(8, lambda minute: 85.0 if minute == 4 else 80.0)) == ["memory"]


def test_one_sample_out_of_line_is_not_a_minute():
    found = samples(8, lambda minute: 80.0)
    found[300] = dataclasses.replace(found[300], rss_bytes=200_000_000)
    assert missed(found) == []


def test_a_descriptor_more_is_a_miss():
    found = samples(8, lambda minute: 80.0, lambda minute: 21 if minute == 6 else 20)
    assert missed(found) == ["descriptors"]


@pytest.mark.parametrize("other", [{"failures": 1}, {"served": 99}, {"requests": 0, "served": 0}])
def test_requests_that_failed_or_are_not_those_of_the_service_are_a_miss(other):
    assert missed(samples(8, lambda minute: 80.0), **other) == ["requests"]


def test_too_short_a_run_is_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match="give more --minutes"):
        measure(samples(2, lambda minute: 80.0), warm_up_s=120)
    with pytest.raises(ValueError, match="give more --minutes"):
        measure([], warm_up_s=120)


def test_the_report_has_the_figures():
    found = samples(8, lambda minute: 80.0 + (0.25 if minute == 7 else 0))
    text = report(endured(found), measure(found, warm_up_s=120), rate=500, minutes=8)
    assert "| change | +0.25 MB | within 2 MB |" in text
    assert "| generator's CPU | 10% of a core |" in text
    assert "| descriptors, least and most | 20 / 20 | the same |" in text
