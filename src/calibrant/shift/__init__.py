"""Label shift: how often each class comes in rows without labels, and the probabilities that follow from it."""

from calibrant.shift.label_shift import LabelShift, PriorEstimate, estimate_priors, label_shift

__all__ = ["LabelShift", "PriorEstimate", "estimate_priors", "label_shift"]
