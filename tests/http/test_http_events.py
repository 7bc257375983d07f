"""What listeners are told, and what a with block decides."""

import time

import gevent
import pytest
from http_peers import OK, answering, no_leaks, read_request
from locust.exception import (
    CatchResponseError,
    LocustError,
    RescheduleTask,
    ResponseError,
    StopUser,
)

from otaload.http import RequestError, Timings

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"


def test_an_event_carries_what_locust_s_own_clients_put_in_it(serve, lean):
    base = serve(answering(OK))
    user = lean(base)
    before = time.time()
    response = user.client.get("/check?a=1", name="check", context={"k": "v"})
    (event,) = user.events
    assert set(event) == {
        "request_type",
        "name",
        "response_time",
        "response_length",
        "response",
        "context",
        "exception",
        "start_time",
        "url",
    }
    assert (event["request_type"], event["name"]) == ("GET", "check")
    assert event["url"] == f"{base}/check?a=1"
    assert event["response"] is response
    assert event["response_length"] == 2
    assert event["context"] == {"k": "v"}
    assert event["exception"] is None
    assert before <= event["start_time"] <= time.time()
    assert isinstance(event["response_time"], float)
    assert event["response_time"] == response.timings.total_s * 1000
    assert isinstance(response.timings, Timings)


def test_the_name_is_the_url_as_given_unless_there_is_one(serve, lean):
    user = lean(serve(answering(OK)))
    user.client.get("/check", params={"a": 1})
    assert user.names == ["/check"]


def test_a_user_s_context_joins_the_request_s(serve, lean):
    user = lean(serve(answering(OK)), context=lambda self: {"user": 1, "k": "user"})
    user.client.get("/", context={"k": "request"})
    assert user.events[0]["context"] == {"user": 1, "k": "request"}


def test_connect_time_is_part_of_the_response_time_and_known_apart(serve, lean):
    user = lean(serve(answering(OK)))
    first, second = user.client.get("/"), user.client.get("/")
    assert 0 < first.timings.connect_s < first.timings.first_byte_s <= first.timings.total_s
    assert second.timings.connect_s == second.timings.tls_s == 0
    assert (first.reused, second.reused) == (False, True)


def test_an_unexpected_status_is_a_failure(serve, lean):
    user = lean(serve(answering(NOT_FOUND)))
    response = user.client.get("/")
    assert (response.status_code, response.cause, response.text) == (404, "status 404", "none")
    exception = user.events[0]["exception"]
    assert isinstance(exception, RequestError)
    assert isinstance(exception, CatchResponseError)
    assert (str(exception), repr(exception)) == ("status 404", "status 404")


@pytest.mark.parametrize(
    ("expect", "cause"),
    [(404, None), ({404}, None), ([200, 404], None), (range(400, 500), None), (200, "status 404")],
)
def test_the_expected_statuses_are_the_successes(expect, cause, serve, lean):
    user = lean(serve(answering(NOT_FOUND)))
    assert user.client.get("/", expect=expect).cause == cause
    assert user.causes == [cause]


def test_a_block_decides_and_reports_once_at_its_end(serve, lean):
    user = lean(serve(answering(OK)))
    with user.client.get("/", catch_response=True) as response:
        assert user.events == []
        response.failure("wrong shape")
    assert user.causes == ["wrong shape"]
    assert isinstance(user.events[0]["exception"], CatchResponseError)


def test_a_block_may_call_a_failed_status_a_success(serve, lean):
    user = lean(serve(answering(NOT_FOUND)))
    with user.client.get("/", catch_response=True) as response:
        assert response.cause == "status 404"
        response.success()
    assert user.causes == [None]


def test_a_block_that_says_nothing_leaves_the_status_to_decide(serve, lean):
    user = lean(serve(answering(OK, NOT_FOUND)))
    for _ in range(2):
        with user.client.get("/", catch_response=True):
            pass
    assert user.causes == [None, "status 404"]


def test_a_block_s_last_word_counts(serve, lean):
    user = lean(serve(answering(OK)))
    with user.client.get("/", catch_response=True) as response:
        response.failure("no")
        response.success()
    assert user.causes == [None]


def test_an_exception_given_as_the_reason_is_passed_on(serve, lean):
    user = lean(serve(answering(OK)))
    reason = ValueError("bad")
    with user.client.get("/", catch_response=True) as response:
        response.failure(reason)
    assert user.events[0]["exception"] is reason


