"""What every calibrator and every map share: the checks, the record of the fit, saving and loading.

A `Calibrator` is its choices; ``fit`` checks the batch, drops rows of weight zero and calls ``learn``. A
`CalibrationMap` is what was learnt; calling it on a batch gives the batch with repaired scores.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import typing
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from calibrant import persistence, registry
from calibrant.calibrators.typed_fields import typed
from calibrant.errors import CapabilityError, ConvergenceWarning, DataError, UnknownMethod, require, sentence
from calibrant.formulas import NUMPY, TINY, TOGETHER, Ops, softmax
from calibrant.predictions import Kind, Predictions, as_predictions
from calibrant.provenance import Provenance
from calibrant.solvers.chunk_sources import Source, joined_if_few
from calibrant.solvers.chunks import ChunkedRows
from calibrant.solvers.rows import log_probabilities
from calibrant.solvers.zeros import kept_positive, without_zeros

Scores = NDArray[np.floating]

_BLOCK = 1 << 17  # entries of the float64 temporaries of a formula: 1 MB each


@dataclass(frozen=True, kw_only=True, eq=False)
class FitRecord:
    """How a map was learnt: the spec, the shape, the rows, and whether the optimum was certified."""

    spec: str
    k: int
    classes: tuple[str, ...] | None
    rows: int
    fitted_on: str
    row_keys: NDArray[np.uint64] | None
    converged: bool = True
    iterations: int = 0
    message: str = ""
    library: str = ""

    def __post_init__(self) -> None:
        require(self.k >= 2 and self.rows >= 1, "record", "tell of two classes and one row at least")
        named = self.classes is None or (len(self.classes) == self.k and all(isinstance(c, str) for c in self.classes))
        require(named, "classes", f"name the {self.k} classes", self.classes)
        keyed = self.row_keys is None or self.row_keys.ndim == 1
        require(keyed, "row_keys", "be one column", None if self.row_keys is None else self.row_keys.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationMap(ABC):
    """A learnt map from predictions to predictions: arrays and numbers, savable without pickle.

    A subclass is a frozen dataclass whose fields are arrays (saved as tensors), JSON values and other maps, checks them
    in ``__post_init__`` and implements ``formula``; ``transform`` too, where a kernel is faster than the formula.
    ``floor`` stands for exact zeros; ``gives`` says what the formula returns: logits become probabilities by a softmax.
    """

    record: FitRecord
    floor: float = TINY
    gives: ClassVar[Kind] = "probability"

    @abstractmethod
    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the repaired probabilities or logits (n, k), from finite log-probabilities (n, k)."""

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the repaired scores (n, k), a new array, and their kind: the formula, on blocks of rows."""
        batch = without_zeros(predictions, self.floor)
        kind: Kind = self.gives if batch.logits else "probability"
        out, step = np.empty_like(batch.scores), TOGETHER * max(1, _BLOCK // (TOGETHER * batch.k))
        for start in range(0, len(batch), step):
            rows = slice(start, start + step)
            found = self.repaired(batch, rows)
            out[rows] = found if kind == self.gives else softmax(NUMPY, found)
        return (out if kind == "logit" else kept_positive(out)), kind

    def repaired(self, batch: Predictions, rows: slice) -> NDArray[np.float64]:
        """Return what the formula gives for some rows of a batch without exact zeros."""
        return np.asarray(self.formula(NUMPY, log_probabilities(batch, rows)))

    @property
    def dimensions(self) -> int:
        """Number of features that the formula takes beside the log-probabilities: none but for a `FeatureMap`."""
        return 0

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of fitted numbers; ties between maps go to the smaller."""

    def __call__(self, predictions: Predictions) -> Predictions:
        """Return the batch with repaired scores; everything else comes along.

        Raises
        ------
        DataError : if the number, the names or the order of the classes differ from those of the fit.
        """
        self._check_classes(predictions)
        scores, kind = self.transform(predictions)
        record = self.record
        seen = Provenance(fitted_on=record.fitted_on, fitted_keys=record.row_keys, applied_to=predictions.fingerprint)
        return predictions.rescored(scores, kind, seen)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the map to one file; `load` gives back an equal map, bit for bit."""
        header, arrays = _packed(self, "")
        return persistence.write_record(path, header, arrays)

    def _check_classes(self, predictions: Predictions) -> None:
        k, classes = self.record.k, self.record.classes
        require(predictions.k == k, "predictions", f"have the {k} classes of the map", f"{predictions.k} classes")
        if classes is None or predictions.classes is None or predictions.classes == classes:
            return
        column = next(i for i, pair in enumerate(zip(predictions.classes, classes, strict=True)) if pair[0] != pair[1])
        condition = f"be in the order of the map, {classes[column]!r} in column {column}"
        way_out = "reorder the columns to the map's classes"
        raise DataError(sentence("classes", condition, repr(predictions.classes[column]), way_out=way_out))


class Calibrator(ABC):
    """Choices for learning a map; a subclass is a registered frozen dataclass that implements ``learn``."""

    entry: ClassVar[registry.Entry]

    @abstractmethod
    def learn(self, predictions: Predictions) -> CalibrationMap:
        """Return the map learnt from a checked batch with labels and without rows of weight zero."""

    def learn_batches(self, batches: Source) -> CalibrationMap:
        """Return the map learnt from batches that are read again for each pass; declared by ``fits_batches``."""
        del batches
        way_out = "pass all rows as one batch, or choose a calibrator that fits batches, such as temperature"
        raise CapabilityError(sentence("calibrator", "fit batches", self.entry.name, way_out=way_out))

    def fit(self, predictions: Predictions | Source) -> CalibrationMap:
        """Return the map learnt from one batch, or from batches that can be read more than once.

        Raises
        ------
        CapabilityError : if the method does not suit the batch or batches; the sentence says why.
        """
        if isinstance(predictions, Iterable):
            able = self.entry.capabilities.fits_batches
            few = joined_if_few(predictions) if able else None
            learnt = self.learn_batches(predictions) if few is None else self._fit_batch(few)
        else:
            learnt = self._fit_batch(as_predictions(predictions))
        if not learnt.record.converged:
            told_why = f"{self.entry.name} did not converge: {learnt.record.message}"
            warnings.warn(told_why, ConvergenceWarning, stacklevel=2)
        return learnt

    def _fit_batch(self, predictions: Predictions) -> CalibrationMap:
        self.check(predictions)
        learnt = self.learn(predictions.without_absent_rows())
        told = dataclasses.replace(learnt.record, fitted_on=predictions.fingerprint)
        return dataclasses.replace(learnt, record=told)

    def check(self, predictions: Predictions) -> None:
        """Raise ``CapabilityError`` if the method does not suit the batch."""
        reason = self.declines(as_predictions(predictions))
        if reason:
            raise CapabilityError(reason)

    def declines(self, predictions: Predictions) -> str:
        """Return why the method does not suit the batch, as a sentence, or the empty string."""
        able, name = self.entry.capabilities, self.entry.name
        if predictions.labels is None:
            return sentence("predictions", f"have labels to fit {name}", way_out="pass labels=")
        if predictions.soft and not able.supports_soft_labels:
            return sentence("labels", f"be hard for {name}", "soft labels", way_out="choose another calibrator")
        if predictions.weights is not None and not able.supports_weights:
            return sentence("predictions", f"have no weights for {name}", way_out="choose another calibrator")
        if able.needs_features and predictions.features is None:
            return sentence("predictions", f"have features for {name}", way_out="pass features=")
        if able.binary_only and predictions.k != 2:
            return sentence("predictions", f"have two classes for {name}", f"{predictions.k} classes")
        return ""

    def fit_record(self, predictions: Predictions | ChunkedRows, **outcome: Any) -> FitRecord:
        """Return the record of a fit on these rows; ``outcome`` holds ``converged, iterations, message``."""
        return FitRecord(
            spec=registry.spec_of(self),
            k=predictions.k,
            classes=predictions.classes,
            rows=len(predictions),
            fitted_on=predictions.fingerprint,
            row_keys=None if predictions.ids is None else predictions.row_keys,
            library=_library_version(),
            **outcome,
        )


def calibrator(spec: str | Calibrator) -> Calibrator:
    """Return the calibrator of a spec string, or the object itself."""
    if isinstance(spec, Calibrator):
        return spec
    require(isinstance(spec, str), "calibrator", "be a spec string or a calibrator", type(spec).__name__)
    built: Calibrator = registry.create("calibrator", spec)
    return built


def fit(predictions: Predictions | Source, spec: str | Calibrator) -> CalibrationMap:
    """Return the map that a calibrator learns: ``fit(predictions, "temperature")``.

    ``predictions`` are one batch or, for a calibrator that declares ``fits_batches``, a list or another iterable of
    batches that is read once for each pass: scores larger than memory.
    """
    return calibrator(spec).fit(predictions)


def load(path: str | os.PathLike[str]) -> CalibrationMap:
    """Return the map saved at a path; ``DataError`` for a damaged, unknown or hostile file."""
    header, arrays = persistence.read_record(path)
    try:
        return _unpacked(header, arrays, "")
    except UnknownMethod as error:
        raise DataError(f"map file {str(path)!r}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(sentence(f"map file {str(path)!r}", "hold a valid map", str(error))) from None


@functools.cache
def _library_version() -> str:
    return metadata.version("calibrant")


def _packed(learnt: CalibrationMap, prefix: str) -> tuple[dict[str, Any], persistence.Arrays]:
    """Return the header and the arrays of a map; the maps that it holds have headers and prefixes of their own."""
    header: dict[str, Any] = {"name": registry.parse(learnt.record.spec)[0], "map": {}, "record": {}, "held": {}}
    arrays: persistence.Arrays = {}
    for part, values in (("map", _fields(learnt)), ("record", _fields(learnt.record))):
        for name, value in values.items():
            held = _held(value)
            if isinstance(value, np.ndarray):
                arrays[f"{prefix}{part}.{name}"] = value
            elif held:
                packed = [_packed(one, f"{prefix}{name}.{i}.") for i, one in enumerate(held)]
                header["held"][name] = [one for one, _ in packed]
                for _, of_one in packed:
                    arrays.update(of_one)
            else:
                header[part][name] = value
    return header, arrays


def _unpacked(header: dict[str, Any], arrays: persistence.Arrays, prefix: str) -> CalibrationMap:
    entry = registry.lookup("calibrator", str(header["name"]))
    record = FitRecord(**_part(FitRecord, header["record"], arrays, f"{prefix}record."))
    learner = registry.create("calibrator", record.spec)
    require(learner.entry.name == entry.name, "spec", f"be one of {entry.name}", repr(record.spec))
    factory, values = _map_type(entry), dict(header["map"])
    for name, held in header["held"].items():
        maps = tuple(_unpacked(one, arrays, f"{prefix}{name}.{i}.") for i, one in enumerate(held))
        values[name] = maps if typing.get_origin(typing.get_type_hints(factory)[name]) is tuple else maps[0]
    return factory(record=record, **_part(factory, values, arrays, f"{prefix}map."))


def _held(value: Any) -> tuple[CalibrationMap, ...]:
    """Return the maps in a field: itself, or all of a tuple."""
    several = value if isinstance(value, tuple) else (value,)
    return several if all(isinstance(one, CalibrationMap) for one in several) else ()


def _fields(part: Any) -> dict[str, Any]:
    return {f.name: getattr(part, f.name) for f in dataclasses.fields(part) if f.name != "record"}


def _map_type(entry: registry.Entry) -> type[CalibrationMap]:
    """The map class of a calibrator is the return annotation of its ``learn``."""
    hint: type[CalibrationMap] = typing.get_type_hints(entry.factory.learn)["return"]  # type: ignore[attr-defined]
    return hint


def _part(factory: type, known: dict[str, Any], arrays: persistence.Arrays, prefix: str) -> dict[str, Any]:
    """Return the fields of a record, each of the type that the dataclass says."""
    values = dict(known)
    values.update({f.name: arrays[prefix + f.name] for f in dataclasses.fields(factory) if prefix + f.name in arrays})
    hints = typing.get_type_hints(factory)
    wanted = {f.name for f in dataclasses.fields(factory) if f.name != "record"}
    if set(values) != wanted:
        raise ValueError(f"fields {sorted(set(values) ^ wanted)} do not fit")
    return {name: typed(name, value, hints[name]) for name, value in values.items()}
