"""Damage for the fuzzing of inputs: bytes and JSON made wrong at random, and what came of it."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from otaload.errors import OtaloadError
from otaload.live.reports import MalformedReportError
from staging.errors import StagingError

SLOW_S = 2.0
"""CPU that reading one input may take; how busy the machine is does not matter."""

NASTY_TEXT = (
    *(b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"nan", b"-inf", b"1e999", b"-1", b"0x10"),
    *(b"99999999999999999999999", b"null", b"true", b"[]", b"{}", b"{", b"]", b'"', b"'", b"\n\n"),
    *(b"*a", b"&a", b"!!python/object/apply:os.system [x]", b"<<: *a", b"\t", b": :", b"- - -"),
    *(b"%", b" ms", b"800 ms", b"0 %", b";", b"@", b"=", b"e" * 3000, b"[" * 500, b"\xe2\x80\xa8"),
)
NASTY_NODES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 0.5, 1e308, -0.0),
    *("", "x" * 5000, "\u2028", "<script>", [], {}, [[]], {"a": {}}, [None] * 3, ["counts", 1]),
)


@dataclass
class Findings:
    """What came of the inputs: how often each outcome, and every failure with its input."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def note(self, kind: str, outcome: str) -> None:
        """Count an outcome."""
        self.outcomes[f"{kind}: {outcome}"] += 1

    def fail(self, kind: str, what: str, data: object) -> None:
        """Keep a failure."""
        self.outcomes[f"{kind}: FAILED"] += 1
        self.failures.append(f"{kind}: {what}\n  input: {data!r:.600}")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes with one to four places damaged."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, width = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(7):
            case 0:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + width :]
            case 2:
                data = data[:at] + rng.choice(NASTY_TEXT) + data[at:]
            case 3:
                data = data[:at] + rng.choice(NASTY_TEXT) + data[at + width :]
            case 4:
                data = data[:at]
            case 5:
                data = data[:at] + data[at : at + width] * rng.choice((2, 3, 50)) + data[at:]
            case _:
                lines = data.splitlines(keepends=True)
                rng.shuffle(lines)
                data = b"".join(lines[: rng.randrange(1, len(lines) + 2)])
    return data


def twisted(value: Any, rng: random.Random) -> Any:
    """A JSON value with one node somewhere in it replaced, renamed or left out."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        match rng.randrange(6):
            case 0:
                return rest
            case 1:
                return {**rest, key + rng.choice(("", "x", " ", "\u0000")): value[key]}
            case _:
                return {**value, key: twisted(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], twisted(value[at], rng), *value[at + 1 :]]
    return rng.choice(NASTY_NODES)


def attempt(findings: Findings, kind: str, data: object, read: Callable[[], Any]) -> Any:
    """Read an input; None where it was refused, or failed."""
    began = time.process_time()
    try:
        result = read()
    except (OtaloadError, StagingError, MalformedReportError) as error:
        findings.note(kind, "refused")
        if not str(error).strip():
            findings.fail(kind, f"{type(error).__name__} without a word", data)
        return None
    except Exception:
        findings.fail(kind, traceback.format_exc(limit=-4), data)
        return None
    finally:
        took_s = time.process_time() - began
        if took_s > SLOW_S:
            findings.fail(kind, f"took {took_s:.1f} s", data)
    findings.note(kind, "read")
    return result
