"""The looks at a soak under way: when they are taken, and what ends the run."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest

from otaload.live.early_stop import EarlyStop, LookError, ask_process

PLANNED_S = 8 * 3600.0
FIRST_S, EVERY_S = 3.25 * 3600, 900.0
SETTLED_S = 3.0


class Watched:
    """An early stop whose looks are answered from a list, and all that it says."""

    def __init__(self, *answers: bool | str) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.stops: list[str] = []
        self.notes: list[str] = []
        self.early = EarlyStop(
            self.ask, planned_s=PLANNED_S, on_stop=self.stops.append, note=self.notes.append
        )

    def ask(self, at_s: float) -> dict[str, object]:
        self.asked.append(at_s)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise LookError(answer)
        return {"at_s": at_s, "drift_ratio": 0.82, "low_ratio": 0.61, "beyond": answer}

    def watch(self, elapsed_s: float) -> None:
        self.early.watch(elapsed_s)
        gevent.sleep(0)

    def through(self, looks: int) -> None:
        for i in range(looks):
            self.watch(FIRST_S + i * EVERY_S + SETTLED_S)


def test_nothing_is_asked_before_the_first_look_has_settled() -> None:
    watched = Watched(False)
    watched.watch(FIRST_S + SETTLED_S - 0.1)
    assert watched.asked == []
    watched.watch(FIRST_S + SETTLED_S)
    assert watched.asked == [FIRST_S]


def test_each_look_is_taken_once_and_of_late_ones_the_last() -> None:
    watched = Watched(False, False)
    watched.watch(FIRST_S + SETTLED_S)
    watched.watch(FIRST_S + SETTLED_S + 1)
    watched.watch(FIRST_S + 3 * EVERY_S + SETTLED_S)
    assert watched.asked == [FIRST_S, FIRST_S + 3 * EVERY_S]


def test_the_second_look_in_a_row_ends_the_run_and_is_the_last() -> None:
    watched = Watched(False, True, True)
    watched.through(5)
    assert len(watched.asked) == 3
    assert watched.stops == ["the drift is +82 %, at least +61 %: above its fail limit for certain"]
    assert watched.early.as_json() == {
        "looks": 3,
        "at_s": FIRST_S + 2 * EVERY_S,
        "drift_ratio": 0.82,
        "low_ratio": 0.61,
    }


def test_looks_that_are_not_in_a_row_end_nothing() -> None:
    watched = Watched(True, False, True, False)
    watched.through(4)
    assert watched.stops == []
    assert watched.early.as_json()["at_s"] is None


def test_a_look_that_fails_is_noted_and_counts_as_no_answer() -> None:
    watched = Watched(True, "no memory", True, False)
    watched.through(4)
    assert watched.stops == []
    assert watched.notes == ["a look at the drift after 12600 s came to nothing: no memory"]
    assert watched.early.looks == 3


def test_a_look_under_way_is_not_doubled_and_ends_with_the_run() -> None:
    ended: list[bool] = []
    begun: list[float] = []

    def slow(at_s: float) -> dict[str, object]:
        begun.append(at_s)
        try:
            gevent.sleep(60)
        finally:
            ended.append(True)
        raise AssertionError("unreachable")

    early = EarlyStop(slow, planned_s=PLANNED_S, on_stop=begun.append, note=print)
    early.watch(FIRST_S + SETTLED_S)
    gevent.sleep(0)
    early.watch(FIRST_S + EVERY_S + SETTLED_S)
    gevent.sleep(0)
    assert begun == [FIRST_S]
    early.close()
    assert ended == [True]


def test_a_run_that_is_none_says_why_it_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(LookError, match="not a run directory"):
        ask_process(tmp_path, 100.0)
