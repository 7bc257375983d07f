"""Load curves, and the shape that plays them."""

# Recording, judging and reporting come with every scenario.
import otaload.plugin as _plugin  # noqa: F401
from locustfiles.profiles.arrivals import ArrivalClimb, ArrivalHold, ArrivalRamp, ArrivalSteps
from locustfiles.profiles.curves import (
    FOREVER,
    Climb,
    Hold,
    Ramp,
    Stage,
    Steps,
    lay_out,
    peak_users,
    users_at,
)
from locustfiles.profiles.profile import Profile
from otaload.phase import Phase

__all__ = [
    "FOREVER",
    "ArrivalClimb",
    "ArrivalHold",
    "ArrivalRamp",
    "ArrivalSteps",
    "Climb",
    "Hold",
    "Phase",
    "Profile",
    "Ramp",
    "Stage",
    "Steps",
    "lay_out",
    "peak_users",
    "users_at",
]
