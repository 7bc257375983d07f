"""The endurance benchmark's locustfile: devices that ask at a constant rate.

`BENCH_RATE` is the requests per second, `BENCH_MINUTES` the length; `bench.endurance` sets them.
"""

import os
from typing import ClassVar

from locustfiles import devices
from locustfiles.profiles import Hold, Profile
from otaload.http import absolute_pacing

RATE = float(os.environ.get("BENCH_RATE", "500"))
SECONDS = float(os.environ.get("BENCH_MINUTES", "30")) * 60.0
PERIOD_S = 1.0
SHARES = {"check": 70, "download": 20, "register": 10}
REQUESTS_PER_ITERATION = (70 * 1 + 20 * 2 + 10 * 1) / 100  # a download asks for its release first


class SteadyCheck(devices.UpdateCheck):
    """One check a second."""

    wait_time = absolute_pacing(PERIOD_S)


class SteadyDownload(devices.BundleDownload):
    """One check and one download a second."""

    wait_time = absolute_pacing(PERIOD_S)


class SteadyRegister(devices.DeviceRegister):
    """One registration a second."""

    wait_time = absolute_pacing(PERIOD_S)


class Steady(Profile):
    """As many users as the rate takes."""

    mix: ClassVar = {
        SteadyCheck: SHARES["check"],
        SteadyDownload: SHARES["download"],
        SteadyRegister: SHARES["register"],
    }
    stages = (Hold(users=round(RATE * PERIOD_S / REQUESTS_PER_ITERATION), seconds=SECONDS),)
