"""The Locust user on the lean client."""

from typing import Any, ClassVar

from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import StopTest
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, TaskSet

from otaload.http.client import HttpClient
from otaload.http.loop import LeanTaskSet
from otaload.http.pool import ConnectGuard, Settings
from otaload.http.schedule import AbsolutePacing


class LeanHttpUser(User):
    """A user with a lean HTTP client, `self.client`.

    The attributes below are the knobs; set them on a subclass. `connect_guard` is called with host
    and port before a client first sends to an origin, redirects included, and refuses it by
    raising; one on the environment is called as well.
    """

    abstract = True

    connect_timeout_s: float = 10.0
    """For name lookup, TCP and TLS together, on each new connection."""
    first_byte_timeout_s: float = 30.0
    """From the start of sending to the first byte of the response, on each hop."""
    total_timeout_s: float = 60.0
    """For a whole call, redirects included."""
    max_redirects: int = 5
    max_kept_bytes: int = 64 * 1024 * 1024
    """A longer body that is to be kept fails with "body too large to keep"."""
    tls_verify: bool = True
    tls_ca_file: str | None = None
    """A PEM file of authorities in place of the system's."""
    connect_guard: ClassVar[ConnectGuard | None] = None

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        host = environment.host or self.host
        if not host:
            raise StopTest(
                f"{type(self).__name__} has no host: pass --host or set `host` on the class, "
                "such as https://staging.example.com"
            )
        self.host: str | None = host
        self.client = HttpClient(self, host, self._settings(), self._guards())

    @property
    def _taskset_instance(self) -> TaskSet | None:
        return self._loop

    @_taskset_instance.setter
    def _taskset_instance(self, loop: TaskSet | None) -> None:
        # Locust's `run`, which is final, makes the loop by name; this is where it can be another.
        self._loop = loop if loop is None else LeanTaskSet(self)

    def on_start(self) -> None:
        """Wait for the first point of an absolute schedule; a subclass calls this one last."""
        schedule = type(self).wait_time
        if isinstance(schedule, AbsolutePacing):
            schedule(self)

    def start(self, group: Group) -> Any:
        """Start the user; its connections are closed when it ends, however that comes about.

        Where the environment has a desk of `otaload.arrivals`, the user works for that.
        """
        desk = getattr(self.environment, "arrivals", None)
        if desk is not None:
            desk.employ(self)
        greenlet = super().start(group)
        greenlet.rawlink(self._ended)
        return greenlet

    def stop(self, force: bool = False) -> bool:  # noqa: FBT001, FBT002 - locust's signature
        """Stop the user: at once while it waits, else once its task is done (`force`: at once).

        Locust kills a waiting user without a mark on it. One whose wait ends in that very moment
        then begins a request and is killed in it; the mark lets it end by itself instead.
        A run that is ended twice at once stops its users twice, which is no mistake of theirs.
        """
        if not force and self._state == LOCUST_STATE_STOPPING:
            return False
        if not force and self._state == LOCUST_STATE_WAITING and self._greenlet is not None:
            self._state = LOCUST_STATE_STOPPING
            self._group.killone(self._greenlet)
            return True
        return bool(super().stop(force))

    def _ended(self, _greenlet: Any) -> None:
        self.client.close()

    def _settings(self) -> Settings:
        return Settings(
            connect_timeout_s=self.connect_timeout_s,
            first_byte_timeout_s=self.first_byte_timeout_s,
            total_timeout_s=self.total_timeout_s,
            max_redirects=self.max_redirects,
            max_kept_bytes=self.max_kept_bytes,
            tls_verify=self.tls_verify,
            tls_ca_file=self.tls_ca_file,
        )

    def _guards(self) -> tuple[ConnectGuard, ...]:
        # Through the class, where a plain function stays one and takes no self.
        found = (
            getattr(self.environment, "connect_guard", None),
            getattr(type(self), "connect_guard", None),
        )
        return tuple(guard for guard in found if guard is not None)
