"""Health: one request a minute, for as long as it runs; the only load that production may get."""

from locustfiles.devices import HealthProbe
from locustfiles.profiles import FOREVER, Hold, Profile


class Health(Profile):
    """One user, one request a minute; it ends with Ctrl-C or after --run-time."""

    mix = {HealthProbe: 1}
    stages = (Hold(users=1, seconds=FOREVER, name="watch"),)
    think_s = (60.0, 60.0)
    allowed_on_production = True
