"""Each fault does what it says, and its true value is what was asked for."""

import errno
import hashlib
import socket
import statistics
import struct
import time

import pytest

from staging.connection import Connection
from staging.fault_spec import parse
from staging.injection import Injector


def raw_get(client, path):
    """An open socket on which a GET was sent."""
    host, _, port = client.netloc.partition(":")
    sock = socket.create_connection((host, int(port)), timeout=5)
    key = client.key["Authorization"]
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode())
    return sock


def read_until_it_ends(sock):
    """What arrived, and the error number that ended it (None for an orderly end)."""
    received = b""
    with sock:
        while True:
            try:
                part = sock.recv(1 << 16)
            except ConnectionError as error:
                return received, error.errno
            if not part:
                return received, None
            received += part


def test_constant_latency_is_true_within_two_milliseconds(client, staging):
    bare_ms = statistics.median(client.check().took_ms for _ in range(20))
    staging.set_faults("latency:ms=25.4")
    took_ms = statistics.median(client.check().took_ms for _ in range(20))
    assert took_ms - bare_ms == pytest.approx(25.4, abs=2)


def test_latency_of_one_endpoint_leaves_the_others_alone(client, staging):
    staging.set_faults("latency@/updates/check:ms=200")
    assert client.register().took_ms < 150
    assert client.check().took_ms >= 199


def test_health_is_spared_unless_it_is_named(client, staging):
    staging.set_faults("error:")
    assert client.request("GET", "/health").status == 200
    staging.set_faults("error@/health")
    assert client.request("GET", "/health").status == 500


class Clockless(Connection):
    """A connection on which waiting takes no time and is written down."""

    def __init__(self):
        self.waits_s = []

    async def wait_until(self, deadline_s):
        self.waits_s.append(deadline_s - time.perf_counter())
        return True


def waits_of(spec, count):
    """The waits that a fault decides on, without any server."""
    injector, conn = Injector(parse(spec)), Clockless()
    for _ in range(count):
        coroutine = injector.treat("/updates/check", conn, "device")
        with pytest.raises(StopIteration):
            coroutine.send(None)
    return conn.waits_s


@pytest.mark.parametrize(
    "spec",
    [
        "latency:dist=exponential,mean=50ms",
        "latency:dist=lognormal,median=40ms,p99=400ms",
        "latency:dist=bimodal,fast=10ms,slow=300ms,share=20%",
    ],
)
@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_drawn_latencies_have_the_quantiles_that_are_announced(spec, q):
    waits_s = sorted(waits_of(spec, 20_000))
    (fault,) = parse(spec)
    assert waits_s[int(q * len(waits_s))] == pytest.approx(fault.quantile_s(q), rel=0.05)


def test_the_same_seed_draws_the_same_latencies():
    spec = "latency:dist=exponential,mean=50ms,seed="
    first, same, other = (waits_of(spec + seed, 50) for seed in ("3", "3", "4"))
    assert first == pytest.approx(same, abs=1e-3)
    assert first != pytest.approx(other, abs=1e-3)


def test_a_leaks_latency_grows_at_the_known_rate(client, staging):
    staging.set_faults("leak:from=10ms,to=110ms,over=1s")
    began_s = time.perf_counter()
    grown = []
    while (elapsed_s := time.perf_counter() - began_s) < 1.2:
        grown.append((elapsed_s, client.check().took_ms))
    errors_ms = [took - min(10 + 100 * elapsed_s, 110) for elapsed_s, took in grown]
    assert 0 <= statistics.median(errors_ms) <= 3
    assert grown[-1][1] == pytest.approx(111, abs=3)


def test_a_leaks_drift_is_exact():
    (leak,) = parse("leak:from=20ms,to=32ms,over=8h")
    assert leak.latency_s(8 * 3600) / leak.latency_s(0) == pytest.approx(1.6)
    assert leak.latency_s(9 * 3600) == 0.032


def test_capacity_bounds_throughput(client, staging):
    staging.set_faults("capacity:c=2,s=50ms")
    began_s = time.perf_counter()
    answers = client.at_once(8, lambda _: [client.check() for _ in range(6)])
    per_s = 48 / (time.perf_counter() - began_s)
    assert per_s == pytest.approx(40, rel=0.05)
    assert max(answer.took_ms for row in answers for answer in row) == pytest.approx(200, abs=25)


def test_capacity_beyond_its_queue_is_503_with_retry_after(client, staging):
    staging.set_faults("capacity:c=1,s=300ms,queue=2")
    answers = client.at_once(5, lambda _: client.check())
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 503, 503]
    refused = next(answer for answer in answers if answer.status == 503)
    assert (refused.headers["retry-after"], refused.json()["error"]) == ("1", "OVERLOADED")


def test_errors_come_with_their_probability_and_repeat_with_their_seed(client, staging):
    def run():
        staging.set_faults("error:p=20%,status=502,seed=5")
        return [client.check().status for _ in range(200)]

    first, second = run(), run()
    assert first == second
    assert 25 <= first.count(502) <= 55
    assert staging.faults()["faults"][0]["applied"] == second.count(502)


def test_a_burst_of_errors_begins_and_ends_on_time(client, staging):
    staging.set_faults("error:at=200ms,for=200ms")
    time.sleep(0.25)
    client.request("GET", "/health")
    began_s = time.perf_counter()
    seen = []
    while (elapsed_s := time.perf_counter() - began_s) < 0.6:
        seen.append((elapsed_s, client.check().status))
        time.sleep(0.005)
    burst = [elapsed_s for elapsed_s, status in seen if status == 500]
    assert seen[0][1] == 200
    assert burst[0] == pytest.approx(0.2, abs=0.03)
    assert burst[-1] == pytest.approx(0.4, abs=0.03)


