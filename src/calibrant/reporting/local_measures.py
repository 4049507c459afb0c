"""Local measures in one given neighbourhood, each with what a calibrated model would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.estimate import Estimate
from calibrant.evaluation import evaluate
from calibrant.metrics.grouping import GroupingLoss
from calibrant.metrics.local_error import LocalCalibrationError
from calibrant.metrics.local_kernel_error import KernelLocalError
from calibrant.metrics.proximity_error import ProximityError
from calibrant.metrics.tests.pair_forms import redrawn_forms
from calibrant.metrics.tests.redraw import redrawn
from calibrant.neighbourhood import Neighbourhood
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
REDRAWS = 99  # at most, of measures of all pairs
_COLUMNS = 1_000_000  # scores for which measures of all classes are computed
_TOO_MANY = "the local calibration error by class: too slow with {:,} classes"


def left_out(k: int, n: int) -> tuple[str, ...]:
    """Return which measures are not computed, in words."""
    return () if n * k <= _COLUMNS else (_TOO_MANY.format(k),)


def estimates(
    batch: Predictions, around: Neighbourhood, *, level: float, replicates: int, seed: int
) -> tuple[Estimate, ...]:
    """Return the measures of a batch whose rows are those of the neighbourhood, each with its null level.

    Their specs leave the space out, which by default is fitted on the same features.
    """
    redraws = int(np.clip(replicates, 2, REDRAWS))
    found = [_above_chance(batch, around, "top_label", redraws, level, seed)]
    if not left_out(batch.k, len(batch)):
        found.append(_above_chance(batch, around, "class_wise", redraws, level, seed))
    found.append(_kernel(batch, around, redraws, level, seed))
    plain = ProximityError(), GroupingLoss(seed=seed)
    placed = [replace(metric, space=around.space) for metric in plain]
    rest = evaluate(batch, placed, level=level, replicates=redraws, seed=seed)
    for metric, one in zip(plain, rest.measures, strict=True):
        kept = tuple(note for note in one.notes if not note.startswith(_NO_INTERVAL))
        found.append(replace(one, spec=metric.spec, notes=kept))
    return tuple(found)


_NO_INTERVAL = "no valid interval"  # of no measure of this table is one known


def _above_chance(
    batch: Predictions, around: Neighbourhood, notion: str, redraws: int, level: float, seed: int
) -> Estimate:
    """Return the local calibration error less its mean over redrawn labels, which of soft labels is not known."""
    excess = not batch.soft
    metric = LocalCalibrationError(
        space=around,
        notion=notion,  # type: ignore[arg-type]
        excess=excess,
        redraws=redraws,
        seed=seed,
    )
    found = metric(batch)
    found = replace(found, spec=replace(metric, space=None).spec)
    if not excess or np.isnan(found.value):
        return found
    # both a new value and the mean of the redrawn ones, which is subtracted, vary
    spread = found.details["floor_spread"] * np.sqrt(1 + 1 / redraws)
    half = float(scipy.special.ndtri((1 + level) / 2) * spread)
    return replace(found, null=0.0, null_low=-half, null_high=half, level=level)


def _kernel(batch: Predictions, around: Neighbourhood, redraws: int, level: float, seed: int) -> Estimate:
    metric = KernelLocalError(space=around)
    found = metric(batch)
    found = replace(found, spec=replace(metric, space=None).spec)
    if batch.soft or np.isnan(found.value):
        return found
    labels = np.stack(list(redrawn(batch, redraws, seed, together="class")))
    w = batch.row_weights
    values = redrawn_forms(batch, metric.pair_kernel(batch).between, labels) / float(w.sum() ** 2 - w @ w)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return replace(found, null=float(values.mean()), null_low=float(low), null_high=float(high), level=level)
