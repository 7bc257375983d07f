"""What workers tell the master survives the way, and what does not is noticed."""

from __future__ import annotations

import struct
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.live.reports import MalformedReportError, Report, pack, unpack
from otaload.live.workers import MOST_REMARKS, Ledger
from otaload.record import Histogram, Window, WindowKey
from otaload.record.packing import FORMAT, pack_window


def report(sequence: int, **rest: object) -> Report:
    """A report with one window."""
    window = Window()
    window.successes = Histogram.of([1, 2, 3_000_000])
    window.failures = Histogram.of([5])
    window.causes = {"connection reset": 1}
    window.bytes_in = 12
    fields = {"worker": "w1", "users": 3, "health": [{"second": 1, "lag_ms": 0.5}], **rest}
    return Report(
        sequence=sequence, windows=[(WindowKey(7, "GET", "/x"), pack_window(window))], **fields
    )  # type: ignore[arg-type]


def test_a_report_comes_out_as_it_went_in() -> None:
    sent = report(
        4,
        hosts={"h:1": 9},
        production_hosts=["h:1"],
        crashes=2,
        first_crash="boom",
        refused="no",
        final=True,
    )

    assert unpack(pack(sent)) == sent


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_malformed_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(MalformedReportError):
        unpack(data)


@given(st.integers(0, 4000), st.integers(1, 255))
def test_a_damaged_report_is_malformed(place: int, change: int) -> None:
    data = bytearray(pack(report(1)))
    data[place % len(data)] ^= change

    with pytest.raises(MalformedReportError):
        unpack(bytes(data))


@given(st.integers(0, 4000))
def test_a_report_that_was_cut_off_is_malformed(length: int) -> None:
    data = pack(report(1))

    with pytest.raises(MalformedReportError):
        unpack(data[: length % len(data)])


def test_a_report_packed_in_another_way_names_the_remedy() -> None:
    with pytest.raises(MalformedReportError, match="run the same otaload everywhere"):
        unpack(b'{"worker":"w1","sequence":1,"users":3,"windows":[],"health":[]}')


@pytest.mark.parametrize("data", [None, 5, "text", [], {"a": 1}])
def test_what_is_not_bytes_is_malformed(data: object) -> None:
    with pytest.raises(MalformedReportError):
        unpack(data)


def test_numbers_without_a_gap_are_no_gap() -> None:
    ledger = Ledger()
    for sequence in (1, 2, 3):
        ledger.draining = sequence == 3
        ledger.enter(report(sequence, final=sequence == 3), at_s=1.5)

    assert ledger.notes() == []
    assert ledger.finished() == {"w1"}
    assert ledger.as_json()[0] | {"lost": False, "gaps": 0, "reports": 3} == ledger.as_json()[0]


def test_a_skipped_number_and_an_unreadable_report_are_gaps() -> None:
    ledger = Ledger()
    ledger.enter(report(1), at_s=1.5)
    ledger.enter(report(4, final=True), at_s=1.5)
    ledger.enter_unreadable("w2", "it is torn")

    assert [worker.gaps for worker in ledger.workers.values()] == [2, 1]
    assert "2 of its reports are missing" in " ".join(ledger.notes())


def test_a_worker_whose_last_report_never_came_is_lost() -> None:
    ledger = Ledger()
    ledger.enter(report(1), at_s=1.5)

    assert ledger.as_json()[0]["lost"] is True
    assert ledger.notes() == [
        "worker 0 (w1) was lost: its last report came 2 s after the start, "
        "and what it did after that is missing"
    ]


def test_a_worker_that_leaves_before_it_was_asked_to_is_lost() -> None:
    ledger = Ledger()
    ledger.enter(report(1, final=True), at_s=1.5)
    ledger.draining = True

    assert ledger.as_json()[0]["lost"] is True
    assert ledger.notes() == ["worker 0 (w1) left before the run was over"]


def test_a_worker_that_never_reports_is_lost_and_named() -> None:
    ledger = Ledger()
    ledger.expect(["w1", "w2"])
    ledger.draining = True
    ledger.enter(report(1, final=True), at_s=1.5)

    assert ledger.silent() == {"w2"}
    assert [worker["lost"] for worker in ledger.as_json()] == [False, True]
    assert "(w2) never reported" in ledger.notes()[0]


