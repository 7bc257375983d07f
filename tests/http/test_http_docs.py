"""docs/http-client.md says what the code does."""

import inspect
import re
from pathlib import Path

from otaload.http import HttpClient, LeanHttpUser, causes
from otaload.http.pool import MAX_ORIGINS, Settings
from otaload.http.resolve import KEEP_S, MAX_NAMES
from otaload.http.response import Timings

TEXT = (Path(__file__).parents[2] / "docs" / "http-client.md").read_text()


def documented(section):
    """The first cells of the table in a section."""
    body = TEXT.split(f"## {section}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", body, re.MULTILINE))


def test_every_cause_is_documented_and_no_other():
    known = {
        value
        for name, value in vars(causes).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    }
    assert documented("Causes") == known


def test_every_argument_of_a_request_is_documented():
    parameters = set(inspect.signature(HttpClient.request).parameters)
    assert documented("A request") == parameters - {"self", "method", "url"}


def test_every_knob_is_documented():
    assert documented("The user") == {*Settings.__dataclass_fields__, "connect_guard"}
    for name, field in Settings.__dataclass_fields__.items():
        assert getattr(LeanHttpUser, name) == field.default


def test_the_timings_are_documented():
    assert documented("Timings") == set(Timings._fields)


def test_the_bounds_are_as_documented():
    assert f"at most {MAX_ORIGINS} origins" in TEXT
    assert f"{MAX_NAMES} names are kept for {KEEP_S:.0f} s" in TEXT
