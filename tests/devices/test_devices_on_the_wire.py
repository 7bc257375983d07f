"""Devices against the embedded service: what they send, adopt and keep to themselves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from locust.env import Environment

from locustfiles.devices import BundleDownload, DeviceRegister, HealthProbe, UpdateCheck
from otaload.live.context import RunContext, attach, load_hook
from otaload.live.guard import connect_guard
from otaload.targets import DEFAULT_PATH, Endpoint, Targets, load_targets
from staging.launch import StagingProcess, start


@pytest.fixture(scope="module")
def service() -> Iterator[StagingProcess]:
    """A service with small bundles."""
    with start(faults="", bundle_bytes=20_000) as process:
        yield process


@dataclasses.dataclass
class World:
    """An environment, its users, and the requests that were counted in it."""

    environment: Environment
    users: list[Any] = dataclasses.field(default_factory=list)
    seen: list[Any] = dataclasses.field(default_factory=list)

    def user(self, cls: type[Any]) -> Any:
        """A new user of a class."""
        user = cls(self.environment)
        self.users.append(user)
        return user


@contextmanager
def world(service: StagingProcess, **changes: Any) -> Iterator[World]:
    """A world aimed at the service, with some of the targets changed."""
    service.set_faults("")
    service.reset_counters()
    release_day = changes.pop("release_day", False)
    targets: Targets = dataclasses.replace(
        load_targets(DEFAULT_PATH, {}),
        base_url=service.base_url,
        api_key=service.api_key,
        release_id=service.release_id,
        first_byte_timeout_s=2.0,
        **changes,
    )
    environment = Environment(host=service.base_url)
    hook = targets.verify_hook
    context = RunContext(
        targets,
        seed=1,
        release_day=release_day,
        verify_hook=load_hook(hook) if hook else None,
    )
    attach(environment, context, connect_guard(targets, scenario="test", allowed=False))
    at = World(environment)
    environment.events.request.add_listener(lambda **request: at.seen.append(request))
    try:
        yield at
    finally:
        for user in at.users:
            user.client.close()


def outcomes(seen: list[Any]) -> list[tuple[str, str | None]]:
    """Endpoint and cause of each counted request."""
    return [(r["name"], str(r["exception"]) if r["exception"] else None) for r in seen]


CHECK, DOWNLOAD, REGISTER = "/updates/check", "/bundles/download", "/devices/register"


def test_an_outdated_device_checks_downloads_and_then_hears_no_update(
    service: StagingProcess,
) -> None:
    with world(service, fleet=_one_device()) as at:
        user = at.user(UpdateCheck)
        for _ in range(3):
            user.check_for_update()

    assert outcomes(at.seen) == [(CHECK, None), (DOWNLOAD, None), (CHECK, None), (CHECK, None)]
    assert user.fleet.next().installed_version == "1.0.2"


def test_on_an_ordinary_day_later_devices_have_the_current_release(
    service: StagingProcess,
) -> None:
    with world(service) as at:
        user = at.user(UpdateCheck)
        for _ in range(5):
            user.check_for_update()

    assert [name for name, _ in outcomes(at.seen)].count(DOWNLOAD) == 1


def test_on_a_release_day_each_device_that_asks_downloads(service: StagingProcess) -> None:
    with world(service, release_day=True) as at:
        user = at.user(UpdateCheck)
        for _ in range(5):
            user.check_for_update()

    assert [name for name, _ in outcomes(at.seen)].count(DOWNLOAD) == 5


def test_a_bundle_download_user_downloads_in_every_session(service: StagingProcess) -> None:
    with world(service, fleet=_one_device()) as at:
        user = at.user(BundleDownload)
        user.update()
        user.update()

    assert outcomes(at.seen) == [(CHECK, None), (DOWNLOAD, None)] * 2
    assert service.counters()["endpoints"][DOWNLOAD]["bytes_out"] == 40_000


@pytest.mark.parametrize(
    ("mode", "path"),
    [("fixed", "/bundles/download"), ("template", "/bundles/{app_id}/{release_id}/bundle.js")],
)
def test_bundles_can_be_had_by_a_fixed_path_and_by_a_template(
    service: StagingProcess, mode: str, path: str
) -> None:
    download = Endpoint(path, "api_key", (200,))
    with world(service, download_mode=mode, download=download) as at:
        at.user(BundleDownload).update()

    assert outcomes(at.seen) == [(CHECK, None), (DOWNLOAD, None)]


def test_a_wrong_key_is_a_failure_with_its_status(service: StagingProcess) -> None:
    with world(service) as at:
        user = at.user(BundleDownload)
        user.targets = dataclasses.replace(user.targets, api_key="wrong")
        user.update()

    assert outcomes(at.seen)[1][1] == "status 401"


def test_a_registration_is_kept_and_used_as_the_checks_token(service: StagingProcess) -> None:
    check = Endpoint(CHECK, "device_token", (200,))
    with world(service, check=check, fleet=_one_device()) as at:
        user = at.user(UpdateCheck)
        user.check_for_update()
        user.check_for_update()

    assert [name for name, _ in outcomes(at.seen)] == [REGISTER, CHECK, DOWNLOAD, CHECK]
    assert {cause for _, cause in outcomes(at.seen)} == {None}


def test_register_users_register_one_device_after_the_other(service: StagingProcess) -> None:
    with world(service) as at:
        user = at.user(DeviceRegister)
        user.register_device()
        user.register_device()

    assert outcomes(at.seen) == [(REGISTER, None)] * 2
    assert service.state()["devices"] >= 2


def test_health_is_asked_at_the_origin(service: StagingProcess) -> None:
    with world(service) as at:
        at.user(HealthProbe).probe()

    assert outcomes(at.seen) == [("/health", None)]


def test_health_probes_wait_a_minute(service: StagingProcess) -> None:
    with world(service) as at:
        assert at.user(HealthProbe).wait_time() == 60.0


def test_an_outdated_device_that_is_offered_nothing_is_a_failure(service: StagingProcess) -> None:
    fleet = dataclasses.replace(_one_device(), outdated_version="1.0.2")
    with world(service, fleet=fleet) as at:
        at.user(BundleDownload).update()

    assert outcomes(at.seen) == [(CHECK, "shape: no update for an outdated device")]


def test_lost_checks_are_sent_again_only_where_that_is_asked_for(service: StagingProcess) -> None:
    with world(service) as at:
        service.set_faults("reset@/updates/check:p=1,for=0.5s")
        at.user(UpdateCheck).check_for_update()
    assert outcomes(at.seen) == [(CHECK, "connection reset")]

    fleet = dataclasses.replace(_one_device(), check_retries=1)
    with world(service, fleet=fleet) as at:
        service.set_faults("reset@/updates/check:p=1,for=0.5s")
        at.user(UpdateCheck).check_for_update()
    assert outcomes(at.seen)[:2] == [(CHECK, "connection reset"), (CHECK, None)]
    assert [bool((r["context"] or {}).get("otaload_retry")) for r in at.seen[:2]] == [False, True]


def test_the_api_key_never_reaches_another_host() -> None:
    # The other host is the name localhost on the same port, where the service counts keys.
    with (
        start(faults="", redirect_downloads="host") as service,
        world(service) as at,
    ):
        at.user(BundleDownload).update()
        counters = service.counters()

    assert outcomes(at.seen) == [(CHECK, None), (f"{DOWNLOAD} (redirect)", None), (DOWNLOAD, None)]
    assert counters["keys_at_cdn"] == 0
    assert counters["endpoints"][DOWNLOAD]["responses"] == {"302": 1, "200": 1}


def test_a_verify_hook_may_refuse_a_bundle(service: StagingProcess) -> None:
    hook = "tests.devices.test_devices_on_the_wire:refuse_everything"
    with world(service, verify_hook=hook) as at:
        at.user(BundleDownload).update()

    assert outcomes(at.seen)[1] == (DOWNLOAD, "verify: 20000 bytes are not signed")


def refuse_everything(answer: Any) -> str | None:
    """A hook that finds no signature on anything."""
    return f"{len(answer.content)} bytes are not signed"


def test_a_device_sends_its_id_as_header_and_in_the_body(service: StagingProcess) -> None:
    with world(service) as at:
        user = at.user(UpdateCheck)
        device = user.fleet.next()
        headers = user._headers(device, user.targets.check)

    assert headers == {"X-Device-ID": device.id}
    assert json.loads(json.dumps(device.body()))["deviceId"] == device.id


def _one_device() -> Any:
    return dataclasses.replace(load_targets(DEFAULT_PATH, {}).fleet, fleet_size=1)
