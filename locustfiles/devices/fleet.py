"""The fleet: a fixed, seeded pool of devices that virtual users stand in for.

Services count the distinct devices that they see and limit the requests of each, so a run must
neither invent a device for every iteration nor send everything from one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from random import Random

from otaload.targets import FleetPlan

_SYSTEMS = {
    "ios": (("18.5", "18.4.1", "17.7", "16.7.11"), ("iPhone17,3", "iPhone16,1", "iPhone14,5")),
    "android": (("15", "14", "13", "12"), ("Pixel 9", "SM-S928B", "SM-A546B", "Redmi Note 13")),
}
_PLACES = (("Europe/Berlin", "de-DE"), ("America/New_York", "en-US"), ("Asia/Tokyo", "ja-JP"))
"""Estimates of what a fleet looks like; they vary the bodies and claim nothing."""


@dataclass(slots=True)
class Device:
    """One installation of the app; what it has installed and its token change as it lives."""

    id: str
    platform: str
    app_version: str
    channel: str
    os_version: str
    model: str
    timezone: str
    locale: str
    installed_version: str | None = None
    installed_hash: str | None = None
    token: str | None = None

    def adopt(self, version: str, bundle_hash: str | None) -> None:
        """Install a bundle; the next check reports it."""
        self.installed_version, self.installed_hash = version, bundle_hash

    def body(self) -> dict[str, object]:
        """What a device says about itself in a registration."""
        return {
            "deviceId": self.id,
            "platform": self.platform,
            "appVersion": self.app_version,
            "channel": self.channel,
            "deviceInfo": {
                "osVersion": self.os_version,
                "deviceModel": self.model,
                "timezone": self.timezone,
                "locale": self.locale,
            },
        }


def build_device(plan: FleetPlan, seed: int, number: int) -> Device:
    """The device with a number; the same for the same seed in every process."""
    rng = Random(f"{seed}/device/{number}")
    platform = _draw(rng, plan.platforms)
    systems, models = _SYSTEMS[platform]
    timezone, locale = rng.choice(_PLACES)
    return Device(
        id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        platform=platform,
        app_version=_draw(rng, plan.app_versions),
        channel=_draw(rng, plan.channels),
        os_version=rng.choice(systems),
        model=rng.choice(models),
        timezone=timezone,
        locale=locale,
    )


class Fleet:
    """The devices of one user class in one process, handed out in turn.

    Worker `index` of `count` has every `count`-th device, so no two processes share one as long as
    the fleet is large enough. Devices are made when first drawn and kept.
    """

    def __init__(self, plan: FleetPlan, *, seed: int, index: int = 0, count: int = 1) -> None:
        self._plan = plan
        self._seed = seed
        self._numbers = range(index % plan.fleet_size, plan.fleet_size, max(1, count))
        self._devices: dict[int, Device] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def next(self) -> Device:
        """The next device in turn, as its last session left it."""
        number = self._numbers[self._next % len(self._numbers)]
        self._next += 1
        device = self._devices.get(number)
        if device is None:
            device = self._devices[number] = build_device(self._plan, self._seed, number)
        return device


def _draw(rng: Random, weights: object) -> str:
    assert isinstance(weights, dict)
    return str(rng.choices(list(weights), list(weights.values()))[0])
