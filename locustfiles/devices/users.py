"""The Locust user classes: who asks, who downloads, who registers, who only looks."""

from __future__ import annotations

from locust import task

from locustfiles.devices.device_user import CHECK, DOWNLOAD, HEALTH, REGISTER, DeviceUser
from locustfiles.devices.fleet import Device
from locustfiles.devices.protocol import read_health
from otaload.targets import origin_of


class UpdateCheck(DeviceUser):
    """Devices that check on launch and on resume, and install what they are offered.

    On an ordinary day they have the current release and hear "no update". On a release day each
    starts one version behind, and each that asks downloads.
    """

    exercises = (CHECK,)

    @task
    def check_for_update(self) -> None:
        """One launch of one device."""
        device = self.fleet.next()
        if device.installed_version is None:
            self._install_first(device)
        offer = self.check(device).value
        if offer is not None:
            self.download(device, offer)

    def _install_first(self, device: Device) -> None:
        context = self.context_of_run
        release = context.current_release
        if release is None or context.release_day:
            device.adopt(self.targets.fleet.outdated_version, None)
        else:
            device.adopt(release.version, release.bundle_hash)


class BundleDownload(DeviceUser):
    """Devices that missed the last release: each session checks, downloads, verifies, installs."""

    exercises = (CHECK, DOWNLOAD)

    @task
    def update(self) -> None:
        """One session of one outdated device."""
        device = self.fleet.next()
        device.adopt(self.targets.fleet.outdated_version, None)
        offer = self.check(device, outdated=True).value
        if offer is not None:
            self.download(device, offer)


class DeviceRegister(DeviceUser):
    """Fresh installations: each session registers one device."""

    exercises = (REGISTER,)

    @task
    def register_device(self) -> None:
        """The first launch of one device."""
        self.register(self.fleet.next())


class HealthProbe(DeviceUser):
    """Asks for the service's health once a minute."""

    exercises = (HEALTH,)

    def on_start(self) -> None:
        """At once, whatever the scenario's pacing."""

    def wait_time(self) -> float:
        """A minute: the rate that production may get, whatever the scale of a rehearsal."""
        return 60.0

    @task
    def probe(self) -> None:
        """One look."""
        self._send(
            "GET",
            origin_of(self.host or "") + self.targets.health.path,
            name=HEALTH,
            expect=self.targets.health.expect,
            headers=self._headers(None, self.targets.health),
            read=read_health,
        )
