from typing import Any

import numpy as np
from numpy.typing import NDArray

_Scores = NDArray[np.floating]
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_SmallInts = NDArray[np.int32]

SCORE_CELLS: int

def choose_clone(name: str) -> bool: ...
def clone_name() -> str: ...
def apply_function(function: int, values: _Scores, out: _Scores) -> None: ...
def widen_halves(halves: NDArray[np.uint16], threads: int, out: NDArray[np.float32]) -> None: ...
def scan_rows(
    scores: _Scores,
    logits: bool,
    labels: _Ints | None,
    weights: _Floats | None,
    threads: int,
    top: _SmallInts,
    confidence: _Floats,
    total: _Floats,
    sum_of_squares: _Floats,
    lowest: _Floats,
    label_probability: _Floats | None,
    label_log_probability: _Floats | None,
    label_rank: _SmallInts | None,
    class_totals: _Floats,
    edges: _Floats | None,
    rates: _Floats | None,
    right: bool,
    planes: _Floats | None,
    label_bins: _SmallInts | None,
) -> tuple[int, int, int]: ...
def entropy(scores: _Scores, log_normalizer: _Floats | None, threads: int, out: _Floats) -> None: ...
def ranked_rows(scores: _Scores, log_normalizer: _Floats | None, labels: _Ints, threads: int, out: _Floats) -> None: ...
def row_variances(
    scores: _Scores,
    top: _SmallInts,
    labels: _Ints,
    logits: bool,
    logs: bool,
    threads: int,
    excess: _Floats,
    variance: _Floats,
) -> None: ...
def bin_classes(
    scores: _Scores,
    log_normalizer: _Floats | None,
    weights: _Floats | None,
    outcomes: _Floats | None,
    edges: _Floats,
    rates: _Floats,
    right: bool,
    sparse: bool,
    threads: int,
    planes: _Floats,
) -> None: ...
def bin_replicates(
    scores: _Scores,
    log_normalizer: _Floats | None,
    weights: _Floats,
    labels: _Ints,
    hits: _Floats | None,
    edges: _Floats,
    rates: _Floats,
    right: bool,
    threads: int,
    planes: _Floats,
) -> None: ...
def label_bins(
    scores: _Scores,
    log_normalizer: _Floats | None,
    labels: _Ints,
    edges: _Floats,
    rates: _Floats,
    right: bool,
    bins: _SmallInts,
) -> None: ...
def mass_bins(
    scores: _Scores,
    log_normalizer: _Floats | None,
    weights: _Floats | None,
    labels: _Ints,
    threshold: float,
    unit: float,
    threads: int,
    edges: _Floats,
    planes: _Floats,
) -> None: ...
def isotonic_knots(
    scores: _Scores,
    weights: _Floats | None,
    labels: _Ints,
    soft: _Floats | None,
    smoothing: float,
    odds: bool,
    threads: int,
    counts: _Ints,
) -> tuple[_Floats, _Floats]: ...
def score_cells(
    scores: _Scores,
    weights: _Floats | None,
    labels: _Ints,
    soft: _Floats | None,
    threads: int,
    planes: _Floats,
) -> None: ...
def apply_curves(
    scores: _Scores,
    log_normalizer: _Floats | None,
    scale: int,
    tilt: float,
    offsets: _Ints,
    knots: _Floats,
    levels: _Floats,
    slopes: _Floats,
    threads: int,
    out: _Scores,
) -> None: ...
def bin_values(
    values: _Scores,
    outcomes: NDArray[Any],
    weights: _Floats | None,
    edges: _Floats,
    rate: float,
    right: bool,
    threads: int,
    planes: _Floats,
) -> None: ...
def log_softmax(scores: _Scores, threads: int, out: _Scores) -> None: ...
def softmax(scores: _Scores, scale: float, threads: int, out: _Scores) -> None: ...
def log_probabilities(scores: _Scores, log_floor: float, threads: int, out: _Scores) -> None: ...
def affine_rows(
    scores: _Scores,
    scale: _Floats,
    shift: _Floats,
    log_normalizer: _Floats | None,
    log_floor: float,
    normalized: bool,
    threads: int,
    out: _Scores,
) -> None: ...
def temperature_pass(
    scores: _Scores,
    beta: float,
    logits: bool,
    top: _SmallInts,
    weights: _Floats | None,
    log_floor: float,
    threads: int,
) -> tuple[float, float, float, float]: ...
def affine_pass(
    scores: _Scores,
    scale: _Floats,
    shift: _Floats,
    log_normalizer: _Floats | None,
    weights: _Floats | None,
    log_floor: float,
    threads: int,
    planes: _Floats,
) -> float: ...
def logistic_pass(
    scores: _Scores,
    slope: _Floats,
    intercept: _Floats,
    log_normalizer: _Floats | None,
    weights: _Floats | None,
    log_floor: float,
    threads: int,
    planes: _Floats,
) -> None: ...
def logistic_apply(
    scores: _Scores,
    slope: _Floats,
    intercept: _Floats,
    log_normalizer: _Floats | None,
    log_floor: float,
    threads: int,
    out: _Scores,
) -> None: ...
def uniforms(ids: NDArray[np.uint64], seed: int, replicate: int, threads: int, out: _Floats) -> None: ...
def poisson_quantiles(uniforms: _Floats, threads: int, out: _Floats) -> None: ...
def draw_labels(
    scores: _Scores, uniforms: _Floats, log_normalizer: _Floats | None, threads: int, labels: _SmallInts
) -> None: ...
def pair_weights(
    products: _Scores,
    query_norms: _Scores,
    norms: _Scores,
    log_weights: _Scores | None,
    labels: _SmallInts | None,
    kernel: int,
    scale: float,
    threads: int,
    weights: _Scores | None,
    columns: _Floats,
    by_class: _Floats | None,
) -> None: ...
