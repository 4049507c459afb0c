"""A net that corrects scores by where a row lies: repaired in the regions where a classifier is wrong, kept elsewhere.

Formula: q = (1 - g) softmax(L) + g softmax(exp(s(x)) L + r(x)), L the log-probabilities of the global map, s and r one
hidden layer on the standardised features x, g(x) in [0, 1] the trust in rows like x. No kernel and no memory of rows.
Source: Barbera, Perini, De Toni, Passerini and Pugnana 2025 for the net and its objective; the correction that starts
at the global map, its cross-fitting, its teacher and its guard are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.calibrators.feature_map import FeatureMap
from calibrant.calibrators.local_nets.recipes import Learnt, corrected, similarity, unchanged
from calibrant.calibrators.local_nets.rows import Training, canonical
from calibrant.calibrators.local_nets.support import Support, trust
from calibrant.errors import is_whole, require
from calibrant.folds import strata
from calibrant.formulas import TINY, Ops, expit, softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

RECIPES = ("default", "paper", "released")
_FARTHEST = 1e9  # standard deviations: features beyond it would overflow, and are far from all rows in any case
_WIDEST = 3.0  # of the log scale
_FEWEST = 20  # distinct rows, below which nothing local can be told


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalNetMap(FeatureMap):
    """(1 - g) softmax(L) + g softmax(exp(s) slopes L + r): ``base`` gives L, a net of h units s and r, the support g.

    Arrays: ``mean`` and ``inverse`` (d,) scale the features; ``hidden_weights`` (d, h), ``hidden_bias`` (h,),
    ``scale_weights`` (h, 1), ``scale_bias`` (1,), ``shift_weights`` (h, k), ``shift_bias`` (k,), ``slopes`` (k,);
    ``whitening`` (d, r), ``variances`` (r,), ``centres`` (c, r), ``rest`` and ``radius`` are a `Support`. How it was
    learnt: ``curves`` (epochs, columns) with ``curve_names``, the ``agreements`` that were tried with their held-out
    ``losses``, and the ``gain`` (2,) in log loss over the global map on rows left out, with its standard error.
    """

    base: CalibrationMap
    mean: Floats
    inverse: Floats
    hidden_weights: Floats
    hidden_bias: Floats
    scale_weights: Floats
    scale_bias: Floats
    shift_weights: Floats
    shift_bias: Floats
    slopes: Floats
    whitening: Floats
    variances: Floats
    centres: Floats
    rest: float
    radius: float
    curve_names: tuple[str, ...]
    curves: Floats
    agreements: Floats
    losses: Floats
    gain: Floats

    def __post_init__(self) -> None:
        (d, h), k, r = self.hidden_weights.shape, self.record.k, self.variances.size
        shapes = {"mean": (d,), "inverse": (d,), "hidden_bias": (h,), "scale_weights": (h, 1), "scale_bias": (1,)}
        shapes |= {"centres": (len(self.centres), r)}
        shapes |= {"shift_weights": (h, k), "shift_bias": (k,), "slopes": (k,), "whitening": (d, r), "variances": (r,)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            require(array.shape == shape, name, f"have shape {shape}", array.shape)
            require(bool(np.isfinite(array).all()), name, "be finite")
        require(self.base.record.k == k and not self.base.dimensions, "base", f"be a map of {k} classes' scores alone")
        require(0 < self.radius < np.inf and 0 <= self.rest < np.inf, "radius and rest", "be finite, at least 0")
        require(self.curves.shape[1:] == (len(self.curve_names),), "curves", "have a name for each column")
        check_zero(self.floor)

    @property
    def dimensions(self) -> int:
        """Number of features."""
        return len(self.mean)

    @property
    def support(self) -> Support:
        """Where the correction is trusted."""
        parts = {name: getattr(self, name) for name in ("whitening", "variances", "centres", "rest", "radius")}
        return Support(**parts)

    @property
    def local(self) -> bool:
        """Whether there is a correction, or the global map alone."""
        return self.hidden_bias.size > 0

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return (1 - g) softmax(L) + g softmax(exp(s) slopes L + r)."""
        logits = self._global(ops, log_p)
        p = softmax(ops, logits)
        if not self.local:
            return p
        x = (features - ops.constant(self.mean)) * ops.constant(self.inverse)
        x = ops.minimum(ops.maximum(x, ops.constant(-_FARTHEST)), ops.constant(_FARTHEST))
        raw = ops.product(x, self.hidden_weights) + ops.constant(self.hidden_bias)
        hidden = ops.maximum(raw, ops.constant(0.0))
        shift = ops.product(hidden, self.shift_weights) + ops.constant(self.shift_bias)
        scale = _bounded(ops, ops.product(hidden, self.scale_weights) + ops.constant(self.scale_bias))
        corrected = softmax(ops, logits * ops.constant(self.slopes) * ops.exp(scale) + shift)
        if not self.variances.size:
            return corrected
        g = trust(ops, x, self.support)
        return (ops.constant(1.0) - g) * p + g * corrected

    def _global(self, ops: Ops, log_p: Any) -> Any:
        """Return the logits of the global map; a constant a row more changes nothing, since one scale is for all."""
        found = self.base.formula(ops, log_p)
        if self.base.gives == "logit":
            return found
        return ops.log(ops.maximum(found, ops.constant(TINY)))

    @property
    def n_parameters(self) -> int:
        """Those of the global map, and of the net where there is one."""
        heads = (self.scale_weights, self.scale_bias, self.shift_weights, self.shift_bias, self.slopes)
        net = sum(one.size for one in (self.hidden_weights, self.hidden_bias, *heads))
        return self.base.n_parameters + (net if self.local else 0)


