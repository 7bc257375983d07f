"""Spike: a release goes out and the whole fleet asks at once.

A small probe of thirty users runs before and after the burst: without traffic around it, neither
the level to come back to nor the moment of recovery could be measured.
"""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Hold, Profile, Ramp


class Spike(Profile):
    """From a probe to a thousand users in half a minute and back; every device is outdated."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (
        Hold(users=30, seconds=120, name="baseline"),
        Ramp(to=1000, seconds=30, name="surge"),
        Hold(users=1000, seconds=120, name="burst"),
        Ramp(to=30, seconds=30, name="ebb"),
        Hold(users=30, seconds=300, name="recovery"),
    )
    release_day = True
