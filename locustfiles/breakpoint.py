"""Breakpoint: more devices every half minute until the service gives way; where is the limit?"""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Profile, Steps


class Breakpoint(Profile):
    """A staircase to two thousand users that ends where the thresholds' fail limits are broken."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (Steps(to=2000, step=100, seconds=30),)
    finds_limit = True
