"""Cases by number: the same seed and number make the same case."""

from random import Random
from typing import Any

from bench.fuzz import hostile, wellformed
from bench.fuzz.script import Case, End, Expected, Script, Send

METHODS = ("GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
MAX_KEPT_BYTES = 1 << 20
_CODINGS = "gzip, deflate, br"


def build(seed: int, number: int, *, large: bool = True) -> Case:
    """The case with a number; `large` allows bodies of megabytes."""
    rng = Random(f"{seed}/{number}")
    method = rng.choice(METHODS)
    options = _options(rng, method, large=large)
    decodes = "headers" in options
    mark = f"{seed}-{number}"
    answer = wellformed.generate(rng, method, mark, decodes=decodes, large=large)
    draw = rng.random()
    secure = rng.random() < 0.15
    if draw < 0.4:
        return _well_formed(rng, number, method, options, answer, secure=secure)
    if draw < 0.46 and not answer.until_close and len(answer.stream) < 10_000:
        # In one write: the next request of this user must not be answered by what comes too much.
        sent = Send(answer.stream + hostile.STALE)
        return Case(number, "surplus", method, (Script((sent,)),), options, timeout_s=20.0)
    if draw < 0.5:
        scripts: tuple[Script, ...] = (hostile.nothing(rng, answer),)
        kind = "nothing"
    elif draw < 0.54:
        scripts, kind = (hostile.slow(rng, answer),), "slow"
    elif draw < 0.6:
        scripts, kind = hostile.redirect(rng, number), "redirect"
    else:
        scripts, kind = (hostile.script(rng, answer),), "broken"
    stops = rng.random() < 0.06
    return Case(
        number,
        kind,
        method,
        scripts,
        options,
        timeout_s=rng.choice((0.05, 0.2, 0.4, 0.4)),
        secure=secure,
        end_after_s=rng.uniform(0.0, 0.1) if stops else None,
        stale_later=True,
    )


def _well_formed(
    rng: Random,
    number: int,
    method: str,
    options: dict[str, Any],
    answer: wellformed.Answer,
    *,
    secure: bool,
) -> Case:
    before = wellformed.interim(rng, rng.choice((0, 0, 0, 1, 3)))
    sends = wellformed.split(rng, before + answer.stream)
    end: End = "fin" if answer.until_close else rng.choice(("keep", "keep", "keep", "fin"))
    status, size = answer.status, len(answer.wire_body)
    expect = options.get("expect")
    fits = 200 <= status < 400 if expect is None else status in _set_of(expect)
    kept = options.get("keep_body", True)
    held = len(answer.body)
    cause = None if fits else f"status {status}"
    if kept and held > MAX_KEPT_BYTES:
        cause = "body too large to keep"
    expected = Expected(cause, status, answer.headers, size, answer.body if kept else b"")
    return Case(
        number,
        "well-formed",
        method,
        (Script(sends, end),),
        options,
        timeout_s=20.0,
        secure=secure,
        expected=expected,
        stale_later=end == "fin",  # a kept POST that crosses it is lost by rights
    )


def _set_of(expect: int | set[int]) -> set[int]:
    return {expect} if isinstance(expect, int) else expect


def _options(rng: Random, method: str, *, large: bool) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if method in {"POST", "PUT", "PATCH"} or rng.random() < 0.05:
        way = rng.random()
        if way < 0.5:
            options["json"] = {"a": [1, 2.5, None, "ü"], "n": rng.randrange(1000)}
        elif way < 0.9:
            sizes = (0, 1, 5000, 3_000_000) if large else (0, 1, 5000)
            options["data"] = b"d" * rng.choice(sizes)
    if rng.random() < 0.3:
        options["expect"] = rng.choice((200, {200, 201, 404}, {204, 304, 500}))
    if rng.random() < 0.3:
        options["keep_body"] = False
    if rng.random() < 0.3:
        options["digest"] = rng.choice(("sha256", "md5"))
    if rng.random() < 0.3:
        options["headers"] = {"Accept-Encoding": _CODINGS, "X-Probe": "1"}
    if rng.random() < 0.1:
        options["follow_redirects"] = False
    return options
