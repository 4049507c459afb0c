"""What a net is trained on, and what training leaves: arrays, so that torch is needed in between and nowhere else.

Rows stand in an order of their own, by their keys: a fit then does not depend on the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class NetRows:
    """The rows of a fit.

    ``inputs`` (n, d) is what the hidden layer reads and ``coordinates`` (n, q) the space in which neighbours are
    sought; ``log_p`` (n, k) are log-probabilities to start from, ``trust`` (n,) in [0, 1] how far a correction is
    trusted, ``weights`` (n,) have mean 1, ``fold`` (n,) is 0..folds-1.
    """

    inputs: Floats
    coordinates: Floats
    log_p: Floats
    labels: NDArray[Any]
    weights: Floats
    fold: NDArray[np.int64]
    trust: Floats

    @property
    def k(self) -> int:
        """Number of classes."""
        return int(self.log_p.shape[1])

    @property
    def folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    @property
    def label_mass(self) -> Floats:
        """The labels as soft labels (n, k)."""
        return self.labels if self.labels.ndim == 2 else np.eye(self.k)[self.labels]


class Training(NamedTuple):
    """How long and from where a net is trained: hidden units, most epochs, and the seed."""

    hidden: int
    epochs: int
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Net:
    """relu(inputs @ hidden_weights + hidden_bias) with its heads: m scales, one shift and one slope a class.

    ``hidden_weights`` (d, h), ``hidden_bias`` (h,), ``scale_weights`` (h, m), ``scale_bias`` (m,), ``shift_weights``
    (h, k), ``shift_bias`` (k,), ``slopes`` (k,).
    """

    hidden_weights: Floats
    hidden_bias: Floats
    scale_weights: Floats
    scale_bias: Floats
    shift_weights: Floats
    shift_bias: Floats
    slopes: Floats

    @classmethod
    def none(cls, d: int, k: int) -> Net:
        """Return the net without hidden units, which changes nothing."""
        return cls(
            hidden_weights=np.zeros((d, 0)),
            hidden_bias=np.zeros(0),
            scale_weights=np.zeros((0, 1)),
            scale_bias=np.zeros(1),
            shift_weights=np.zeros((0, k)),
            shift_bias=np.zeros(k),
            slopes=np.ones(k),
        )


class Curves(NamedTuple):
    """Figures by epoch (epochs, columns), and the name of each column."""

    names: tuple[str, ...]
    values: Floats


class Trained(NamedTuple):
    """A net, its curves, the epoch that was kept, and whether training ended before its last epoch."""

    net: Net
    curves: Curves
    epoch: int
    settled: bool


def canonical(predictions: Predictions) -> Predictions:
    """Return the batch in an order that does not depend on that of its rows: by key, then by scores and features."""
    assert predictions.features is not None
    first = predictions.scores[:, 0], predictions.features[:, 0]
    return predictions.take(np.lexsort((*first, predictions.row_keys)))
