"""Load curves, and the shape that plays them."""

# Recording, judging and reporting come with every scenario.
import otaload.plugin as _plugin  # noqa: F401
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

__all__ = [
    "FOREVER",
    "Climb",
    "Hold",
    "Profile",
    "Ramp",
    "Stage",
    "Steps",
    "lay_out",
    "peak_users",
    "users_at",
]
