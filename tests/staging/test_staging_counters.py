"""The service's own counts are exact, so that a client's totals can be held against them."""

import socket
import time
from collections import Counter

from staging.launch import start


def test_counts_are_exact_under_concurrency(client, staging):
    staging.set_faults("error:p=30%,seed=9; latency:dist=exponential,mean=3ms")

    def user(number):
        seen = []
        for _ in range(10):
            seen.append(("/updates/check", client.check()))
            seen.append(("/devices/register", client.register(deviceId=f"d{number}")))
            seen.append(("/bundles/download", client.download()))
            seen.append(("/health", client.request("GET", "/health")))
            seen.append(("other", client.request("GET", "/nothing")))
        return seen

    seen = [pair for pairs in client.at_once(8, user) for pair in pairs]
    counters = staging.counters()
    for endpoint, counts in counters["endpoints"].items():
        answers = [answer for name, answer in seen if name == endpoint]
        statuses = Counter(str(answer.status) for answer in answers)
        failures = sum(answer.status >= 400 for answer in answers)
        assert counts == {
            "requests": len(answers),
            "responses": dict(statuses),
            "errors": {"status": failures} if failures else {},
            "error_count": failures,
            "bytes_out": sum(len(answer.body) for answer in answers),
            "in_flight": 0,
        }
    assert counters["total"]["requests"] == len(seen) == 400


def test_head_and_304_are_counted_without_bytes(client):
    etag = client.download().headers["etag"]
    client.request("HEAD", client.fixed, headers=client.key)
    client.download(If_None_Match=etag)
    counts = client.counts("/bundles/download")
    assert counts["responses"] == {"200": 2, "304": 1}
    assert counts["bytes_out"] == 300_000


def test_admin_pages_are_not_counted(client, staging):
    staging.state()
    assert staging.counters()["total"]["requests"] == 0


def test_a_request_in_flight_is_shown(client, staging):
    staging.set_faults("latency:ms=300")

    def call(number):
        if number == 0:
            return client.check()
        time.sleep(0.1)
        return client.counts("/updates/check")

    _, counts = client.at_once(2, call)
    assert (counts["requests"], counts["in_flight"], counts["responses"]) == (1, 1, {})
    assert client.counts("/updates/check")["in_flight"] == 0


def test_a_reset_keeps_requests_in_flight_out_of_the_new_generation(client, staging):
    staging.set_faults("latency:ms=300")

    def call(number):
        if number == 0:
            return client.check()
        time.sleep(0.1)
        return staging.reset_counters()

    client.at_once(2, call)
    assert client.counts("/updates/check")["requests"] == 0
    assert client.counts("/updates/check")["responses"] == {}


def test_a_client_that_leaves_mid_body_is_counted(client_of):
    with start(faults="", bundle_bytes=8 << 20) as staging:
        client = client_of(staging)
        host, _, port = client.netloc.partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            key = client.key["Authorization"]
            head = f"GET {client.fixed} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n"
            sock.sendall(head.encode())
            sock.recv(1000)
        counts = client.settled("/bundles/download")
        assert counts["errors"] == {"client_gone": 1}
        assert 0 < counts["bytes_out"] < 8 << 20

        # The same download by a client that asks for the connection to be closed is no loss.
        answer = client.download(Connection="close")
        assert len(answer.body) == 8 << 20
        assert client.settled("/bundles/download")["errors"] == {"client_gone": 1}


def test_a_request_that_never_arrives_whole_is_none(client, staging):
    host, _, port = client.netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(b"POST /updates/check HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.05)
    time.sleep(0.05)
    assert staging.counters()["total"]["requests"] == 0


def test_what_is_not_http_is_counted_as_malformed(client, staging):
    host, _, port = client.netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert staging.counters()["malformed"] == 1


def test_pipelined_requests_are_each_counted(client, staging):
    host, _, port = client.netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        received = b""
        while received.count(b"healthy") < 5:
            received += sock.recv(1 << 16)
    counts = client.counts("/health")
    assert (counts["requests"], counts["bytes_out"]) == (5, 5 * len(b'{"status":"healthy"}'))
