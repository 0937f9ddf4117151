"""Samples and what is told of them: median, least and most, never a mean that one slow run would move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from pydantic import BaseModel

#: From so many samples on, and so wide a spread in medians, the machine was not quiet while it measured.
NOISY_FROM, NOISY = 3, 0.5


class Timing(BaseModel):
    """Raw samples, in the unit of the figure (seconds of wall time, if not said), and their median, least and most."""

    samples: list[float]
    median: float
    min: float
    max: float

    @property
    def spread(self) -> float:
        """How far least and most lie apart, in medians; 0 for a median of 0."""
        return (self.max - self.min) / abs(self.median) if self.median else 0.0

    @property
    def noisy(self) -> bool:
        """Do the samples lie so far apart that the machine must have done other work too?"""
        return len(self.samples) >= NOISY_FROM and self.spread > NOISY


def timing(samples: Iterable[float]) -> Timing:
    """Summarise samples, of which there is at least one."""
    kept = [round(each, 3) for each in samples]
    return Timing(samples=kept, median=median(kept), min=min(kept), max=max(kept))


def over(samples: Sequence[float], baseline: Sequence[float]) -> Timing | None:
    """What samples take beyond a baseline that was measured in turns with them, pair by pair.

    Args:
        samples: in the order of their rounds.
        baseline: of the same rounds; what has no partner is left out.

    Returns:
        None where there is no pair.
    """
    pairs = [one - other for one, other in zip(samples, baseline, strict=False)]
    return timing(pairs) if pairs else None
