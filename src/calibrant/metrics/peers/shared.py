"""What several packages share: the top class, sums over bins, the bins of torchmetrics, the smoothing of relplot."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.peers.base import Labels, Scores

Floats = NDArray[np.float64]


def top_label(p: Scores, y: Labels) -> tuple[Scores, NDArray[np.bool_]]:
    """Return the confidence (n,) in the dtype of the scores and whether the top class is the label (n,)."""
    top = p.argmax(1)
    return p[np.arange(len(p)), top], top == y


def one_hot(y: Labels, k: int, dtype: Any = np.float64) -> Scores:
    """Return the labels as rows of zeros with a one (n, k)."""
    rows = np.zeros((len(y), k), dtype)
    rows[np.arange(len(y)), y] = 1
    return rows


class Binned(NamedTuple):
    """Rows, mean score and mean outcome of each bin (B,); 0 in bins without rows."""

    rows: Floats
    scores: Floats
    outcomes: Floats

    @property
    def gaps(self) -> Floats:
        """Absolute difference of the means (B,)."""
        return np.abs(self.outcomes - self.scores)


def binned(index: NDArray[np.integer], scores: Scores, outcomes: Any, bins: int) -> Binned:
    """Return the means over the bins that ``index`` (n,) names, summed in float64."""
    rows = np.bincount(index, minlength=bins).astype(np.float64)
    held = np.maximum(rows, 1)
    return Binned(rows, *(np.bincount(index, values, minlength=bins) / held for values in (scores, outcomes)))


# ---- torchmetrics --------------------------------------------------------------------------------------------
def torch_error(confidence: Scores, outcomes: Any, bins: int, norm: str) -> float:
    """Return the error with norm ``"l1"``, ``"l2"`` or ``"max"``, in the dtype of the scores.

    Left-closed bins between the edges of torch.linspace, and one more for what is 1 or above.
    """
    kind = confidence.dtype.type
    index = np.searchsorted(torch_linspace(bins, kind), confidence, side="right") - 1
    rows, scores, hits = (np.zeros(bins + 1, kind) for _ in range(3))
    np.add.at(rows, index, kind(1))
    np.add.at(scores, index, confidence)
    np.add.at(hits, index, np.asarray(outcomes, kind))
    held = np.maximum(rows, kind(1))
    gaps, shares = np.abs(hits / held - scores / held), rows / rows.sum()
    if norm == "max":
        return float(gaps.max())
    return float((gaps * shares).sum() if norm == "l1" else np.sqrt((gaps**2 * shares).sum()))


def torch_linspace(bins: int, kind: Any) -> Scores:
    """Return the edges as torch makes them: from both ends to the middle, each with one rounding."""
    step = Fraction(float(kind(1) / kind(bins)))
    half = (bins + 1) // 2
    edges = [step * i if i < half else 1 - step * (bins - i) for i in range(bins + 1)]
    return np.array([float(edge) for edge in edges], kind)


# ---- relplot -------------------------------------------------------------------------------------------------
def relplot_smooth_error(scores: Scores, outcomes: Floats) -> float:
    """Return smECE as relplot finds it: ten halvings for the width where width and error meet; the upper end."""
    low, high = 0.0, 1.0
    if _relplot_at(scores, outcomes, high) > high:
        return _relplot_at(scores, outcomes, high)
    for _ in range(10):
        middle = (low + high) / 2
        if middle < 0.001 or middle < _relplot_at(scores, outcomes, middle):
            low = middle
        else:
            high = middle
    return _relplot_at(scores, outcomes, high)


def _relplot_at(scores: Scores, outcomes: Floats, width: float) -> float:
    """Return the error at one width: |residuals| smoothed on a grid, averaged by density on another."""
    at = np.linspace(0, 1, max(round(10 / width), 200))
    size = max(2000, round(20 / width)) // 2 + 1
    density = _smoothed(scores, np.ones(len(scores)), width, size, at) + 1e-4
    residuals = _smoothed(scores, scores - outcomes, width, size, at) / density
    return float(np.sum(np.abs(residuals) * density) / np.sum(density))


def _smoothed(scores: Scores, values: Floats, width: float, size: int, at: Floats) -> Floats:
    """Return the values (n,) spread over a grid, smoothed by a reflected Gaussian, at the points ``at``."""
    place = scores * (size - 1)
    left = place.astype(int).clip(0, size - 2)
    part = place - left
    grid = np.zeros(size)
    np.add.at(grid, left, (1 - part) * values)
    np.add.at(grid, left + 1, part * values)
    far = np.linspace(0, 1, size) - 0.5
    kernel = np.exp(-(far**2) / (2 * width**2)) / (np.sqrt(2 * np.pi) * width)
    reflected = np.concatenate([grid[:0:-1], grid, grid[-2::-1]])
    smooth = np.convolve(reflected, kernel, "valid")[size // 2 : size // 2 + size]
    step = 1 / (size - 1)
    cell = (at * (size - 1)).astype(int).clip(0, size - 2)
    rest = (at - cell * step) / step
    return np.asarray(smooth[cell] * (1 - rest) + smooth[cell + 1] * rest)