def test_a_worker_of_another_version_is_named() -> None:
    ledger = Ledger(draining=True)
    ledger.enter(report(1, version="0.0.9", final=True), at_s=1.5)

    assert "0.0.9" in ledger.notes()[0]


def test_a_report_that_comes_twice_is_counted_once_and_said() -> None:
    ledger = Ledger(draining=True)
    counted = [ledger.enter(report(n, final=n == 3), at_s=1.5) for n in (1, 2, 2, 1, 3)]

    assert counted == [True, True, False, False, True]
    assert ledger.notes() == ["worker 0 (w1): 2 of its reports came twice and were left out"]


def test_a_worker_that_was_missing_and_came_back_is_named() -> None:
    ledger = Ledger()
    ledger.enter(report(1), at_s=1.5)
    for _ in range(4):
        ledger.watch(["w1", "never seen"])
    ledger.draining = True
    ledger.enter(report(2, final=True), at_s=9)

    assert ledger.as_json()[0]["away_s"] == 4
    assert "out of touch for 4 s" in ledger.notes()[0]


def test_remarks_are_bounded() -> None:
    ledger = Ledger()
    for number in range(1000):
        ledger.enter_stray("w1", f"run {number}")

    assert len(ledger.notes()) == MOST_REMARKS


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": "many"},
        {"users": -1},
        {"crashes": None},
        {"final": 1},
        {"version": 7},
        {"run": None},
        {"sent_s": "now"},
        {"heard_s": []},
        {"hosts": {"h": "x"}},
        {"hosts": []},
        {"production_hosts": "h"},
        {"production_hosts": [7]},
        {"refused": 5},
        {"first_crash": ["boom"]},
        {"health": [5]},
        {"health": [{"second": "7"}]},
        {"health": [{"second": 7, "arrivals": {"planned": "x"}}]},
        {"worker": ""},
        {"worker": 5},
        {"sequence": True},
        {"no such field": 1},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_kind_makes_a_report_malformed(wrong: dict[str, object]) -> None:
    head, buckets = split(pack(report(1)))

    with pytest.raises(MalformedReportError):
        unpack(joined({**head, **wrong}, buckets))


def test_a_report_under_another_workers_name_is_malformed() -> None:
    with pytest.raises(MalformedReportError, match="the name of another worker"):
        unpack(pack(report(1)), of="w2")


def split(data: bytes) -> tuple[dict[str, object], bytes]:
    """The fields of a packed report, and its buckets."""
    begin = len(FORMAT) + 8
    length = int.from_bytes(data[begin - 4 : begin], "little")
    return orjson.loads(data[begin : begin + length]), data[begin + length :]


def joined(fields: dict[str, object], buckets: bytes) -> bytes:
    """The reverse: a frame with a checksum that is right."""
    head = orjson.dumps(fields)
    checksum = zlib.crc32(buckets, zlib.crc32(head, len(head)))
    return FORMAT + struct.pack("<II", checksum, len(head)) + head + buckets


def test_what_is_amiss_with_a_worker_under_way_is_told_as_it_stands() -> None:
    ledger = Ledger()
    for worker in ("w1", "w2"):
        ledger.enter(report(1, worker=worker), at_s=1.5)
    assert ledger.amiss == {}

    ledger.watch(["w2"])
    missing = ledger.amiss
    assert list(missing) == ["w2"]
    assert [told["lost"] for told in ledger.as_json(under_way=True)] == [False, True]

    ledger.watch(["w2"])
    assert ledger.amiss == missing

    ledger.enter(report(2, worker="w2"), at_s=9.5)
    assert ledger.amiss not in ({}, missing)
    told = ledger.as_json(under_way=True)[1]
    assert (told["lost"], told["away_s"]) == (False, 2)


def test_what_is_raised_after_the_last_report_is_added_to_what_was_before() -> None:
    ledger = Ledger(draining=True)
    for sequence, crashes in ((1, 1), (2, 3)):
        ledger.enter(report(sequence, crashes=crashes, final=sequence == 2), at_s=1.5)
    assert ledger.crashes == 3

    ledger.enter(report(3, crashes=2, final=True), at_s=1.5)
    assert ledger.crashes == 5
