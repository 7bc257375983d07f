"""One request, one response: every way a body may be framed, and every way it may go wrong."""

import gzip
import hashlib
import time
import zlib

import brotli
import gevent
import pytest
from http_peers import OK, answering, no_leaks, read_request, reset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otaload.http.body import Sink
from otaload.http.causes import ExchangeError

BODY = b'{"updateAvailable":false}'
FRAMINGS = {
    "content-length": b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\nX-A: 1\r\n\r\n" + BODY,
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"a\r\n" + BODY[:10] + b"\r\nf;ext=1\r\n" + BODY[10:] + b"\r\n0\r\nTrailer: x\r\n\r\n"
    ),
    "until close": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n" + BODY,
    "http/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n"
    + BODY,
    "after two interim heads": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n" + BODY
    ),
}
CLOSES = {"until close", "http/1.0"}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_is_whole_however_it_is_framed(framing, serve, lean):
    user = lean(serve(answering(FRAMINGS[framing], close=framing in CLOSES)))
    with no_leaks():
        response = user.client.get("/check")
        assert (response.status_code, response.cause) == (200, None)
        assert response.content == BODY
        assert response.json() == {"updateAvailable": False}
        assert response.body_bytes == len(BODY)
        again = user.client.get("/check")
        assert again.content == BODY
        assert again.reused is (framing not in CLOSES)
        user.client.close()
    assert user.causes == [None, None]
    assert [event["response_length"] for event in user.events] == [25, 25]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_response_may_be_split_at_any_boundary(framing, serve, lean):
    answer = FRAMINGS[framing]
    splits = iter(range(1, len(answer)))

    def handler(sock):
        while read_request(sock)[0]:
            at = next(splits)
            sock.sendall(answer[:at])
            gevent.sleep(0.0005)
            sock.sendall(answer[at:])
            if framing in CLOSES:
                return

    user = lean(serve(handler))
    for _ in range(1, len(answer)):
        response = user.client.get("/check")
        assert (response.status_code, response.cause, response.content) == (200, None, BODY)
        assert "x-a" not in response.headers or response.headers["x-a"] == "1"


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    framing=st.sampled_from(sorted(FRAMINGS)),
    cuts=st.lists(st.integers(1, 100), max_size=6),
    keep=st.booleans(),
    hashed=st.booleans(),
)
def test_pieces_keep_and_digest_never_change_what_is_received(
    serve, lean, framing, cuts, keep, hashed
):
    answer = FRAMINGS[framing]

    def handler(sock):
        read_request(sock)
        start = 0
        for cut in sorted({cut for cut in cuts if cut < len(answer)}):
            sock.sendall(answer[start:cut])
            gevent.sleep(0.0003)
            start = cut
        sock.sendall(answer[start:])

    user = lean(serve(handler))
    response = user.client.get("/", keep_body=keep, digest="sha256" if hashed else None)
    assert response.cause is None
    assert response.body_bytes == len(BODY)
    assert response.content == (BODY if keep else b"")
    assert response.digest == (_sha(BODY) if hashed else None)
    user.client.close()


def _sha(data):
    return hashlib.sha256(data).hexdigest()


GARBAGE = {
    "no http at all": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a length of letters": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "a length beyond 64 bits": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "length and chunked": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a chunk size of letters": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    "zero bytes": b"\0" * 100,
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_is_a_malformed_response(case, serve, lean):
    user = lean(serve(answering(GARBAGE[case])))
    with no_leaks():
        response = user.client.get("/")
        assert response.cause == "malformed response"
        user.client.close()
    assert user.causes == ["malformed response"]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(garbage=st.binary(max_size=200))
def test_any_bytes_end_in_a_counted_response_without_a_raise(serve, lean, garbage):
    user = lean(serve(answering(b"HTTP/1.1 200 OK\r\n" + garbage, close=True)), total_timeout_s=2.0)
    response = user.client.get("/")
    assert len(user.events) == 1
    assert response.cause is not None or response.status_code == 200
    user.client.close()


CUT = {
    "before the response": (b"", "connection closed before the response"),
    "inside the status line": (b"HTTP/1.1 20", "connection closed inside the response head"),
    "inside the headers": (
        b"HTTP/1.1 200 OK\r\nContent-Le",
        "connection closed inside the response head",
    ),
    "after an interim head": (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        "connection closed inside the response head",
    ),
    "inside a counted body": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "body truncated",
    ),
    "before a counted body": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "body truncated"),
    "inside a large body": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000,
        "body truncated",
    ),
    "inside a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
        "body truncated",
    ),
    "between chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "body truncated",
    ),
    "before the last chunk's end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "body truncated",
    ),
}


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("stage", CUT)
def test_a_connection_that_ends_early_is_named_by_its_stage(stage, keep, serve, lean):
    answer, cause = CUT[stage]
    user = lean(serve(answering(answer, close=True)))
    with no_leaks():
        response = user.client.get("/", keep_body=keep)
        assert response.cause == cause
        user.client.close()
    assert user.causes == [cause]


