"""One fuzzed user: it sends the requests of cases, and checks everything that must hold of each."""

import errno
import hashlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import gevent
from locust.env import Environment

from bench.fuzz.cases import MAX_KEPT_BYTES
from bench.fuzz.oracle import Reading, decoded, normalised, read
from bench.fuzz.peer import Peer
from bench.fuzz.script import Case, Expected
from otaload.http import LeanHttpUser, Response, causes

# A deadline is kept to 30 ms, and 32 users may all have something to do at it.
SLACK_S = 0.5

# docs/http-client.md: transfer codings other than chunked are not undone.
LENIENT = frozenset(
    {
        "invalid: Only Transfer-Encoding: chunked is supported",
        "invalid: multiple Transfer-Encoding headers",
    }
)

_CONSTANTS = frozenset(
    value for name, value in vars(causes).items() if name.isupper() and isinstance(value, str)
)
_STATUS = re.compile(r"status \d{1,5}")
_ERRNO = re.compile(r"socket error (\w+)")


@dataclass
class Tally:
    """What was done, and what was wrong."""

    cases: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    stricter: dict[str, int] = field(default_factory=dict)
    """Answers that h11 takes and the client does not, by the client's cause."""
    lenient: dict[str, int] = field(default_factory=dict)
    """Successes that h11 refuses for a documented reason."""
    overshoot_max_s: float = 0.0
    busy_s: float = 0.0
    """CPU seconds of the fuzz itself, in which no request could end."""
    starved: int = 0
    """Requests that ran out of time because this process got no CPU."""
    violations: list[str] = field(default_factory=list)


class ElsewhereError(Exception):
    """What the guard says to any host but this one: a fuzzed redirect must not get out."""


def stay_here(host: str, _port: int) -> None:
    """The guard."""
    if host != "127.0.0.1":
        raise ElsewhereError(host)


class Interruption(BaseException):
    """What a caller outside the client ends a request with."""


class Worker:
    """A user, its server, and the events that it fired."""

    def __init__(self, tally: Tally, tls: ssl.SSLContext, ca_file: Path) -> None:
        self.tally = tally
        self.plain, self.secure = Peer(), Peer(tls)
        self._events: list[dict[str, Any]] = []
        environment = Environment(user_classes=[])
        environment.events.request.add_listener(lambda **event: self._events.append(event))
        kind = type(
            "FuzzUser",
            (LeanHttpUser,),
            {
                "abstract": True,
                "host": self.plain.base,
                "max_kept_bytes": MAX_KEPT_BYTES,
                "tls_ca_file": str(ca_file),
                "connect_guard": stay_here,
            },
        )
        self.user = kind(environment)

    def run(self, case: Case) -> None:
        """Send one case's request and note what is wrong with what came of it."""
        tally = self.tally
        tally.cases += 1
        tally.kinds[case.kind] = tally.kinds.get(case.kind, 0) + 1
        peer = self.secure if case.secure else self.plain
        peer.play(case)
        self._events.clear()
        started, held_up_s = perf_counter(), tally.busy_s + starved_s()
        response: Response | None = None
        problems: list[str] = []
        try:
            response = self._send(peer, case)
        except Interruption:
            if case.end_after_s is None:
                problems.append("interrupted by nobody")
        except ElsewhereError:
            if case.kind != "redirect":
                problems.append("redirected elsewhere")
        except Exception as error:  # the point is that there is none
            problems.append(f"raised {error!r}")
        over_s = perf_counter() - started - case.timeout_s
        held_up_s = tally.busy_s + starved_s() - held_up_s
        over_s -= held_up_s
        tally.overshoot_max_s = max(tally.overshoot_max_s, over_s)
        if over_s > SLACK_S:
            problems.append(f"ended {over_s:.2f} s after its deadline")
        problems += check_events(self._events, response)
        if response is not None:
            cause = response.cause or "none"
            tally.causes[cause] = tally.causes.get(cause, 0) + 1
            began = process_time()
            if is_late(response) and held_up_s > case.timeout_s / 2:
                tally.starved += 1  # the machine's doing, whatever was expected
            else:
                problems += self._judge(case, response)
            tally.busy_s += process_time() - began
        tally.violations += [f"case {case.number} ({case.kind}): {what}" for what in problems]
        if case.stale_later:
            self.user.client.close()

    def close(self) -> None:
        """Let go of everything."""
        self.user.client.close()
        self.plain.close()
        self.secure.close()

    def _send(self, peer: Peer, case: Case) -> Response:
        timer = None
        if case.end_after_s is not None:
            timer = gevent.Timeout.start_new(case.end_after_s, Interruption())
        try:
            response: Response = self.user.client.request(
                case.method,
                f"{peer.base}/case/{case.number}",
                name="fuzz",
                timeout_s=case.timeout_s,
                **case.options,
            )
            return response
        finally:
            if timer is not None:
                timer.close()

    def _judge(self, case: Case, response: Response) -> list[str]:
        tally = self.tally
        if case.expected is not None:
            return differences(case, case.expected, response)
        problems = plausible(response)
        if case.kind == "redirect":
            return problems
        script = case.scripts[0]
        opinion = read(script.stream, case.method, ended=script.end == "fin")
        if response.cause is None and isinstance(opinion, str) and "line" in opinion:
            tally.lenient["status line"] = tally.lenient.get("status line", 0) + 1
            opinion = read(normalised(script.stream), case.method, ended=script.end == "fin")
        if response.cause is None and isinstance(opinion, str):
            if opinion in LENIENT:
                tally.lenient[opinion] = tally.lenient.get(opinion, 0) + 1
            else:
                problems.append(f"a success, where h11 says: {opinion}")
        elif response.cause is None and isinstance(opinion, Reading):
            problems += unlike(case, opinion, response)
        elif isinstance(opinion, Reading) and not str(response.cause).startswith("status"):
            cause = str(response.cause)
            tally.stricter[cause] = tally.stricter.get(cause, 0) + 1
        return problems


