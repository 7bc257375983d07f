"""Stress: a thousand impatient devices for five minutes; what gives way first?"""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Hold, Profile, Ramp


class Stress(Profile):
    """A thousand users that hardly think."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (
        Ramp(to=1000, seconds=60, name="ramp-up"),
        Hold(users=1000, seconds=240),
    )
    think_s = (0.1, 0.4)
