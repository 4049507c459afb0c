"""Native kernels: arrays in, arrays out, no checks; the callers have validated everything at the door.

``scores`` are (n, k), C-contiguous, float32 or float64, probabilities or ``logits``; ``weights`` (n,) float64 or None.
"""

from calibrant.kernels.affine import AffineSums, affine_pass
from calibrant.kernels.class_bins import ClassBins, bin_classes, label_bins
from calibrant.kernels.curves import CurveScale, apply_curves
from calibrant.kernels.elementwise import exponentials
from calibrant.kernels.isotonic import IsotonicKnots, ScoreCells, isotonic_knots, score_cells
from calibrant.kernels.logistic import LogisticSums, logistic_apply, logistic_pass
from calibrant.kernels.mass_bins import MassBins, mass_bins
from calibrant.kernels.pair_weights import PairSums, pair_weights
from calibrant.kernels.random import draw_labels, poisson_weights, uniforms
from calibrant.kernels.replicates import LANES, ReplicateBins, bin_replicates
from calibrant.kernels.rows import RowScan, entropy, ranked_rows, row_variances, scan_rows
from calibrant.kernels.softmax import affine_logits, affine_softmax, log_probabilities, log_softmax, softmax
from calibrant.kernels.temperature import temperature_pass
from calibrant.kernels.values import ValueBins, bin_values

__all__ = [
    "LANES",
    "AffineSums",
    "ClassBins",
    "CurveScale",
    "IsotonicKnots",
    "LogisticSums",
    "MassBins",
    "PairSums",
    "ReplicateBins",
    "RowScan",
    "ScoreCells",
    "ValueBins",
    "affine_logits",
    "affine_pass",
    "affine_softmax",
    "apply_curves",
    "bin_classes",
    "bin_replicates",
    "bin_values",
    "draw_labels",
    "entropy",
    "exponentials",
    "isotonic_knots",
    "label_bins",
    "log_probabilities",
    "log_softmax",
    "logistic_apply",
    "logistic_pass",
    "mass_bins",
    "pair_weights",
    "poisson_weights",
    "ranked_rows",
    "row_variances",
    "scan_rows",
    "score_cells",
    "softmax",
    "temperature_pass",
    "uniforms",
]