def test_resetting_the_counters_starts_the_clock_over(client, staging):
    staging.set_faults("error:for=100ms")
    assert client.check().status == 500
    time.sleep(0.15)
    assert client.check().status == 200
    staging.reset_counters()
    assert client.check().status == 500


def test_faults_work_in_the_order_written(client, staging):
    staging.set_faults("error:; latency:ms=300")
    assert client.check().took_ms < 250
    staging.set_faults("latency:ms=300; error:")
    assert client.check().took_ms >= 299


def test_a_hang_never_answers_and_ends_with_the_client(client, staging):
    staging.set_faults("hang:")
    with pytest.raises(TimeoutError):
        client.request("GET", "/nothing", timeout_s=0.3)
    counts = client.settled("other")
    assert (counts["requests"], counts["responses"], counts["errors"]) == (1, {}, {"hang": 1})


def test_a_stall_holds_back_whatever_arrives_until_it_is_over(client, staging):
    staging.set_faults("stall:at=100ms,for=400ms")
    began_s = time.perf_counter()
    assert client.check().took_ms < 90
    time.sleep(max(0.0, began_s + 0.2 - time.perf_counter()))
    answers = client.at_once(4, lambda _: client.check())
    assert time.perf_counter() - began_s == pytest.approx(0.5, abs=0.05)
    assert [answer.status for answer in answers] == [200] * 4
    assert client.check().took_ms < 90


def test_a_reset_before_the_answer_is_seen_as_connection_reset(client, staging):
    staging.set_faults("reset:")
    received, error = read_until_it_ends(raw_get(client, "/nothing"))
    assert (received, error) == (b"", errno.ECONNRESET)
    assert client.settled("other")["errors"] == {"reset": 1}


def test_a_reset_mid_body_is_seen_as_connection_reset(client, staging):
    staging.set_faults("reset:stage=mid-body")
    received, error = read_until_it_ends(raw_get(client, client.fixed))
    assert error == errno.ECONNRESET
    body = received.partition(b"\r\n\r\n")[2]
    assert len(body) == 150_000
    counts = client.settled("/bundles/download")
    assert (counts["errors"], counts["bytes_out"]) == ({"reset": 1}, 150_000)


def test_a_truncated_body_ends_in_order_before_its_declared_length(client, staging):
    staging.set_faults("truncate:keep=10%")
    received, error = read_until_it_ends(raw_get(client, client.fixed))
    head, _, body = received.partition(b"\r\n\r\n")
    assert error is None
    assert b"content-length: 300000" in head
    assert len(body) == 30_000
    counts = client.settled("/bundles/download")
    assert (counts["errors"], counts["bytes_out"]) == ({"truncate": 1}, 30_000)


def test_a_truncated_json_answer_is_cut_too(client, staging):
    staging.set_faults("truncate:")
    received, _ = read_until_it_ends(raw_get(client, "/nothing"))
    head, _, body = received.partition(b"\r\n\r\n")
    declared = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert len(body) == declared // 2


def test_a_corrupt_bundle_has_another_hash_and_the_same_length(client, staging):
    announced = client.check().json()["release"]["bundleHash"]
    staging.set_faults("corrupt:")
    answer = client.download()
    assert (answer.status, len(answer.body)) == (200, 300_000)
    assert f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != announced
    assert client.settled("/bundles/download")["errors"] == {"corrupt": 1}


def test_a_slow_body_takes_its_size_divided_by_its_rate(client, staging):
    staging.set_faults("slow-body:rate=600kB/s")
    answer = client.download()
    assert len(answer.body) == 300_000
    assert answer.took_ms == pytest.approx(500, abs=15)


def test_a_rate_limit_counts_each_device(client, staging):
    staging.set_faults("rate-limit:rate=3/min")
    for device in ("a", "b"):
        statuses = [client.check({"X-Device-ID": device}).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
    answer = client.check({"X-Device-ID": "a"})
    assert answer.headers["retry-after"] == str(answer.json()["retryAfter"])


def test_memory_grows_by_the_clock_up_to_its_limit_and_is_given_back(client, staging):
    before = staging.state()["rss_bytes"]
    staging.set_faults("memory:rate=100MiB/s,limit=40MiB")
    client.check()
    time.sleep(1.0)
    grown = staging.state()["rss_bytes"] - before
    staging.set_faults("")
    assert grown == pytest.approx(40 << 20, rel=0.1)
    assert staging.state()["rss_bytes"] - before < 20 << 20


def test_the_admin_page_describes_the_active_faults(client, staging):
    staging.set_faults("latency:ms=5; error:p=50%")
    page = staging.faults()
    assert [fault["fault"] for fault in page["faults"]] == ["latency", "error"]
    assert page["faults"][0]["text"] == "latency: 5 ms more latency, on every endpoint but /health"
    client.request("DELETE", "/__admin/faults", base="")
    assert staging.faults()["faults"] == []


def test_a_bad_spec_is_refused_and_leaves_the_old_faults(client, staging):
    staging.set_faults("error:")
    answer = client.request("PUT", "/__admin/faults", b"eror:", base="")
    assert (answer.status, answer.json()["error"]) == (400, "BAD_FAULT_SPEC")
    assert "did you mean 'error'" in answer.json()["message"]
    assert client.check().status == 500


def test_a_client_that_resets_while_it_waits_is_counted_as_gone(client, staging):
    staging.set_faults("latency:ms=2000")
    with raw_get(client, "/nothing") as sock:
        time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert client.settled("other")["errors"] == {"client_gone": 1}
