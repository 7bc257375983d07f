"""What every device can do: check for an update, download a bundle, register."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar
from urllib.parse import quote

import gevent

from locustfiles.devices.fleet import Device, Fleet
from locustfiles.devices.protocol import (
    Answer,
    Release,
    WrongAnswerError,
    describe_status,
    read_check,
    read_registration,
    verify_bundle,
)
from otaload.http import LeanHttpUser, Response, absolute_pacing
from otaload.http.target import locate, parse_url
from otaload.live.context import RunContext, context_of
from otaload.targets import Endpoint

CHECK = "/updates/check"
DOWNLOAD = "/bundles/download"
REGISTER = "/devices/register"
HEALTH = "/health"
"""The names of the statistics; the paths behind them are configured in `targets.yaml`."""

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """How a request ended: `value` is what was read of a success; `lost` is a network error.

    A tuple, since one is made for each request and a frozen dataclass takes twice as long.
    """

    ok: bool
    value: T | None = None
    lost: bool = False


class DeviceUser(LeanHttpUser):
    """A virtual user in whose place one device after the other comes.

    Subclasses say in `exercises` which endpoints they send requests to.
    """

    abstract = True
    exercises: ClassVar[tuple[str, ...]] = ()
    known_endpoints: ClassVar[tuple[str, ...]] = (CHECK, DOWNLOAD, REGISTER, HEALTH)
    """Of all devices together: a threshold for any other endpoint is a slip of the pen."""

    def __init__(self, environment: Any) -> None:
        context = context_of(environment)
        self.connect_timeout_s = context.targets.connect_timeout_s
        self.first_byte_timeout_s = context.targets.first_byte_timeout_s
        self.total_timeout_s = context.targets.total_timeout_s
        self.tls_verify = context.targets.tls_verify
        self.tls_ca_file = context.targets.tls_ca_file
        super().__init__(environment)
        self.context_of_run: RunContext = context
        self.targets = context.targets
        # What tells the service who asks, and is kept from every other host.
        self._own_headers = (
            self.targets.api_key_credential.header,
            self.targets.device_token_credential.header,
            *((self.targets.fleet.id_header,) if self.targets.fleet.id_header else ()),
        )
        name = type(self).__name__
        self.rng = Random(context.next_seed(name))
        self.fleet: Fleet = context.shared(
            f"fleet/{name}",
            lambda: Fleet(
                context.targets.fleet,
                seed=context.seed,
                index=context.worker_index,
                count=context.worker_count,
            ),
        )

    def on_start(self) -> None:
        """With a pacing, wait for this user's first place in the schedule."""
        if self.context_of_run.pacing_s is not None:
            self.wait()  # type: ignore[no-untyped-call]  # locust leaves it untyped

    def wait_time(self) -> float:
        """Seconds of thought, from the scenario's range; with a pacing, until the next start.

        All users of a process share one schedule, so that their starts are spread evenly.
        """
        context = self.context_of_run
        pacing_s = context.pacing_s
        if pacing_s is None:
            return self.rng.uniform(*context.think_s)
        return context.shared("pacing", lambda: absolute_pacing(pacing_s))(self)

    def check(self, device: Device, *, outdated: bool = False) -> Outcome[Release]:
        """Ask for an update; `value` is the release on offer, None where there is none.

        For a device that is known to be `outdated`, "no update" is a wrong answer.
        """
        if self.targets.check.auth == "device_token" and not self.ensure_token(device):
            return Outcome(ok=False)
        body = {"appId": self.targets.app_id, **device.body()}
        if device.installed_version:
            body["currentBundleVersion"] = device.installed_version
        if device.installed_hash:
            body["currentBundleHash"] = device.installed_hash
        read = _read_offer if outdated else read_check
        outcome = self._check_once(device, body, read)
        for n in range(1, self.targets.fleet.check_retries + 1):
            if not outcome.lost:
                break
            # As the SDK: on network errors only, after 1 s doubled each time plus up to 1 s.
            gevent.sleep(min(2.0 ** (n - 1) + self.rng.random(), 30.0))
            outcome = self._check_once(device, body, read, context={"otaload_retry": True})
        if outcome.value:
            self.context_of_run.current_release = outcome.value
        return outcome

    def download(self, device: Device, release: Release) -> bool:
        """Fetch a release's bundle, verify size and SHA-256, and install it."""
        endpoint = self.targets.download
        url = self._bundle_url(release)
        hook = self.context_of_run.verify_hook
        base = self.host or ""
        # A device's key and id go to the service alone, never to a host that an answer named.
        own = locate(base, url).origin == parse_url(base).origin
        headers = self._headers(device, endpoint) if own else {}

        def read(answer: Answer) -> None:
            verify_bundle(answer, release)
            if hook is not None:
                problem = hook(answer)
                if problem:
                    raise WrongAnswerError(f"verify: {problem}")

        outcome: Outcome[None] = self._send(
            "GET",
            url,
            name=DOWNLOAD,
            expect=endpoint.expect,
            headers=headers,
            digest="sha256",
            keep_body=hook is not None,
            read=read,
        )
        if outcome.ok:
            device.adopt(release.version, release.bundle_hash)
        return outcome.ok

    def register(self, device: Device) -> bool:
        """Register a device and keep its token."""
        endpoint = self.targets.register
        outcome = self._send(
            "POST",
            endpoint.path,
            name=REGISTER,
            expect=endpoint.expect,
            headers=self._headers(device, endpoint),
            json={"appId": self.targets.app_id, **device.body()},
            read=read_registration,
        )
        if outcome.ok:
            device.token = outcome.value
            self.context_of_run.secrets.add_token(outcome.value or "")
        return outcome.ok

    def ensure_token(self, device: Device) -> bool:
        """Register a device that has no token yet; once in its life."""
        return device.token is not None or self.register(device)

    def _check_once(
        self,
        device: Device,
        body: dict[str, Any],
        read: Callable[[Response], Release | None],
        context: dict[str, Any] | None = None,
    ) -> Outcome[Release]:
        endpoint = self.targets.check
        return self._send(
            "POST",
            endpoint.path,
            name=CHECK,
            expect=endpoint.expect,
            headers=self._headers(device, endpoint),
            json=body,
            read=read,
            context=context,
        )

    def _bundle_url(self, release: Release) -> str:
        if self.targets.download_mode == "follow":
            return release.bundle_url
        release_id = self.targets.release_id or release.release_id
        path = self.targets.download.path
        app, wanted = quote(self.targets.app_id, safe=""), quote(release_id, safe="")
        if self.targets.download_mode == "template":
            return path.replace("{app_id}", app).replace("{release_id}", wanted)
        return f"{path}?appId={app}&releaseId={wanted}"

    def _headers(self, device: Device | None, endpoint: Endpoint) -> dict[str, str]:
        headers = {}
        if device is not None and self.targets.fleet.id_header:
            headers[self.targets.fleet.id_header] = device.id
        if endpoint.auth == "api_key" and self.targets.api_key:
            credential = self.targets.api_key_credential
            headers[credential.header] = credential.value(self.targets.api_key)
        elif endpoint.auth == "device_token" and device is not None and device.token:
            credential = self.targets.device_token_credential
            headers[credential.header] = credential.value(device.token)
        return headers

    def _send(
        self,
        method: str,
        url: str,
        *,
        name: str,
        expect: tuple[int, ...],
        read: Callable[[Response], T | None],
        **options: Any,
    ) -> Outcome[T]:
        """Send a request and judge its answer; a failure is counted with its cause."""
        with self.client.request(
            method,
            url,
            name=name,
            expect=expect,
            credentials=self._own_headers,
            catch_response=True,
            **options,
        ) as answer:
            if answer.status_code and answer.status_code not in expect:
                answer.failure(describe_status(answer))
                return Outcome(ok=False)
            if answer.cause is not None:
                return Outcome(ok=False, lost=answer.status_code == 0)
            try:
                return Outcome(ok=True, value=read(answer))
            except WrongAnswerError as error:
                answer.failure(str(error))
        return Outcome(ok=False)


def _read_offer(answer: Answer) -> Release:
    release = read_check(answer)
    if release is None:
        raise WrongAnswerError("shape: no update for an outdated device")
    return release