def starved_s() -> float:
    """How long this process has waited for a CPU so far: lateness that is the machine's."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:  # not Linux
        return 0.0


def is_late(response: Response) -> bool:
    """Whether a request ended by one of its deadlines."""
    return (response.cause or "").startswith("timeout")


def differences(case: Case, expected: Expected, response: Response) -> list[str]:
    """How a response differs from the well-formed answer that was sent."""
    problems = []
    if response.cause != expected.cause:
        return [f"cause {response.cause!r} in place of {expected.cause!r}"]
    if expected.cause == causes.BODY_TOO_LARGE:
        return []
    if response.status_code != expected.status:
        problems.append(f"status {response.status_code} in place of {expected.status}")
    if dict(response.headers) != dict(expected.headers):
        problems.append(f"headers: {_other(response.headers, expected.headers)}")
    if response.body_bytes != expected.wire_bytes:
        problems.append(f"{response.body_bytes} bytes in place of {expected.wire_bytes}")
    if response.content != expected.content:
        problems.append(f"another body: {response.content[:40]!r}")
    digest = case.options.get("digest")
    if digest and case.options.get("keep_body", True):
        right = hashlib.new(digest, expected.content, usedforsecurity=False).hexdigest()
        if response.digest != right and case.method != "HEAD":
            problems.append(f"digest {response.digest}")
    return problems


def unlike(case: Case, opinion: Reading, response: Response) -> list[str]:
    """How a success differs from h11's reading of the same bytes."""
    problems = []
    if response.status_code != opinion.status:
        problems.append(f"status {response.status_code}, h11 says {opinion.status}")
    headers = dict(response.headers)
    if "transfer-encoding" in headers:  # h11 shows it in lower case
        headers["transfer-encoding"] = headers["transfer-encoding"].lower()
    if headers != dict(opinion.headers):
        problems.append(f"headers: {_other(headers, opinion.headers)}")
    if response.body_bytes != len(opinion.body):
        problems.append(f"{response.body_bytes} bytes, h11 says {len(opinion.body)}")
    if case.options.get("keep_body", True):
        body: bytes | None = opinion.body
        if "headers" in case.options:
            body = decoded(
                opinion.body, opinion.headers.get("content-encoding", ""), limit=MAX_KEPT_BYTES
            )
        if response.content != body:
            problems.append(f"another body: {response.content[:40]!r}, not {(body or b'')[:40]!r}")
    return problems


def _other(got: Mapping[str, str], right: Mapping[str, str]) -> str:
    names = [name for name in {*got, *right} if got.get(name) != right.get(name)]
    return "; ".join(f"{n}: {got.get(n)!r}, not {right.get(n)!r}" for n in sorted(names))


def plausible(response: Response) -> list[str]:
    """What must hold of any response."""
    problems = []
    if response.cause is not None and not is_known(response.cause):
        problems.append(f"unknown cause {response.cause!r}")
    timings = response.timings
    if min(timings) < 0 or timings.first_byte_s > timings.total_s:
        problems.append(f"timings {timings}")
    try:
        _ = response.text, dict(response.headers), repr(response)
    except Exception as error:  # these never raise
        problems.append(f"looking at it raised {error!r}")
    return problems


def is_known(cause: str) -> bool:
    """Whether a cause is of the bounded set of `otaload.http.causes`."""
    if cause in _CONSTANTS or _STATUS.fullmatch(cause):
        return True
    found = _ERRNO.fullmatch(cause)
    return found is not None and (found[1] == "unknown" or found[1] in errno.errorcode.values())


def check_events(events: list[dict[str, Any]], response: Response | None) -> list[str]:
    """One event for each hop, each with its cause; one that is interrupted for an exception."""
    told = [None if e["exception"] is None else str(e["exception"]) for e in events]
    if response is None:
        # Whatever ended the call may have come between two hops, or before the first.
        wrong = [cause for cause in told[:-1] if cause is not None]
        return [f"events {told} of an interrupted call"] if wrong else []
    if len(events) != len(response.history) + 1:
        return [f"{len(events)} events for {len(response.history) + 1} hops"]
    names = ["fuzz (redirect)"] * len(response.history) + ["fuzz"]
    problems = []
    if [event["name"] for event in events] != names:
        problems.append(f"names {[event['name'] for event in events]}")
    if told[-1] != response.cause or any(told[:-1]):
        problems.append(f"events say {told}, the response {response.cause!r}")
    if events[-1]["response_length"] != response.body_bytes:
        problems.append("the event has another length")
    return problems
