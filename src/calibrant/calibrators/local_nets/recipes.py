"""The three ways to learn a local net, from a batch in canonical order to the parts of its map."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant import folds
from calibrant.calibrators.base import CalibrationMap
from calibrant.calibrators.local_nets.rows import Curves, Net, NetRows, Training
from calibrant.calibrators.local_nets.support import RADII, Support, supported, trust_at
from calibrant.calibrators.local_nets.teacher import lessons
from calibrant.formulas import NUMPY, TINY, softmax
from calibrant.neighbourhood import Neighbourhood, Space
from calibrant.predictions import Predictions
from calibrant.solvers.rows import log_probabilities
from calibrant.statistics.units import Units, paired_gain

Floats = NDArray[np.float64]
Recipe = Literal["default", "paper", "released"]

DIMENSIONS = 50  # principal components at most
RELEASED_BANDWIDTH = 10.0
_AGREEMENT = 1.0  # weight of the teacher that the default tries beside the least one
_PSEUDO_ROWS = 200.0  # that the teacher counts at least, so that few labels are not believed to the letter
_MOST_SHARE = 1.25  # of a correction: the teacher holds it back
_FARTHER, _SEEN = 2.0, 100  # standard errors of the gain farther out, and rows there, for a correction to be trusted
_ERRORS = 1.0  # standard errors by which a correction must gain on rows left out
_LEAST_SHARE = 0.05  # of a correction, below which it is none
_DOOR = "calibrant.torch.local_training"
_BATCH = 1024  # rows of a batch of the paper


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaling:
    """Features minus ``mean`` (d,), times ``inverse`` (d,): 1 / standard deviation, or 0 of a constant feature."""

    mean: Floats
    inverse: Floats

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """Return the scaled features (n, d)."""
        return np.asarray((features.astype(np.float64) - self.mean) * self.inverse)

    @classmethod
    def none(cls, d: int) -> Scaling:
        """Return the scaling that leaves features as they are."""
        return cls(mean=np.zeros(d), inverse=np.ones(d))

    @classmethod
    def of(cls, space: Space, batch: Predictions) -> Scaling:
        """Return the standardisation of the space: features that it drops stay out."""
        assert batch.features is not None
        share = batch.row_weights / batch.row_weights.sum()
        variance = np.square(batch.features.astype(np.float64) - space.mean).T @ share
        moves = space.projection.any(1) & (variance > 0)
        return cls(mean=space.mean, inverse=np.where(moves, 1 / np.sqrt(np.where(moves, variance, 1.0)), 0.0))


class Learnt(NamedTuple):
    """The parts of a map: what scales the features, the net on them, where it is trusted; and how they were found.

    ``gain`` (2,) in log loss over the global map on rows left out, and its standard error, NaN where none was judged.
    """

    scaling: Scaling
    net: Net
    support: Support
    curves: Curves
    agreements: Floats
    losses: Floats
    gain: Floats
    epochs: int
    message: str


def unchanged(batch: Predictions, why: str) -> Learnt:
    """Return the parts of a map that leaves the scores that it starts from as they are."""
    assert batch.features is not None
    d, nothing = batch.features.shape[1], np.empty(0)
    curves, unknown = Curves((), np.empty((0, 0))), np.full(2, np.nan)
    none = Net.none(d, batch.k), Support.everywhere(d)
    return Learnt(Scaling.none(d), *none, curves, nothing, nothing, unknown, 0, why)


def similarity(batch: Predictions, recipe: Recipe, agreement: float, folds_: int, training: Training) -> Learnt:
    """Return a net by the recipe of the paper, as released or as meant: one fold is held out to end the training."""
    assert batch.features is not None
    fold = folds.assign(batch, folds_, seed=training.seed)
    inside = batch.take(fold != 0)
    space = _space(inside)
    released = recipe == "released"
    scaling = Scaling.none(batch.features.shape[1]) if released else Scaling.of(space, inside)
    bandwidth = RELEASED_BANDWIDTH if released else _bandwidth(inside, space, training.seed)
    rows = _rows(batch, log_probabilities(batch, slice(None)), scaling(batch.features), space, fold)
    found = _door().trained(rows, recipe, agreement, bandwidth, training)
    told = f"epoch {found.epoch} of {len(found.curves.values)} kept, bandwidth {bandwidth:.3g}"
    support, nothing = Support.everywhere(len(scaling.mean)), np.empty(0)
    unknown = np.full(2, np.nan)
    return Learnt(scaling, found.net, support, found.curves, nothing, nothing, unknown, found.epoch, told)


def corrected(
    batch: Predictions, base: CalibrationMap, agreement: float | None, folds_: int, training: Training
) -> Learnt:
    """Return a net that corrects the global map ``base``: cross-fitted, judged on rows left out, then distilled."""
    assert batch.features is not None
    space = _space(batch)
    scaling = Scaling.of(space, batch)
    x, axes = scaling(batch.features), _axes(space, scaling)
    fold = folds.assign(batch, folds_, seed=training.seed)
    support, distance = supported(x, axes, batch.row_weights, folds.strata(batch), fold)
    log_p = log_probabilities(base(batch), slice(None))
    rows = _rows(batch, log_p, x @ axes, space, fold)
    agreements = agreements_for(batch, agreement)
    taught = lessons(batch, space, rows) if any(agreements) else np.zeros((folds_, *log_p.shape))
    found = _door().cross_fitted(rows, taught, agreements, training)
    radius, share, gain = _judged(rows, found, distance, support.radius, Units.of(batch))
    support, rows = replace(support, radius=radius), replace(rows, trust=trust_at(distance, radius))
    told = f"gains {gain[0]:.4f} ± {gain[1]:.4f} nats a row on rows left out"
    tried = np.array(agreements)
    if share < _LEAST_SHARE or not gain[0] > _ERRORS * gain[1]:
        why = f"the global map is kept: that a local correction {told} is no evidence"
        return unchanged(batch, why)._replace(
            curves=found.curves, agreements=tried, losses=found.losses, gain=gain, epochs=found.epoch
        )
    net, left = _door().distilled(rows, found.nets, share, training)
    told = f"{share:.0%} of the correction, agreement {found.agreement:g}, {told}; {left:.1e} nats lost in one net"
    return Learnt(scaling, _unprojected(net, axes), support, found.curves, tried, found.losses, gain, found.epoch, told)


def agreements_for(batch: Predictions, given: float | None) -> tuple[float, ...]:
    """Return the weights of the teacher to try: the given one, or the least that the number of rows allows, and 1."""
    least = _PSEUDO_ROWS / batch.effective_rows
    return tuple(sorted({least, max(least, _AGREEMENT)})) if given is None else (given,)


def _judged(rows: NetRows, found: Any, distance: Floats, median: float, units: Units) -> tuple[float, float, Floats]:
    """Return how far a correction is trusted, the share of it, and its gain on rows left out with the standard error.

    ``found`` is cross-fitted. The radius is the first one; a wider one where enough rows out there gain by it.
    """
    at_once = [_Shared.of(replace(rows, trust=trust_at(distance, times * median)), found) for times in RADII]
    best = 0
    for i in range(1, len(RADII)):
        mean, error = paired_gain(at_once[best].losses, at_once[i].losses, units)
        seen = np.count_nonzero((distance > RADII[i - 1] * median) & (distance <= RADII[i] * median))
        best = i if best == i - 1 and seen >= _SEEN and mean > _FARTHER * error else best
    kept = at_once[best]
    return RADII[best] * median, kept.share, np.array(paired_gain(kept.without, kept.losses, units))


class _Shared(NamedTuple):
    """The share of a correction that is best on rows left out, and the log losses (n,) with it and without."""

    share: float
    losses: Floats
    without: Floats

    @classmethod
    def of(cls, rows: NetRows, found: Any) -> _Shared:
        def mean(share: float) -> float:
            return float(rows.weights @ _losses(rows, found, share))

        best = scipy.optimize.minimize_scalar(
            mean, bounds=(0.0, _MOST_SHARE), method="bounded", options={"xatol": 1e-3}
        )
        share = min((0.0, float(best.x)), key=mean)
        return cls(share, _losses(rows, found, share), _losses(rows, found, 0.0))


def _losses(rows: NetRows, found: Any, share: float) -> Floats:
    """Return the log loss (n,) with a share of the correction."""
    p = np.exp(rows.log_p)
    logits = np.exp(share * found.log_scale[:, None]) * rows.log_p + share * found.shift
    mixed = p + rows.trust[:, None] * (softmax(NUMPY, logits) - p)
    if rows.labels.ndim == 2:
        return np.asarray(-(rows.labels * np.log(np.maximum(mixed, TINY))).sum(1))
    return np.asarray(-np.log(np.maximum(mixed[np.arange(len(mixed)), rows.labels], TINY)))


def _space(batch: Predictions) -> Space:
    assert batch.features is not None
    return Space.fit(batch.features, dimensions=DIMENSIONS, weights=batch.weights)


def _axes(space: Space, scaling: Scaling) -> Floats:
    """Return the axes (d, q) of the space among standardised features."""
    scale = np.where(scaling.inverse > 0, 1 / np.where(scaling.inverse > 0, scaling.inverse, 1.0), 0.0)
    return space.projection * scale[:, None]


def _bandwidth(batch: Predictions, space: Space, seed: int) -> float:
    """Return the bandwidth that is best for as many rows as a batch of the training has."""
    some = np.sort(np.random.default_rng(seed).permutation(len(batch))[:_BATCH])
    return Neighbourhood.fit(batch.take(some), space=space).bandwidth


def _rows(
    batch: Predictions,
    log_p: Floats,
    inputs: Floats,
    space: Space,
    fold: NDArray[np.int64],
) -> NetRows:
    assert batch.labels is not None
    assert batch.features is not None
    weights = batch.row_weights
    return NetRows(
        inputs=inputs,
        coordinates=np.asarray(space.apply(batch.features), dtype=np.float64),
        log_p=log_p,
        labels=batch.labels,
        weights=weights / weights.mean(),
        fold=fold,
        trust=np.ones(len(batch)),
    )


def _unprojected(net: Net, axes: Floats) -> Net:
    """Return the net that reads standardised features in place of their coordinates."""
    parts = {name: getattr(net, name) for name in net.__dataclass_fields__}
    return Net(**{**parts, "hidden_weights": axes @ net.hidden_weights})


def _door() -> Any:
    """Return the training, which lives in the door of torch: nothing below a door imports it by name."""
    return importlib.import_module(_DOOR)
