"""The scenario benchmark's locustfile: the devices of `locustfiles/load.py` that never think.

`bench.scenario` sets `BENCH_CLIENT` (lean or fast), `BENCH_MIX` (load or checks), `BENCH_USERS` and
`BENCH_SECONDS`.
"""

import os
from typing import Any, ClassVar

from bench.fast_client import FastClient
from locustfiles import devices, load
from locustfiles.profiles import Hold, Profile

FAST = os.environ.get("BENCH_CLIENT") == "fast"
CHECKS_ONLY = os.environ.get("BENCH_MIX") == "checks"
USERS = int(os.environ.get("BENCH_USERS", "50"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "8"))

# By their module: a user class among the names of a locustfile is one of its users.
_SHARES = load.Load.mix
_TASKS = {
    devices.UpdateCheck.check_for_update: _SHARES[devices.UpdateCheck],
    devices.BundleDownload.update: _SHARES[devices.BundleDownload],
    devices.DeviceRegister.register_device: _SHARES[devices.DeviceRegister],
}
_CHECKS = {devices.UpdateCheck.check_for_update: 1}


class BenchDevice(  # type: ignore[misc]  # each base names endpoints of its own
    devices.UpdateCheck, devices.BundleDownload, devices.DeviceRegister
):
    """All kinds of devices in one, so that the mix is of iterations and the same for each client.

    With users of three kinds a slower client would send other requests, and not only fewer.
    """

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        if FAST:
            self.client: Any = FastClient(self)


# Set afterwards, since locust adds those of a class to its bases'.
BenchDevice.tasks = [
    one for one, share in (_CHECKS if CHECKS_ONLY else _TASKS).items() for _ in range(share)
]


class NeverThinking(Profile):
    """A closed loop: the next request as soon as the last is answered."""

    mix: ClassVar = {BenchDevice: 1}
    stages = (Hold(users=USERS, seconds=SECONDS),)
    think_s = (0.0, 0.0)
