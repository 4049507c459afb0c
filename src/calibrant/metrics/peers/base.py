"""What a peer computes, in a frozen record, and the measure that computes the same.

A peer function takes probabilities (n, k) as they came, hard labels (n,), the number of bins (None for none), and
if it looks `on_features`, features (n, d). It returns the number that the package returns; where that raises, it raises
`PeerRaises`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import CapabilityError, is_whole, require, sentence
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.local_choices import LocalRows
from calibrant.predictions import Predictions
from calibrant.statistics import Collected

Scores = NDArray[np.floating]
Labels = NDArray[np.int64]
PeerFunction = Callable[..., float]


class PeerRaises(Exception):
    """The package raises an error on this input; the text says which, and when."""


@dataclass(frozen=True, kw_only=True)
class PeerDefinition:
    """What a package computes under the name of one of our measures.

    Attributes
    ----------
    measure : our name. package, version : theirs.
    call : the call that is reproduced, with its defaults; ``BINS`` stands for the number of bins.
    differs : sentences, what differs from our measure by design. faults : sentences, what is known to be wrong.
    function : the same number from probabilities, labels and bins. bins : the default of the package; None: no bins.
    rounding : largest difference to the package, from its arithmetic: 1e-12 in float64, more where it uses float32.
    rounding_single : the same for float32 scores; packages that sum in the type of the scores are off by a few
        roundings of 6e-8, times the gaps.
    on_features : whether the function takes features too; such code is transcribed and was not run to be recorded.
    """

    measure: str
    package: str
    version: str
    call: str
    differs: tuple[str, ...]
    function: PeerFunction
    faults: tuple[str, ...] = ()
    bins: int | None = None
    rounding: float = 1e-12
    rounding_single: float = 2e-6
    on_features: bool = False

    @property
    def spec(self) -> str:
        """The spec string of the measure that computes the same."""
        return f"{self.measure}(like={self.package!r})"

    def called(self, bins: int | None = None) -> str:
        """Return the call with its number of bins, by default the package's own."""
        return self.call.replace("BINS", str(self.bins if bins is None else bins))

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record."""
        names = ("measure", "package", "version", "spec", "bins", "rounding", "rounding_single")
        record = {name: getattr(self, name) for name in names}
        return {**record, "call": self.called(), "differs": list(self.differs), "faults": list(self.faults)}


@dataclass(frozen=True, kw_only=True)
class PeerMeasure(CollectedMeasure):
    """A measure as another package computes it, faults included; for comparison, not for use.

    It needs all rows at once, knows hard labels and equal weights only, and has no interval. Where the package raises,
    the value is NaN and a note says what it raises.
    """

    definition: PeerDefinition
    bins: int | None = None

    bootstraps = False
    bounds = (-np.inf, np.inf)
    perfect = None
    repeats = False

    def __post_init__(self) -> None:
        if self.bins is None:
            return
        has = "be left out: this one has no bins" if self.definition.bins is None else "be a whole number from 1 on"
        require(self.definition.bins is not None and is_whole(self.bins) and self.bins > 0, "bins", has, self.bins)

    @property
    def name(self) -> str:
        """The name of our measure."""
        return self.definition.measure

    @property
    def spec(self) -> str:
        """The spec string, with the number of bins where it is not the package's own."""
        told = "" if self.bins in (None, self.definition.bins) else f", bins={registry.literal(self.bins)}"
        return f"{self.definition.spec[:-1]}{told})"

    @property
    def estimand(self) -> str:
        """None of its own: the number is for comparison with another package."""
        return f"what {self.definition.package} {self.definition.version} computes"

    def measured(self, rows: Predictions) -> Measured:
        """Return the number, NaN where the package raises; ``CapabilityError`` for soft labels or unequal weights."""
        self._check(rows)
        value, silent = self._called(rows)
        return Measured(value, {}, (*silent, *self._told()))

    @property
    def gathering(self) -> Hashable:
        """Equal for all measures that keep the rows, with their features or without."""
        return "collected rows with features" if self.definition.on_features else "collected rows"

    def sums(self, predictions: Predictions) -> Collected:
        """Return the rows of one batch; ``DataError`` if it has no features where they are needed."""
        given = predictions.features is not None or not self.definition.on_features
        require(given, "predictions", f"have features for {self.spec}", way_out="pass features=")
        return LocalRows((predictions,)) if self.definition.on_features else Collected((predictions,))

    def _check(self, rows: Predictions) -> None:
        hard, w = "be hard, one class a row", rows.weights
        if rows.soft:
            raise CapabilityError(sentence(f"labels for {self.spec}", hard, way_out="the package knows no others"))
        if w is not None and not bool((w == w[0]).all()):
            way_out = "the package knows none; leave them out"
            raise CapabilityError(sentence(f"weights for {self.spec}", "be equal", way_out=way_out))

    def _called(self, rows: Predictions) -> tuple[float, tuple[str, ...]]:
        package, bins = self.definition.package, self.definition.bins if self.bins is None else int(self.bins)
        try:
            features = (rows.features,) if self.definition.on_features else ()
            value = float(self.definition.function(rows.probabilities, rows.hard_labels, bins, *features))
        except PeerRaises as error:
            return np.nan, (f"{package} raises {error}",)
        return value, (f"{package} gives no number here",) if np.isnan(value) else ()

    def _told(self) -> tuple[str, ...]:
        peer = self.definition
        first = f"as {peer.package} {peer.version} computes it: {peer.called(self.bins)}"
        return (first, *peer.differs, *(f"known fault: {fault}" for fault in peer.faults))
