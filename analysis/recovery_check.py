"""The threshold on the recovery of a spike, for those who write one: `recovery` under `global:`."""

from __future__ import annotations

from analysis.checks import is_proven, tier_reason
from analysis.limits import ALL_REQUESTS, RECOVERY, Limits, Tier
from analysis.recovery import Recovery
from analysis.verdict import Check

WITHIN_S = 1.0
"""How exact a recovery is that is read from whole seconds."""


def recovery_check(limits: Limits, recovery: Recovery, n: int) -> Check:
    """The check on the recovery time; what cannot be told is a warning, never a pass.

    A service that was not back by the fail limit fails, and is a warning where less was observed.
    """
    value, tier, proven = recovery.recovery_s, Tier.WARNING, False
    reason, proof = recovery.sentence, "unproven: it was not observed"
    low = high = None
    if value is not None:
        tier, reason = limits.tier_of(value), tier_reason(limits, RECOVERY, value)
        low, high = max(0.0, value - WITHIN_S), value + WITHIN_S
        proven = is_proven(limits, tier, low, high)
        proof = f"{'proven' if proven else 'unproven'}: measured within ±1 s, of one burst"
    elif not recovery.insufficient and recovery.observed_s > limits.fail_above.value:
        tier, proven = Tier.FAIL, True
        proof = "proven: it was observed for longer than the fail limit"
    return Check(
        endpoint=ALL_REQUESTS,
        metric=RECOVERY,
        tier=tier,
        limits=limits,
        value=value,
        n=n,
        reason=reason,
        gap=value is not None and limits.in_gap(value),
        proven=proven,
        proof=proof,
        low=low,
        high=high,
        indicative=recovery.indicative,
    )
