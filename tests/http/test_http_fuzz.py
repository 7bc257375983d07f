"""A short, seeded part of `python -m bench.fuzz`, and proof that it notices what is wrong."""

import dataclasses

import pytest

from bench.fuzz.cases import build
from bench.fuzz.drive import Tally, Worker
from bench.fuzz.oracle import Reading, read
from bench.fuzz.rounds import Rounds
from bench.fuzz.script import Script, Send

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def rounds(tmp_path):
    """Rounds with small bodies."""
    made = Rounds(tmp_path, seed=5, workers=16, large=False)
    yield made
    made.close()


def test_hostile_and_well_formed_answers_alike_end_as_they_must(rounds):
    rounds.play(range(240))
    assert rounds.tally.violations == []
    assert set(rounds.tally.kinds) == {
        *("well-formed", "broken", "nothing", "slow", "redirect", "surplus")
    }
    assert len(rounds.tally.causes) > 20


def test_the_same_seed_and_number_are_the_same_case():
    assert build(3, 14) == build(3, 14)
    assert build(3, 14) != build(4, 14)


@pytest.fixture
def worker(rounds):
    """One fuzzed user."""
    made = Worker(Tally(), rounds.tls, rounds.ca_file)
    yield made
    made.close()


def well_formed():
    """A well-formed case with a body that is looked at."""
    cases = (build(5, number, large=False) for number in range(1000))
    return next(c for c in cases if c.expected and c.expected.content and not c.expected.cause)


def test_a_well_formed_answer_is_no_violation(worker):
    worker.run(well_formed())
    assert worker.tally.violations == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"content": b"other"}, "another body"),
        ({"status": 299}, "status"),
        ({"headers": {"x-case": "other"}}, "headers"),
        ({"wire_bytes": 1_000_003}, "in place of 1000003"),
        ({"cause": "body truncated"}, "cause"),
    ],
)
def test_a_wrong_reading_is_a_violation(change, told, worker):
    case = well_formed()
    worker.run(dataclasses.replace(case, expected=dataclasses.replace(case.expected, **change)))
    assert any(told in violation for violation in worker.tally.violations)


def test_a_success_that_h11_refuses_is_a_violation(worker, monkeypatch):
    monkeypatch.setattr("bench.fuzz.drive.read", lambda *_, **__: "invalid: all of it")
    case = dataclasses.replace(
        well_formed(), expected=None, scripts=(Script((Send(OK),)),), options={}, method="GET"
    )
    worker.run(case)
    assert "h11 says: invalid: all of it" in worker.tally.violations[0]


def test_the_oracle_reads_what_is_valid_and_refuses_the_rest():
    assert read(OK, "GET", ended=False) == Reading(200, {"content-length": "5"}, b"hello")
    assert read(OK[:-1], "GET", ended=True).startswith("invalid")
    assert read(OK[:-1], "GET", ended=False) == "incomplete"
    assert read(b"garbage\r\n\r\n", "GET", ended=True).startswith("invalid")
