"""Smoke: ten devices for a minute; does every route work at all?"""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Hold, Profile


class Smoke(Profile):
    """Ten users: seven check for updates, two download, one registers."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (Hold(users=10, seconds=60),)
