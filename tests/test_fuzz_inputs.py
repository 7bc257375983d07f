"""A small part of the fuzzing of everything that is read from outside; the whole is in `bench`."""

from __future__ import annotations

from bench import fuzz_inputs, fuzz_runs


def test_damaged_inputs_are_read_or_refused_and_never_better_than_they_were() -> None:
    findings = fuzz_inputs.fuzz(1500, seed=20261123)
    assert findings.failures == []
    assert sum(findings.outcomes.values()) == 1500
    assert {outcome.partition(":")[0] for outcome in findings.outcomes} >= {
        *("thresholds", "targets", "fault spec", "report"),
        *("run, run.json", "run, windows.jsonl", "run, users.jsonl"),
        *("history, verdict.json", "report of a run, windows.jsonl"),
    }


def test_the_fuzzer_sees_an_error_that_is_not_the_project_s_own(monkeypatch) -> None:
    def fall_over(_text: str) -> None:
        raise KeyError("fell over")

    monkeypatch.setattr(fuzz_inputs, "parse_thresholds", fall_over)
    findings = fuzz_inputs.fuzz(100, seed=1)
    assert len(findings.failures) == 25
    assert "KeyError: 'fell over'" in findings.failures[0]


def test_the_fuzzer_sees_a_failed_run_that_turned_green(monkeypatch) -> None:
    judge = fuzz_runs.judge_directory

    def believe_everything(path, **options):
        verdict = judge(path, **options)
        object.__setattr__(verdict, "outcome", fuzz_runs.Outcome.PASS)
        return verdict

    monkeypatch.setattr(fuzz_runs, "judge_directory", believe_everything)
    findings = fuzz_inputs.fuzz(400, seed=1)
    assert any("a failed run became pass" in failure for failure in findings.failures)
