"""What was raised is found in every traceback that Python writes."""

from __future__ import annotations

import traceback

import pytest

from analysis.tracebacks import exception_line


def chained(*, meant: bool) -> None:
    """Raise while another exception is handled."""
    try:
        raise KeyError("the first")
    except KeyError as error:
        raise RuntimeError("the last\nof two lines") from (error if meant else None)


def handled_badly() -> None:
    """Raise by mistake while another exception is handled."""
    try:
        raise KeyError("the first\nof two lines")
    except KeyError:
        raise ValueError("the last")  # noqa: B904 -- what is tested


def raise_group() -> None:
    """Raise several at once."""
    raise ExceptionGroup("two at once", [ValueError("a"), KeyError("b")])


def raise_several_lines() -> None:
    """Raise what a service answered, which looks like anything."""
    raise AssertionError("expected 200\n\n  got: 500\nTraceback of theirs\n::error ::x")


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (raise_several_lines, "AssertionError: expected 200"),
        (lambda: compile("a b", "x.py", "exec"), "SyntaxError: invalid syntax"),
        (lambda: chained(meant=True), "RuntimeError: the last"),
        (lambda: chained(meant=False), "RuntimeError: the last"),
        (handled_badly, "ValueError: the last"),
        (raise_group, "ExceptionGroup: two at once (2 sub-exceptions)"),
    ],
)
def test_the_line_that_says_what_was_raised_is_found(act, line: str) -> None:
    try:
        act()
    except Exception:
        assert exception_line(traceback.format_exc()) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n", ""),
        ("Boom", "Boom"),
        ("KeyError: 'x'\nand a note\n", "KeyError: 'x'"),
        ('Traceback (most recent call last):\n  File "x"', 'File "x"'),
    ],
)
def test_what_is_no_whole_traceback_has_a_line_all_the_same(text: str, line: str) -> None:
    assert exception_line(text) == line
