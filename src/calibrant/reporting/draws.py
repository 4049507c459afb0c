"""What is drawn at random: bootstrap weights, redrawn labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The level, number and seed of what is drawn at random."""

    level: float
    replicates: int
    seed: int
