"""A table of what each class gets, what it deserves and how its rows fare; and the same by head, middle and tail.

Classes differ: a mean over all of them hides the few that are wrong. The worst of many classes looks bad by chance, so
it is judged by the largest error among all classes that a perfectly calibrated model with the same scores would show
(labels redrawn from the probabilities, as Broecker and Smith, 2007, do for one curve), not by an interval of its own.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.estimate import strict
from calibrant.metrics.calibration_error import CalibrationError
from calibrant.metrics.row_blocks import Rows, slices
from calibrant.metrics.tests.redraw import redrawn
from calibrant.predictions import Predictions, as_predictions
from calibrant.scoring import ZeroOne

Floats = NDArray[np.float64]
_BANDS = ("head", "middle", "tail")
_SHOWN = 20  # classes in a notebook


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassColumns:
    """One number a class, or a band of classes, in each column (m,); NaN where no row tells it.

    ``rows`` weight of the rows with the label · ``predicted`` weight of the rows predicted · ``mean_probability`` and
    ``base_rate`` what the class gets and how often it occurs, over all rows · ``error`` class-wise calibration error
    over 15 equal-width bins (`sce`) · ``top_label_gap`` accuracy less mean confidence of the rows predicted, negative
    where over-confident · ``recall`` and ``precision`` · ``log_loss`` mean over the rows with the label, in nats.
    """

    rows: Floats
    predicted: Floats
    mean_probability: Floats
    base_rate: Floats
    error: Floats
    top_label_gap: Floats
    recall: Floats
    precision: Floats
    log_loss: Floats

    def record(self, i: int) -> dict[str, float]:
        """Return the numbers of entry i by name."""
        return {f.name: float(getattr(self, f.name)[i]) for f in fields(self)}


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassTable:
    """The columns by class (k,) and by band of class frequency.

    Attributes
    ----------
    names : of the classes. columns : one number a class in each column.
    bands : ``head``, ``middle`` and ``tail``: the classes in the order of their rows with the label, the most frequent
        first and equal ones as the columns stand, cut into thirds (the first thirds hold one more where k is no
        multiple of 3; with two classes there is no tail). members : the classes of each band.
    of_bands : one number a band. Rows, shares and log loss are of the band's rows taken together, the top-label gap of
        all rows predicted to be of its classes; error, recall and precision are means over its classes.
    worst : the class of the largest error. null, null_high : mean and ``level`` quantile of the *largest* error over
        all classes for a perfectly calibrated model with the same scores, and ``p_value`` the chance that it reaches
        the worst; None for soft labels, whose noise is unknown. This is fair to the choice of the worst class; the
        errors of single classes have no simultaneous interval here.
    """

    names: tuple[str, ...]
    columns: ClassColumns
    bands: tuple[str, ...]
    members: tuple[NDArray[np.int64], ...]
    of_bands: ClassColumns
    worst: int
    level: float
    null: float | None = None
    null_high: float | None = None
    p_value: float | None = None

    @property
    def verdict(self) -> str:
        """The worst class in a sentence, with the yardstick that is fair to its choice."""
        said = f"worst class: {self.names[self.worst]}, error {self.columns.error[self.worst]:.4g}"
        if self.null_high is None:
            return f"{said}; chosen after looking, and no yardstick for soft labels"
        yardstick = f"the largest of all {len(self.names)} stays under {self.null_high:.4g}"
        return f"{said}; for a calibrated model {yardstick} in {self.level:.0%} of cases (mean {self.null:.4g})"

    def to_dict(self) -> dict[str, Any]:
        """Return the strict-JSON record: classes and bands as lists of rows."""
        classes = [{"class": name, **strict(self.columns.record(i))} for i, name in enumerate(self.names)]
        bands = [
            {"band": name, "classes": [self.names[c] for c in members], **strict(self.of_bands.record(i))}
            for i, (name, members) in enumerate(zip(self.bands, self.members, strict=True))
        ]
        null = {"null": self.null, "null_high": self.null_high, "p_value": self.p_value, "level": self.level}
        return {"classes": classes, "bands": bands, "worst": self.names[self.worst], **null, "verdict": self.verdict}

    def __repr__(self) -> str:
        return f"ClassTable({len(self.names)} classes; {self.verdict})"

    def _repr_html_(self) -> str:
        order = np.argsort(-self.columns.error, kind="stable")[:_SHOWN].tolist()
        head = "".join(f"<th>{f.name.replace('_', ' ')}</th>" for f in fields(ClassColumns))
        bands = [_html_row(name, self.of_bands.record(i)) for i, name in enumerate(self.bands)]
        classes = [_html_row(self.names[c], self.columns.record(c)) for c in order]
        rest = len(self.names) - len(order)
        more = f"<p>{rest} other classes have smaller errors.</p>" if rest else ""
        body = "".join(bands + classes)
        return f"<p>{html.escape(self.verdict)}</p><table><tr><th></th>{head}</tr>{body}</table>{more}"


def class_table(
    predictions: Predictions, *, replicates: int = 200, level: float = 0.95, seed: int = 0, bins: int = 15
) -> ClassTable:
    """Return the table of one labelled batch.

    Parameters
    ----------
    predictions : labelled, hard or soft, weighted or not; all rows at once, for the yardstick redraws their labels.
    replicates : of the redrawn labels, each O(n + k bins); 0 leaves the yardstick out.
    level : of the yardstick. seed : of the redrawn labels. bins : equal-width bins of the class-wise error.

    Raises
    ------
    DataError : without labels, or for a level outside (0, 1).
    """
    labelled = as_predictions(predictions).labels is not None
    require(labelled, "predictions", "have labels to be measured", way_out="pass labels=")
    require(is_whole(replicates) and replicates >= 0, "replicates", "be a whole number of at least 0", replicates)
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    metric = CalibrationError(notion="class_wise", bins=bins, preset="sce")
    batch = predictions.without_absent_rows()
    columns = _columns(batch, cast(Floats, metric(batch).per_class))
    order = np.argsort(-columns.rows, kind="stable")
    members = tuple(part for part in np.array_split(order, len(_BANDS)) if len(part))
    worst = int(np.argmax(columns.error))
    return ClassTable(
        names=batch.class_labels,
        columns=columns,
        bands=_BANDS[: len(members)],
        members=members,
        of_bands=_of_bands(columns, members),
        worst=worst,
        level=level,
        **_yardstick(metric, batch, columns.error[worst], replicates, level, seed),
    )


def _columns(batch: Predictions, error: Floats) -> ClassColumns:
    k, w, summary = batch.k, batch.row_weights, batch.summary
    rows, losses = _label_sums(batch)
    correct = ZeroOne().rows(batch)
    predicted, hits, said = (_by_class(summary.top, v, k) for v in (w, w * correct, w * summary.confidence))
    return ClassColumns(
        rows=rows,
        predicted=predicted,
        mean_probability=batch.class_totals / w.sum(),
        base_rate=rows / w.sum(),
        error=error,
        top_label_gap=_ratio(hits - said, predicted),
        recall=_ratio(hits, rows),
        precision=_ratio(hits, predicted),
        log_loss=_ratio(losses, rows),
    )


def _label_sums(batch: Predictions) -> tuple[Floats, Floats]:
    """Return the weight of the labels and their summed log loss, by class (k,)."""
    w, k = batch.row_weights, batch.k
    if not batch.soft:
        loss = -cast(Floats, batch.summary.label_log_probability)
        return _by_class(batch.hard_labels, w, k), _by_class(batch.hard_labels, w * loss, k)
    labels, losses = cast(Floats, batch.labels), np.zeros(k)
    for rows in slices(*batch.scores.shape):
        with np.errstate(divide="ignore", invalid="ignore"):
            loss = -labels[rows] * np.log(Rows(batch).probabilities(rows))
        losses += w[rows] @ np.where(labels[rows] > 0, loss, 0.0)
    return w @ labels, losses


def _of_bands(columns: ClassColumns, members: tuple[NDArray[np.int64], ...]) -> ClassColumns:
    def sums(values: Floats) -> Floats:
        return np.array([values[band].sum() for band in members])

    def means(values: Floats) -> Floats:
        known = np.isfinite(values)
        return _ratio(sums(np.where(known, values, 0.0)), sums(known.astype(np.float64)))

    rows, predicted = sums(columns.rows), sums(columns.predicted)
    gaps = np.where(columns.predicted > 0, columns.top_label_gap * columns.predicted, 0.0)
    losses = np.where(columns.rows > 0, columns.log_loss * columns.rows, 0.0)
    return ClassColumns(
        rows=rows,
        predicted=predicted,
        mean_probability=sums(columns.mean_probability),
        base_rate=sums(columns.base_rate),
        error=means(columns.error),
        top_label_gap=_ratio(sums(gaps), predicted),
        recall=means(columns.recall),
        precision=means(columns.precision),
        log_loss=_ratio(sums(losses), rows),
    )


def _yardstick(
    metric: CalibrationError, batch: Predictions, worst: float, replicates: int, level: float, seed: int
) -> dict[str, float]:
    """Return mean and quantile of the largest error under redrawn labels, and the p-value of the worst class."""
    if batch.soft or not replicates:
        return {}
    largest = np.array(list(_largest(metric, batch, replicates, seed)))
    reached = 1 + int((largest >= worst - 1e-12).sum())  # sums in another order differ by rounding
    high = float(np.quantile(largest, level, method="inverted_cdf"))
    return {"null": float(largest.mean()), "null_high": high, "p_value": reached / (replicates + 1)}


def _largest(metric: CalibrationError, batch: Predictions, replicates: int, seed: int) -> Iterator[float]:
    """Yield the largest class-wise error for labels redrawn from the probabilities."""
    known = metric.sums(batch)
    for labels in redrawn(batch, replicates, seed, together="class"):
        sums = metric.relabelled_sums(known, batch.relabelled(labels.astype(np.int64)))
        yield float(cast(Floats, metric.estimate(sums).per_class).max())


def _by_class(classes: NDArray[Any], values: Floats, k: int) -> Floats:
    return np.bincount(classes, values, minlength=k).astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))


def _html_row(name: str, record: dict[str, float]) -> str:
    cells = "".join("<td>–</td>" if np.isnan(value) else f"<td>{value:.4g}</td>" for value in record.values())
    return f"<tr><th>{html.escape(name)}</th>{cells}</tr>"