def test_a_response_error_in_a_block_is_the_failure_and_goes_no_further(serve, lean):
    user = lean(serve(answering(OK)))
    with user.client.get("/", catch_response=True):
        raise ResponseError("shape")
    assert user.causes == ["shape"]


def test_a_check_that_raises_is_counted_and_raises(serve, lean):
    user = lean(serve(answering(OK)))
    with pytest.raises(KeyError), user.client.get("/", catch_response=True):
        raise KeyError("x")
    assert user.causes == ["check raised KeyError"]


@pytest.mark.parametrize("flow", [RescheduleTask, StopUser])
def test_steering_locust_out_of_a_block_leaves_the_status_to_decide(flow, serve, lean):
    user = lean(serve(answering(OK)))
    with pytest.raises(flow), user.client.get("/", catch_response=True):
        raise flow
    assert user.causes == [None]


def test_a_user_killed_in_its_block_is_an_interrupted_request(serve, lean):
    user = lean(serve(answering(OK)))

    def task():
        with user.client.get("/", catch_response=True):
            gevent.sleep(5)

    running = gevent.spawn(task)
    gevent.sleep(0.05)
    running.kill()
    assert user.causes == ["interrupted"]


def test_a_verdict_needs_a_block(serve, lean):
    user = lean(serve(answering(OK)))
    response = user.client.get("/")
    with pytest.raises(LocustError, match="catch_response=True"):
        response.failure("x")
    with pytest.raises(LocustError, match="catch_response=True"), response:
        pass
    caught = user.client.get("/", catch_response=True)
    with pytest.raises(LocustError, match="within a with block"):
        caught.success()


def test_a_user_killed_in_a_request_counts_it_as_interrupted(serve, lean):
    def silence(sock):
        read_request(sock)
        sock.recv(1)

    user = lean(serve(silence))
    raised = []

    def task():
        try:
            user.client.get("/", name="check")
        except gevent.GreenletExit:
            raised.append(True)
            raise

    with no_leaks():
        running = gevent.spawn(task)
        gevent.sleep(0.05)
        running.kill()
    assert raised == [True]
    assert (user.names, user.causes) == (["check"], ["interrupted"])
    assert 40 < user.events[0]["response_time"] < 500


@pytest.mark.parametrize("after_s", [0, 0.001, 0.02])
def test_a_user_killed_at_any_moment_leaks_nothing(after_s, serve, lean):
    def slow(sock):
        while read_request(sock)[0]:
            gevent.sleep(0.005)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
            gevent.sleep(0.005)
            sock.sendall(b"cd")

    base = serve(slow)
    users = [lean(base) for _ in range(20)]

    def task(user):
        while True:
            user.client.get("/")

    with no_leaks():
        running = [gevent.spawn(task, user) for user in users]
        gevent.sleep(after_s)
        gevent.killall(running)
        for user in users:
            user.client.close()
    for user in users:
        assert user.causes.count("interrupted") <= 1
        assert set(user.causes) <= {None, "interrupted"}


def test_a_listener_that_raises_does_not_disturb_the_request(serve, lean, caplog):
    user = lean(serve(answering(OK)))

    def broken(**_event):
        raise RuntimeError("listener")

    user.user.environment.events.request.add_listener(broken)
    assert user.client.get("/").cause is None


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: c.get("http://"), ValueError, "no host"),
        (lambda c: c.get("http://h:0/"), ValueError, "port must be a number"),
        (lambda c: c.get("http://h:70000/"), ValueError, "port must be a number"),
        (lambda c: c.get("http://user:secret@h/"), ValueError, "pass them as a header"),
        (lambda c: c.get("/a\r\nX: y"), ValueError, "control characters"),
        (lambda c: c.request("get", "/"), ValueError, "upper-case"),
        (lambda c: c.request("GET /x", "/"), ValueError, "upper-case"),
        (lambda c: c.get("/", headers={"A b": "c"}), ValueError, "HTTP token"),
        (lambda c: c.get("/", headers={"A": "b\r\nC: d"}), ValueError, "control characters"),
        (lambda c: c.get("/", headers={"A": 1}), TypeError, "must be str, not int"),
        (lambda c: c.get("/", headers={"A": "漢"}), ValueError, "Latin-1"),
        (lambda c: c.get("/", headers={"Content-Length": "3"}), ValueError, "leave it out"),
        (lambda c: c.post("/", json={}, data=b""), ValueError, "one body"),
        (lambda c: c.post("/", data=3), TypeError, "must be bytes, str or a mapping"),
        (lambda c: c.post("/", json=object()), TypeError, "not JSON serializable"),
        (lambda c: c.get("/", digest="sha999"), ValueError, "use one of"),
        (lambda c: c.get("/", timeout_s=0), ValueError, "above 0"),
        (lambda c: c.get("/", expect="200"), TypeError, "collection"),
        (lambda c: c.get("/", wrong=1), TypeError, "wrong"),
    ],
)
def test_what_cannot_be_sent_raises_before_anything_is_sent(call, error, words, serve, lean):
    user = lean(serve(answering(OK)))
    with pytest.raises(error, match=words) as caught:
        call(user.client)
    assert "secret" not in str(caught.value)
    assert user.events == []
    assert user.client.connects == 0


