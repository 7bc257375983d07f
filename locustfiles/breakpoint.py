"""Breakpoint: more devices every half minute until the service gives way; where is the limit?"""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Climb, Profile


class Breakpoint(Profile):
    """A climb to two thousand users until a fail limit is broken, then a bisection to 5 %."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (Climb(start=20, to=2000, factor=1.4, seconds=30),)
    finds_limit = True
