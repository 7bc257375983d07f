"""Kept connections, and the requests that are lost on dead ones."""

import gc
import weakref

import gevent
import pytest
from gevent.exceptions import BlockingSwitchOutError
from http_peers import OK, answering, no_leaks, read_request, reset


def once(ending):
    """Serves one request on each connection, then ends it with the next request unanswered."""
    served = []

    def handler(sock):
        served.append(read_request(sock)[0])
        sock.sendall(OK)
        read_request(sock)
        ending(sock)

    return handler, served


def close(sock):
    sock.close()


@pytest.mark.parametrize("ending", [close, reset])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_an_idempotent_request_lost_on_a_kept_connection_is_sent_again(method, ending, serve, lean):
    handler, _ = once(ending)
    user = lean(serve(handler))
    with no_leaks():
        user.client.get("/")
        response = user.client.request(method, "/")
        user.client.close()
    assert (response.cause, response.retried, response.reused) == (None, 1, False)
    assert response.timings.connect_s > 0
    assert user.causes == [None, None]
    assert (user.client.retried, user.client.connects) == (1, 2)


@pytest.mark.parametrize(
    ("ending", "cause"),
    [(close, "connection closed before the response"), (reset, "connection reset")],
)
def test_a_post_that_was_sent_is_not_sent_again(ending, cause, serve, lean):
    handler, served = once(ending)
    user = lean(serve(handler))
    user.client.post("/", json={})
    response = user.client.post("/", json={})
    assert (response.cause, response.retried) == (cause, 0)
    assert len(served) == 1


def test_a_post_after_the_peer_closed_goes_to_a_new_connection(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(OK)

    user = lean(serve(handler))
    with no_leaks():
        for _ in range(5):
            assert user.client.post("/", json={}).cause is None
            gevent.sleep(0.02)
        user.client.close()
    assert (user.client.connects, user.client.retried) == (5, 0)


def test_a_get_in_the_very_moment_of_the_close_is_counted_once(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(OK)

    user = lean(serve(handler))
    for _ in range(200):
        assert user.client.get("/").cause is None
    assert user.causes == [None] * 200


def test_a_request_lost_on_a_new_connection_is_a_failure(serve, lean):
    def handler(sock):
        read_request(sock)

    user = lean(serve(handler))
    response = user.client.get("/")
    assert (response.cause, response.retried) == ("connection closed before the response", 0)
    assert user.client.connects == 1


def test_a_request_is_sent_again_no_more_than_once(serve, lean):
    first = [True]

    def handler(sock):
        read_request(sock)
        if first:
            first.clear()
            sock.sendall(OK)
            read_request(sock)

    user = lean(serve(handler))
    user.client.get("/")
    response = user.client.get("/")
    assert (response.cause, response.retried) == ("connection closed before the response", 1)


def test_a_request_whose_answer_had_begun_is_not_sent_again(serve, lean):
    served = []

    def handler(sock):
        served.append(read_request(sock)[0])
        sock.sendall(OK)
        served.append(read_request(sock)[0])
        sock.sendall(b"HTTP/1.1 200 OK\r\n")

    user = lean(serve(handler))
    user.client.get("/")
    response = user.client.get("/")
    assert response.cause == "connection closed inside the response head"
    assert (response.retried, len(served)) == (0, 2)


def test_a_timeout_on_a_kept_connection_is_not_sent_again(serve, lean):
    def handler(sock):
        read_request(sock)
        sock.sendall(OK)
        read_request(sock)
        sock.recv(1)

    user = lean(serve(handler))
    user.client.get("/")
    response = user.client.get("/", timeout_s=0.05)
    assert (response.cause, response.retried, user.client.connects) == ("timeout: total", 0, 1)


def test_a_failed_status_keeps_the_connection(serve, lean):
    user = lean(serve(answering(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")))
    assert user.client.get("/").cause == "status 500"
    assert user.client.get("/").reused


def test_each_origin_keeps_its_own_connection(serve, lean):
    one, two = serve(answering(OK)), serve(answering(OK))
    user = lean(one)
    for _ in range(3):
        user.client.get("/")
        user.client.get(f"{two}/")
    assert user.client.connects == 2


def test_no_more_than_sixteen_origins_are_kept(serve, lean):
    bases = [serve(answering(OK)) for _ in range(20)]
    user = lean(bases[0])
    with no_leaks():
        for base in bases:
            assert user.client.get(f"{base}/").cause is None
        assert not user.client.get(f"{bases[0]}/").reused
        assert user.client.get(f"{bases[-1]}/").reused
        user.client.close()


def test_greenlets_that_share_a_client_get_connections_of_their_own(serve, lean):
    def handler(sock):
        while True:
            head, _ = read_request(sock)
            if not head:
                return
            path = head.split(b" ")[1]
            gevent.sleep(0.002)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    user = lean(serve(handler))
    wrong = []

    def task(n):
        for k in range(10):
            path = f"/{n}/{k}"
            if user.client.get(path).text != path:
                wrong.append(path)

    with no_leaks():
        gevent.joinall([gevent.spawn(task, n) for n in range(20)], raise_error=True)
        user.client.close()
    assert wrong == []
    assert user.causes == [None] * 200


def test_a_request_within_the_hub_is_an_error_and_no_hang(serve, lean):
    user = lean(serve(answering(OK)))
    raised = []

    def callback():
        try:
            user.client.get("/")
        except BlockingSwitchOutError as error:
            raised.append(error)

    gevent.get_hub().loop.run_callback(callback)
    gevent.sleep(0.05)
    assert len(raised) == 1
    assert user.client.get("/").cause is None


def test_a_closed_client_can_be_used_again(serve, lean):
    user = lean(serve(answering(OK)))
    user.client.get("/")
    user.client.close()
    user.client.close()
    assert user.client.get("/").reused is False


def test_a_kept_connection_does_not_hold_the_last_body(serve, lean):
    body = b"x" * 1_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    user = lean(serve(answering(answer)))
    response = user.client.get("/")
    gone = weakref.ref(response)
    user.events.clear()
    holder = response.parts[0]
    del response
    gc.collect()
    assert gone() is None
    assert not [one for one in gc.get_referrers(holder) if isinstance(one, list)]


def test_a_client_that_is_closed_in_a_request_keeps_no_connection(lean, serve):
    def slow(sock):
        while read_request(sock)[0]:
            gevent.sleep(0.05)
            sock.sendall(OK)

    one = lean(serve(slow))
    gc.disable()  # which would hide it
    try:
        with no_leaks():
            request = gevent.spawn(one.client.get, "/")
            gevent.sleep(0.02)
            one.client.close()
            request.join()
            assert request.value.cause is None
    finally:
        gc.enable()