def test_a_guard_refuses_before_a_byte_is_sent_and_is_asked_once(serve, lean):
    base = serve(answering(OK))
    asked = []
    user = lean(base, connect_guard=lambda host, port: asked.append((host, port)))
    user.client.get("/")
    user.client.get("/")
    assert asked == [("127.0.0.1", int(base.rpartition(":")[2]))]

    def refuse(host, port):
        raise RuntimeError(f"{host} is production")

    user = lean(base, connect_guard=staticmethod(refuse))
    with pytest.raises(RuntimeError, match="is production"):
        user.client.get("/")
    with pytest.raises(RuntimeError, match="is production"):
        user.client.get("/")
    assert user.events == []


def test_json_text_and_forms_are_sent_as_what_they_are(serve, lean):
    seen = []

    def handler(sock):
        while True:
            head, body = read_request(sock)
            if not head:
                return
            seen.append((head.lower(), body))
            sock.sendall(OK)

    client = lean(serve(handler)).client
    client.post("/", json={"a": [1, None]})
    client.post("/", data="Grüße")
    client.post("/", data={"a": "b c", "d": ["1", "2"]})
    client.post("/", data=b"\0\1", headers={"Content-Type": "x/y"})
    client.post("/")
    client.get("/", headers={"User-Agent": "me", "Host": "other"})
    kinds = [
        next((line for line in head.split(b"\r\n") if line.startswith(b"content-type")), None)
        for head, _ in seen
    ]
    assert kinds == [
        b"content-type: application/json",
        b"content-type: text/plain; charset=utf-8",
        b"content-type: application/x-www-form-urlencoded",
        b"content-type: x/y",
        None,
        None,
    ]
    bodies = [body for _, body in seen]
    assert bodies == [b'{"a":[1,null]}', "Grüße".encode(), b"a=b+c&d=1&d=2", b"\0\1", b"", b""]
    assert b"content-length: 0" in seen[4][0]
    assert b"accept-encoding" not in seen[0][0]
    assert (b"user-agent: me" in seen[5][0], b"host: other" in seen[5][0]) == (True, True)
    assert seen[5][0].count(b"host:") == 1


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (b"Content-Type: text/plain; charset=latin-1\r\n", "é".encode("latin-1"), "é"),
        (b'Content-Type: text/plain; charset="utf-8"; x=y\r\n', "é".encode(), "é"),
        (b"Content-Type: text/plain; charset=klingon\r\n", "é".encode(), "é"),
        (b"", "é".encode(), "é"),
        (b"", b"\xff", "\ufffd"),
    ],
)
def test_text_never_raises(head, body, text, serve, lean):
    answer = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    assert lean(serve(answering(answer))).client.get("/").text == text


def test_headers_are_found_in_any_case_and_repeated_ones_are_joined(serve, lean):
    answer = (
        b"HTTP/1.1 200 OK\r\nX-Release: 1\r\nVary: a\r\nvary: b\r\nEmpty:\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    headers = lean(serve(answering(answer))).client.get("/").headers
    assert (headers["x-release"], headers["X-RELEASE"], headers["Vary"]) == ("1", "1", "a, b")
    assert headers.get("Empty") == ""
    assert "nothing" not in headers
    assert headers.get("nothing", "else") == "else"


def test_a_body_that_is_no_json_is_a_value_error(serve, lean):
    with pytest.raises(ValueError, match=r"unexpected|expected"):
        lean(serve(answering(OK))).client.get("/").json()
