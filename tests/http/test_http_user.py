"""The Locust user: hosts, knobs, starting and ending, forks."""

import os
import resource
import subprocess
import sys
import textwrap

import gevent
import pytest
from http_peers import OK, answering, free_port, no_leaks, open_files, process_on, read_request
from locust import constant, task
from locust.env import Environment
from locust.exception import StopTest

from otaload.http import LeanHttpUser


def test_the_environment_s_host_wins(serve):
    class Mine(LeanHttpUser):
        abstract = False
        host = "http://nowhere.test"

    base = serve(answering(OK))
    user = Mine(Environment(user_classes=[Mine], host=base))
    assert user.client.get("/").cause is None
    assert user.host == base
    user.client.close()


def test_a_user_without_a_host_stops_the_test():
    class Mine(LeanHttpUser):
        abstract = False

    with pytest.raises(StopTest, match="Mine has no host: pass --host"):
        Mine(Environment(user_classes=[Mine]))


@pytest.mark.parametrize("host", ["localhost:8080", "ftp://h", "http://", "//h"])
def test_a_host_that_is_no_url_is_an_error_at_once(host):
    with pytest.raises(ValueError, match="URL"):
        type("Mine", (LeanHttpUser,), {"abstract": True, "host": host})(Environment())


def test_a_guard_on_the_environment_is_asked(serve):
    environment = Environment()
    asked = []
    environment.connect_guard = lambda host, port: asked.append(host)
    user = type("Mine", (LeanHttpUser,), {"abstract": True, "host": serve(answering(OK))})(
        environment
    )
    user.client.get("/")
    user.client.close()
    assert asked == ["127.0.0.1"]


def test_a_run_counts_what_the_server_counted_and_closes_everything(serve):
    served = []

    def handler(sock):
        while read_request(sock)[0]:
            served.append(1)
            sock.sendall(OK)

    class Checker(LeanHttpUser):
        abstract = False
        host = serve(handler)
        wait_time = constant(0.001)

        @task
        def check(self):
            self.client.get("/check")

    environment = Environment(user_classes=[Checker])
    runner = environment.create_local_runner()
    gevent.sleep(0.05)
    with no_leaks():
        runner.start(20, spawn_rate=20)
        gevent.sleep(0.3)
        runner.stop()
    total = runner.stats.total
    runner.quit()
    # A user may be stopped between the server's count and its own.
    assert total.num_requests == pytest.approx(len(served), abs=20)
    assert total.num_requests > 100
    assert {str(error.error) for error in runner.stats.errors.values()} <= {"interrupted"}


def test_stopping_users_that_wait_interrupts_nothing(serve):
    class Checker(LeanHttpUser):
        abstract = False
        host = serve(answering(OK))
        wait_time = constant(0.002)

        @task
        def check(self):
            self.client.get("/check")

    environment = Environment(user_classes=[Checker], stop_timeout=2)
    runner = environment.create_local_runner()
    runner.start(50, spawn_rate=50)
    gevent.sleep(0.2)
    runner.stop()
    runner.quit()
    assert runner.stats.errors == {}


def test_a_user_that_is_stopped_twice_ends_its_task_and_raises_nothing(serve):
    class Checker(LeanHttpUser):
        abstract = False
        host = serve(lambda sock: (read_request(sock), gevent.sleep(0.3), sock.sendall(OK)))
        wait_time = constant(5)

        @task
        def check(self):
            self.client.get("/check")

    environment = Environment(user_classes=[Checker], stop_timeout=2)
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    gevent.sleep(0.1)
    (user,) = (greenlet.args[0] for greenlet in runner.user_greenlets)
    assert [user.stop(), user.stop()] == [False, False]
    runner.quit()
    assert runner.stats.total.num_requests == 1
    assert runner.stats.errors == {}


def test_importing_the_client_opens_nothing():
    code = """
        import os, locust
        before = len(os.listdir("/proc/self/fd"))
        import otaload.http
        from otaload.http.reactor import _reactors
        assert len(os.listdir("/proc/self/fd")) == before and not _reactors
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_forked_workers_each_have_their_own_connections(serve, tmp_path):
    """The parent uses the client before it forks, which is the harder case."""
    code = """
        import os, sys, gevent, locust
        from locust.env import Environment
        from otaload.http import LeanHttpUser
        User = type("Mine", (LeanHttpUser,), {"abstract": True, "host": sys.argv[1]})
        parent = User(Environment())
        assert parent.client.get("/").text == "ok"
        pid = gevent.fork()
        mine = User(Environment())
        for _ in range(50):
            assert mine.client.get("/", timeout_s=5).text == "ok"
        assert mine.client.get("/slow", timeout_s=0.1).cause == "timeout: total"
        if pid == 0:
            os._exit(0)
        gevent.sleep(0.1)
        assert os.waitpid(pid, 0)[1] == 0
        assert parent.client.get("/").text == "ok"
        parent.client.close(); mine.client.close()
    """
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent("""
        import asyncio, sys
        async def handle(reader, writer):
            while head := await reader.readuntil(b"\\r\\n\\r\\n"):
                if b"/slow" in head: await asyncio.sleep(2)
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        async def main():
            server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]))
            await server.serve_forever()
        asyncio.run(main())
        """)
    )
    port = free_port()
    with process_on(port, [sys.executable, str(server), str(port)]):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), f"http://127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_too_many_open_files_are_the_generator_s_own_fault(serve, lean):
    user = lean(serve(answering(OK)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 5, hard))
        while True:
            try:
                held.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        assert user.client.get("/").cause == "generator: too many open files"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert user.client.get("/").cause is None
