"""Load: two hundred devices for ten minutes; an ordinary busy day."""

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import Hold, Profile, Ramp


class Load(Profile):
    """Two hundred users that think for one to three seconds."""

    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    stages = (
        Ramp(to=200, seconds=60, name="ramp-up"),
        Hold(users=200, seconds=540),
    )
    think_s = (1.0, 3.0)
