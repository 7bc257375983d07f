"""Which user class takes an arrival: each its share of them, as evenly interleaved as can be."""

from __future__ import annotations

from collections.abc import Mapping


class Turns:
    """A smooth weighted round: at no time has a name had a whole turn more than its share."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        chosen = {name: float(weight) for name, weight in weights.items() if weight > 0}
        if not chosen:
            raise ValueError("no name has a weight above 0")
        self._names = list(chosen)
        total = sum(chosen.values())
        self._gains = [weight / total for weight in chosen.values()]
        self._credit = [0.0] * len(chosen)

    def next(self) -> str:
        """Whose turn it is."""
        credit = self._credit
        for place, gain in enumerate(self._gains):
            credit[place] += gain
        richest = credit.index(max(credit))
        credit[richest] -= 1.0
        return self._names[richest]
