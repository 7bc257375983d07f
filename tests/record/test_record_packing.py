"""Packed windows add up to what the windows themselves add up to; what does not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.record import Histogram, Window, WindowKey, packing
from otaload.record.packing import HISTOGRAMS, PackedSum, from_wire, pack_window, to_wire

KEY = WindowKey(1_795_000_000, "GET", "/x")
LATENCIES = st.lists(st.integers(0, 4_000_000_000), max_size=8)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """A window with anything in it."""
    window = Window()
    for name in HISTOGRAMS:
        setattr(window, name, Histogram.of(draw(LATENCIES)))
    window.bytes_in = draw(st.integers(0, 10**12))
    window.retries = draw(st.integers(0, 5))
    window.resent = draw(st.integers(0, 5))
    if window.failures.n:
        window.causes = {draw(st.sampled_from(["reset", "status 503", "ü"])): window.failures.n}
    return window


def sum_of(parts: list[Window]) -> Window:
    """The sum by way of bytes and back."""
    total = PackedSum()
    for part in parts:
        entries, buckets = to_wire([(KEY, pack_window(part))])
        ((key, packed),) = from_wire(entries, buckets)
        assert key == KEY
        total += packed
    return total.window()


def test_each_histogram_of_a_window_travels() -> None:
    filled = {name for name in Window.__slots__ if isinstance(getattr(Window(), name), Histogram)}

    assert set(HISTOGRAMS) == filled


@given(parts=st.lists(windows(), max_size=5))
@pytest.mark.parametrize("many", [0, 20_000], ids=["filled row", "sparse row"])
def test_packed_windows_add_up_to_the_sum_of_the_windows(many: int, parts: list[Window]) -> None:
    expected = Window()
    for part in parts:
        expected += part
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_MANY", many)
        found = sum_of(parts)

    assert found == expected


@pytest.mark.parametrize("many", [0, 20_000], ids=["filled row", "sparse row"])
def test_an_index_that_no_latency_has_is_added_as_any_other(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_MANY", many)
    window = Window()
    window.successes.counts, window.successes.n = {65_535: 2, 0: 1}, 3
    window.successes.min_us = 0

    assert sum_of([window, window]).successes.counts == {65_535: 4, 0: 2}


def entry(**changes: Any) -> list[Any]:
    """A window of one success and one failure, for buckets of 12 bytes."""
    fields = {
        "second": 7,
        "method": "GET",
        "endpoint": "/x",
        "bytes_in": 0,
        "retries": 0,
        "resent": 0,
        "causes": {"reset": 1},
        "heads": [[1, 5, 5, 5], [1, 5, 5, 5], None, None],
    }
    return list({**fields, **changes}.values())


ONE = b"\x05\x00\x01\x00\x00\x00"


def test_the_entry_that_the_refusals_begin_from_is_sound() -> None:
    ((_, packed),) = from_wire([entry()], ONE + ONE)

    assert packed.causes == {"reset": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"second": 7.5},
        {"second": True},
        {"method": None},
        {"endpoint": 5},
        {"bytes_in": -1},
        {"retries": "1"},
        {"causes": {}},
        {"causes": {"reset": 2}},
        {"causes": {"reset": True}},
        {"causes": ["reset"]},
        {"causes": None},
        {"heads": [[1, 5, 5, 5]]},
        {"heads": [[1, 5, 5, 5], [1, 5, 5, 5], None, None, None]},
        {"heads": [[2, 5, 5, 5], [1, 5, 5, 5], None, None]},
        {"heads": [None, [1, 5, 5, 5], None, None]},
        {"heads": [[1, 5, 5], [1, 5, 5, 5], None, None]},
        {"heads": [[1, 5.0, 5, 5], [1, 5, 5, 5], None, None]},
        {"heads": [[1, 5, -1, 5], [1, 5, 5, 5], None, None]},
        {"heads": [[-1, 5, 5, 5], [1, 5, 5, 5], None, None]},
        {"heads": "no"},
    ],
    ids=str,
)
def test_a_window_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        from_wire([entry(**changes)], ONE + ONE)


@pytest.mark.parametrize("buckets", [b"", ONE, ONE + ONE[:5], ONE + ONE + b"\x00"])
def test_buckets_that_are_too_few_or_too_many_are_refused(buckets: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_wire([entry()], buckets)