def _bounded(ops: Ops, x: Any) -> Any:
    """Return 3 tanh(x / 3)."""
    return (expit(ops, x * ops.constant(2 / _WIDEST)) - ops.constant(0.5)) * ops.constant(2 * _WIDEST)


@register(
    "calibrator",
    "local_net",
    compared="",
    reference="barbera2025",
    needs_features=True,
    depends_on_row_count=True,
    differentiable=True,
    parameters="at most d hidden + hidden k + 2 hidden + k k + 3 k + 2",
    wants_rows="1000",
    cost="O(n hidden (d + k)) an epoch, for 10 nets; kernel frequencies once, O(n n (d + k))",
    guarantee="used only where it gains on rows left out; far from the calibration rows it is the global map",
    assumes="errors that depend on where a row lies in the feature space, smoothly",
    suits="features beside the scores, and regions in which a classifier is wrong in its own way",
)
@dataclass(frozen=True, kw_only=True)
class LocalNet(Calibrator):
    """Correct the scores by a small net on the features, where that has proved itself on rows left out.

    Choose it where there are features and thousands of rows. It repairs what no map of scores can: errors of a region.
    It needs torch to learn (``pip install 'calibrant[torch]'``), and NumPy alone to map.

    Parameters
    ----------
    recipe : "default", ours: starts at the global map ``start``, learns from the labels and from the class frequencies
        of the neighbours of each row, in five folds, whose mean one net learns; kept only where it gains on rows left
        out. "paper": the LoCal net as meant, with the Jensen-Shannon distance of all classes, frequencies in the log
        domain and a bandwidth chosen by leave-one-out. "released": as in the authors' code, its quirks included.
    hidden : units of the hidden layer.
    epochs : at most so many; the net of the best one on rows left out is kept.
    agreement : weight of the agreement with local frequencies. None: 1 for the recipes of the paper; by default the
        better of 1 and 200 / n on rows left out.
    start : spec of the global map, of scores alone, that the default corrects.
    folds, seed : of the split, and the seed of all random numbers.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Under 20 distinct rows, with labels of one class only, or with features that never vary, the global map is kept, for
    every recipe. The recipes of the paper start at the scores themselves, hold one fold out to end the training, and
    work on log-probabilities where the authors' code took raw logits; their first weights tell classes apart, so that
    renaming classes is another draw. A map of theirs is trusted everywhere. The global map is learnt from all rows
    before the folds are judged; with one number, a temperature, that tells them nothing. Weights count as
    Kish's effective rows where a gain is judged.
    """

    recipe: Literal["default", "paper", "released"] = "default"
    hidden: int = 64
    epochs: int = 100
    agreement: float | None = None
    start: str = "temperature"
    folds: int = 5
    seed: int = 0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(self.recipe in RECIPES, "recipe", f"be one of {RECIPES}", repr(self.recipe))
        for name, least in (("hidden", 1), ("epochs", 1), ("folds", 2)):
            value = getattr(self, name)
            require(is_whole(value) and value >= least, name, f"be a whole number of at least {least}", value)
        holds = self.agreement is None or 0 <= self.agreement < np.inf
        require(holds, "agreement", "be a number of at least 0, or None", self.agreement)
        require(is_whole(self.seed) and self.seed >= 0, "seed", "be a whole number of at least 0", self.seed)
        able = calibrator(self.start).entry.capabilities
        require(not able.needs_features, "start", "be a calibrator of scores alone", self.start)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> LocalNetMap:
        """Return the map; `calibrators.local_nets.recipes` has the recipes."""
        batch, floor = prepared(canonical(predictions), self.zero)
        base = calibrator(self.start if self.recipe == "default" else "identity").fit(batch)
        found = self._learnt(batch, base)
        record = self.fit_record(predictions, iterations=found.epochs, message=found.message)
        net, support = vars(found.net), vars(found.support)
        return LocalNetMap(
            base=base,
            floor=floor,
            mean=found.scaling.mean,
            inverse=found.scaling.inverse,
            **net,
            **support,
            curve_names=found.curves.names,
            curves=found.curves.values,
            agreements=found.agreements,
            losses=found.losses,
            gain=found.gain,
            record=record,
        )

    def _learnt(self, batch: Predictions, base: CalibrationMap) -> Learnt:
        assert batch.features is not None
        rows, training = len(np.unique(batch.row_keys)), Training(self.hidden, self.epochs, self.seed)
        if rows < max(_FEWEST, self.folds) or len(np.unique(strata(batch))) < 2:
            return unchanged(batch, "the global map is kept: too few rows or classes to tell anything local")
        if not np.ptp(batch.features, axis=0).any():
            return unchanged(batch, "the global map is kept: no feature varies")
        agreement, count = self.agreement, self.folds
        if self.recipe != "default":
            return similarity(batch, self.recipe, 1.0 if agreement is None else agreement, count, training)
        return corrected(batch, base, agreement, count, training)