@pytest.mark.parametrize("stage", CUT)
def test_a_reset_at_any_stage_is_a_connection_reset(stage, serve, lean):
    answer = CUT[stage][0]

    def handler(sock):
        read_request(sock)
        if answer:
            sock.sendall(answer)
            gevent.sleep(0.01)
        reset(sock)

    user = lean(serve(handler))
    with no_leaks():
        assert user.client.get("/", keep_body=False).cause == "connection reset"
        user.client.close()
    assert user.causes == ["connection reset"]


def test_a_reset_before_the_request_is_read_is_a_connection_reset(serve, lean):
    user = lean(serve(reset))
    assert user.client.get("/").cause == "connection reset"


def test_nobody_listening_is_connection_refused(lean):
    user = lean("http://127.0.0.1:1")
    response = user.client.get("/")
    assert (response.status_code, response.cause) == (0, "connection refused")
    assert response.content == b""
    assert response.headers.get("x") is None


def test_endless_headers_end_at_the_limit(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            sock.sendall(b"X-Header: " + b"x" * 1000 + b"\r\n")

    user = lean(serve(handler))
    assert user.client.get("/").cause == "response head too large"


def test_one_endless_header_ends_at_the_limit(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            sock.sendall(b"x" * 10000)

    user = lean(serve(handler))
    assert user.client.get("/").cause == "response head too large"


def test_endless_interim_heads_end_at_the_limit(serve, lean):
    def handler(sock):
        read_request(sock)
        while True:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)

    user = lean(serve(handler))
    assert user.client.get("/").cause == "response head too large"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_ends_at_its_head(status, serve, lean):
    answer = b"HTTP/1.1 %d X\r\nContent-Length: 10\r\nETag: x\r\n\r\n" % status
    user = lean(serve(answering(answer, OK)))
    response = user.client.get("/")
    assert (response.status_code, response.cause, response.content) == (status, None, b"")
    assert user.client.get("/").reused


@pytest.mark.parametrize(
    ("head", "reused"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\n", True),
    ],
)
def test_a_head_request_has_no_body_whatever_its_headers_say(head, reused, serve, lean):
    user = lean(serve(answering(head, OK)))
    response = user.client.head("/")
    assert (response.status_code, response.cause, response.body_bytes) == (200, None, 0)
    assert user.client.head("/").reused is reused
    assert user.causes == [None, None]


def test_a_body_after_a_head_request_spoils_the_connection_and_nothing_else(serve, lean):
    user = lean(serve(answering(OK, OK)))
    assert user.client.head("/").cause is None
    again = user.client.get("/")
    assert (again.content, again.reused) == (b"ok", False)


@pytest.mark.parametrize("surplus", [b"x", b"HTT", b"\r\nmore", OK])
def test_bytes_past_the_end_spoil_the_connection_and_nothing_else(surplus, serve, lean):
    user = lean(serve(answering(OK + surplus, OK)))
    assert user.client.get("/").content == b"ok"
    gevent.sleep(0.01)
    again = user.client.get("/")
    assert (again.content, again.reused, again.cause) == (b"ok", False, None)


def test_late_surplus_is_seen_before_the_next_request(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(OK)
        gevent.sleep(0.01)
        sock.sendall(OK)
        gevent.sleep(1)

    user = lean(serve(handler))
    user.client.get("/")
    gevent.sleep(0.03)
    assert user.client.post("/").reused is False


def test_a_protocol_switch_is_a_failed_status(serve, lean):
    answer = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwhatever"
    user = lean(serve(answering(answer, OK)))
    response = user.client.get("/")
    assert (response.status_code, response.cause) == (101, "status 101")
    assert not user.client.get("/").reused


def test_connection_close_is_obeyed(serve, lean):
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    user = lean(serve(answering(answer)))
    assert user.client.get("/").cause is None
    assert not user.client.get("/").reused
    assert user.client.connects == 2


LARGE = bytes(range(256)) * 8192  # 2 MiB


@pytest.mark.parametrize("framing", ["counted", "chunked", "until close"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("digest", [None, "sha256"])
def test_a_large_body_arrives_whole(framing, keep, digest, serve, lean):
    if framing == "counted":
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE
    elif framing == "chunked":
        chunks = [LARGE[at : at + 70_000] for at in range(0, len(LARGE), 70_000)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    else:
        answer = b"HTTP/1.1 200 OK\r\n\r\n" + LARGE
    user = lean(serve(answering(answer, close=framing == "until close")))
    for _ in range(2):
        response = user.client.get("/", keep_body=keep, digest=digest)
        assert (response.cause, response.body_bytes) == (None, len(LARGE))
        assert response.content == (LARGE if keep else b"")
        assert response.digest == (_sha(LARGE) if digest else None)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 60000000000\r\n\r\n" + b"x" * 20000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8\r\nabcdefgh\r\n" * 5000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
    ],
    ids=["counted", "a counted 60 GB", "chunked", "until close"],
)
def test_a_body_beyond_what_may_be_kept_fails_and_is_not_kept(answer, serve, lean):
    user = lean(serve(answering(answer, close=True)), max_kept_bytes=4096)
    response = user.client.get("/")
    assert (response.cause, response.content) == ("body too large to keep", b"")


def test_a_large_request_is_sent_whole_to_a_slow_reader(serve, lean):
    received = []

    def handler(sock):
        gevent.sleep(0.05)
        received.append(read_request(sock)[1])
        sock.sendall(OK)

    user = lean(serve(handler))
    data = LARGE * 4
    assert user.client.post("/", data=data).cause is None
    assert received == [data]


def test_an_answer_before_the_whole_request_was_read_is_taken(serve, lean):
    def handler(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        gevent.sleep(0.5)

    user = lean(serve(handler), total_timeout_s=5)
    response = user.client.post("/", data=LARGE * 8)
    assert (response.status_code, response.cause) == (413, "status 413")


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "x-gzip": gzip.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("digest", [None, "sha256"])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_coded_body_is_decoded_when_it_was_asked_for(coding, digest, serve, lean):
    coded = CODINGS[coding](LARGE)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    user = lean(serve(answering(head % (coding.encode(), len(coded)) + coded)))
    response = user.client.get("/", headers={"Accept-Encoding": "gzip, br"}, digest=digest)
    assert response.cause is None
    assert response.content == LARGE
    assert response.body_bytes == len(coded)
    assert response.digest == (_sha(LARGE) if digest else None)


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
@pytest.mark.parametrize("coding", ["br, gzip", "gzip, br", "deflate, gzip", "gzip, gzip"])
def test_a_body_coded_twice_is_decoded_however_it_is_cut(coding, size):
    body = coded = LARGE[:20_000]
    for name in coding.split(", "):
        coded = CODINGS[name](coded)
    sink = Sink(keep=True, digest=None, max_kept_bytes=1 << 20)
    sink.decode(coding, time.perf_counter() + 60)
    for at in range(0, len(coded), size):
        sink.feed(memoryview(coded)[at : at + size])
    sink.finish()
    assert b"".join(sink.pieces) == body


@pytest.mark.parametrize("behind", [b"\0" * 512, gzip.compress(b"more") + b"\0"])
def test_zeros_behind_a_gzip_body_are_no_part_of_it(behind, serve, lean):
    coded = gzip.compress(BODY) + behind
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    user = lean(serve(answering(head % len(coded) + coded)))
    response = user.client.get("/", headers={"Accept-Encoding": "gzip"})
    assert response.cause is None
    assert response.content == BODY + (b"more" if behind[0] else b"")


def test_a_coded_body_stays_as_it_is_when_nobody_asked(serve, lean):
    coded = gzip.compress(BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    user = lean(serve(answering(head % len(coded) + coded)))
    assert user.client.get("/").content == coded


@pytest.mark.parametrize(
    "coded",
    [b"no gzip at all", gzip.compress(LARGE)[:-20], b"\x1f\x8b\x08"],
    ids=["garbage", "cut short", "only a header"],
)
def test_a_body_that_does_not_decode_is_a_failure(coded, serve, lean):
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    user = lean(serve(answering(head % len(coded) + coded)))
    response = user.client.get("/", headers={"Accept-Encoding": "gzip"})
    assert response.cause == "body not decodable"


def test_a_bomb_ends_at_what_may_be_kept(serve, lean):
    coded = gzip.compress(bytes(200_000_000), compresslevel=1)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    user = lean(serve(answering(head % len(coded) + coded)), max_kept_bytes=1_000_000)
    response = user.client.get("/", headers={"Accept-Encoding": "gzip"})
    assert response.cause == "body too large to keep"


def test_a_dropped_bomb_ends_at_its_deadline_and_others_run(serve, lean):
    zeros, compressor = bytes(1 << 20), brotli.Compressor(quality=5, lgwin=24)
    coded = b"".join(compressor.process(zeros) for _ in range(1024)) + compressor.finish()
    assert len(coded) < 2000
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: %d\r\n\r\n"
    user = lean(serve(answering(head % len(coded) + coded)))
    turns = []

    def other():
        while True:
            turns.append(time.monotonic())
            gevent.sleep(0.005)

    witness = gevent.spawn(other)
    response = user.client.get(
        "/", headers={"Accept-Encoding": "br"}, keep_body=False, timeout_s=0.5
    )
    witness.kill()
    assert response.cause == "timeout: total"
    assert len(turns) > 3  # of about 30, on a machine with nothing else to do


def test_a_deadline_that_passes_while_others_have_their_turn_is_kept():
    def hold_up():
        give_up = time.perf_counter() + 0.1
        while time.perf_counter() < give_up:
            pass

    sink = Sink(keep=False, digest=None, max_kept_bytes=1)
    sink.decode("deflate", time.perf_counter() + 0.05)
    gevent.spawn(hold_up)
    coded = zlib.compress(BODY)
    with pytest.raises(ExchangeError, match="timeout: total"):
        for at in range(4):
            sink.feed(coded[at : at + 1])


def test_bytes_past_the_end_of_a_large_body_are_not_the_next_response(serve, lean):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE[:100_000])
    stale = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"
    user = lean(serve(answering(head + LARGE[:100_000] + stale, OK)))
    assert user.client.get("/").content == LARGE[:100_000]
    again = user.client.get("/")
    assert (again.content == b"stale", again.reused, again.cause) == (False, False, None)


def test_others_run_while_a_large_body_is_received(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        give_up = time.monotonic() + 0.3
        while time.monotonic() < give_up:
            sock.sendall(LARGE)

    turns = []

    def other():
        while True:
            turns.append(time.monotonic())
            gevent.sleep(0.005)

    user = lean(serve(handler))
    witness = gevent.spawn(other)
    assert user.client.get("/", keep_body=False).cause is None
    witness.kill()
    assert len(turns) > 10


@pytest.mark.parametrize("size", [2, 40_000])
def test_empty_lines_before_the_status_line_hide_no_header(lean, serve, size):
    head = b"\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: %d\r\n\r\n" % size
    one = lean(serve(answering(head + b"x" * size)), total_timeout_s=2.0)
    response = one.client.get("/")
    assert (response.cause, response.headers.get("x-a")) == (None, "b")
    assert len(response.content) == size


def test_a_pile_of_codings_is_not_undone(lean, serve):
    body = b"x"
    for _ in range(1200):
        body = gzip.compress(body)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    answer = head % (b", ".join([b"gzip"] * 1200), len(body)) + body
    one = lean(serve(answering(answer)))
    response = one.client.get("/", headers={"Accept-Encoding": "gzip"})
    assert response.cause == "body not decodable"


@pytest.mark.parametrize("charset", ["idna", "undefined", "punycode", "hex", "no-such"])
def test_a_charset_that_decodes_no_text_is_read_as_utf_8(lean, serve, charset):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset={charset}\r\n"
    answer = head.encode() + b"Content-Length: 4\r\n\r\n\xffok\xfe"
    assert lean(serve(answering(answer))).client.get("/").text == "\ufffdok\ufffd"
