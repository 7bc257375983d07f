"""Soak: a hundred devices through eight hours; does the service decay over a night?"""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Hold, Profile, Ramp

HOUR_S = 3600


class Soak(Profile):
    """A hundred calm users; the p99 of the last hour is held against that of the first."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (
        Ramp(to=100, seconds=300, name="ramp-up"),
        Hold(users=100, seconds=8 * HOUR_S - 300),
    )
    think_s = (2.0, 5.0)
