"""The acceptance table, and small versions of the simulations behind it."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.drift import estimate_drift
from bench.verdicts.__main__ import BEGIN, END, PAGE, main, table, with_table
from bench.verdicts.drift import PLANNED_S, pooled
from bench.verdicts.proportions import rows as proportion_rows
from bench.verdicts.soaks import Truth, soak
from bench.verdicts.table import Row

ROW = Row("a check", "≤ 5 %", "1.0%", met=True, runs=1200)


def drifts(truth: Truth, runs: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    found = (
        estimate_drift(soak(truth, rng), end_s=PLANNED_S, planned_s=PLANNED_S) for _ in range(runs)
    )
    return np.array([(d.drift_ratio, d.low_ratio, d.high_ratio) for d in found])


def test_soaks_without_drift_are_rarely_called_and_their_intervals_hold_the_truth():
    found = drifts(Truth("none", 0.0), 40)
    assert np.mean(found[:, 0] >= 0.15) <= 0.1
    assert np.mean((found[:, 1] <= 0) & (found[:, 2] >= 0)) >= 0.9


@pytest.mark.parametrize("knee_h", [None, 4.0])
def test_a_drift_of_100_percent_is_found_with_its_size(knee_h):
    found = drifts(Truth("double", 1.0, knee_h), 20)
    assert np.median(found[:, 0]) == pytest.approx(1.0, abs=0.2)
    assert np.mean(found[:, 0] > 0.5) >= 0.9


def test_the_background_misleads_the_pooled_hours():
    rng = np.random.default_rng(5)
    calls = [pooled(soak(Truth("none", 0.0), rng)) >= 0.15 for _ in range(60)]
    assert 0.08 <= np.mean(calls) <= 0.35


def test_the_bounds_of_error_rates_are_exact(monkeypatch):
    monkeypatch.setattr("bench.verdicts.proportions.TRUTH_MINUTES", 1000)
    upper, lower, _, needed = proportion_rows(runs=3, seed=1)[:4]
    assert upper.met
    assert lower.met
    assert needed.measured == "29,956 / 47,437"


def test_a_missed_target_stands_out_and_the_seed_is_told():
    page = table([ROW, ROW._replace(met=False)], seed=7, runs=300)
    assert "| a check | ≤ 5 % | 1.0% | yes | 1,200 |" in page
    assert "| **no** |" in page
    assert "--seed 7 --runs 300" in page


def test_writing_the_table_leaves_the_rest_of_the_page_alone():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_table(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="put them where the table belongs"):
        with_table("no markers", "new")


def test_the_page_has_a_place_for_the_table():
    assert with_table(PAGE.read_text(encoding="utf-8"), "new").count("new") >= 1


@pytest.mark.parametrize(
    "arguments", [["--runs", "0"], ["--only", "weather"], ["--only", "drift", "--write"]]
)
def test_arguments_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
