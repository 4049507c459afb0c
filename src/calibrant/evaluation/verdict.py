"""One sentence in plain words: is the classifier over- or under-confident, by how much, and where most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibrant.estimate import Estimate
from calibrant.evaluation.data_summary import DataSummary


def verdict(data: DataSummary, estimates: Sequence[Estimate]) -> str:
    """Return the verdict: direction and size from the means, evidence from the null band, and the worst class."""
    said, right = data.mean_confidence, data.accuracy
    by_name = {estimate.name: estimate for estimate in estimates}
    text = f"{_direction(said, right, by_name.get('ece'))}: says {said:.1%}, is right {right:.1%}"
    worst = by_name.get("sce")
    if worst is not None and worst.per_class is not None and worst.per_class.max() > 0:
        index = int(np.argmax(worst.per_class))
        name = data.classes[index] if data.classes else str(index)
        text += f"; worst class: {name} (off by {worst.per_class[index]:.1%} on average)"
    return text


def _direction(said: float, right: float, ece: Estimate | None) -> str:
    """Return the leading words; within the null band nothing is claimed."""
    if ece is not None and ece.null_high is not None and ece.value <= ece.null_high:
        return "No miscalibration of the confidence beyond chance"
    if ece is not None and abs(said - right) < 0.5 * ece.value:
        return "Miscalibrated, over-confident in places and under-confident in others"
    return "Over-confident" if said > right else "Under-confident"
