"""One sentence in plain words: is the classifier over- or under-confident, by how much, and where most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calibrant.estimate import Estimate
from calibrant.evaluation.data_summary import DataSummary
from calibrant.evaluation.resampling import FEWEST_ROWS

_LARGEST = ("largest_null_high", 0.0)  # without a null level any error counts


def verdict(data: DataSummary, estimates: Sequence[Estimate]) -> str:
    """Return the verdict: direction and size from the means, evidence from the null band, and the worst class.

    Where the null level is known a class is named only if its error is beyond the largest of all classes under the
    null, which is fair to its choice.
    """
    said, right = data.mean_confidence, data.accuracy
    by_name = {estimate.name: estimate for estimate in estimates}
    text = f"{_direction(data.n, said, right, by_name)}: says {said:.1%}, is right {right:.1%}"
    worst = by_name.get("sce") if data.n >= FEWEST_ROWS else None
    if worst is not None and worst.per_class is not None and worst.per_class.max() > worst.details.get(*_LARGEST):
        index = int(np.argmax(worst.per_class))
        name = data.classes[index] if data.classes else str(index)
        text += f"; worst class: {name} (off by {_percent(worst.per_class[index])} on average)"
    return text


def _percent(share: float) -> str:
    """Return a share in percent, with two significant digits under one percent."""
    return f"{share:.1%}" if share >= 0.01 else f"{100 * share:.2g}%"


def _direction(n: int, said: float, right: float, by_name: Mapping[str, Estimate]) -> str:
    """Return the leading words; on very few rows and within the null bands nothing is claimed."""
    ece = by_name.get("ece")
    if n < FEWEST_ROWS:
        return "Too few rows to judge"
    if ece is not None and ece.null_high is not None and not any(map(_beyond, (ece, by_name.get("accuracy")))):
        return "No miscalibration of the confidence beyond chance"
    if ece is not None and abs(said - right) < 0.5 * ece.value:
        return "Miscalibrated, over-confident in places and under-confident in others"
    if said == right:
        return "Neither over- nor under-confident on average"
    return "Over-confident" if said > right else "Under-confident"


def _beyond(estimate: Estimate | None) -> bool:
    """Whether a value is outside its null band: any way for the accuracy, above for an error."""
    if estimate is None or estimate.null_low is None or estimate.null_high is None:
        return False
    return estimate.value > estimate.null_high or (estimate.name == "accuracy" and estimate.value < estimate.null_low)
