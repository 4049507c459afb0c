"""The map of the feature space: where the classifier is right less, or more, often than it says.

The space is projected on the first two principal axes of the rows and cut into square cells; each shows the mean local
gap of its rows. A cell is beyond chance where its gap is larger than those of a calibrated model with the same scores
and features, all cells together: gaps of near cells go together, so labels are redrawn, and no cell is judged alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.plot import surroundings
from calibrant.plot.surroundings import Surroundings
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_MOST, _FEWEST = 36, 12  # cells across
_ROWS = 3  # of a cell, on average over the square
_TAIL = 0.005  # of the rows at each end of an axis that may lie beyond the map
_OUTLINED = 5
_INSIDE = 0.75  # of the rows of a region are in its ellipse
_TURN = np.linspace(0, 2 * np.pi, 73)
_FLAT, _TALL = 0.55, 1.25  # height of the map over its width


class Outline(NamedTuple):
    """A region on the map: its place in the list, its number by badness, and the ellipse (2, 73) of most its rows."""

    place: int
    number: int
    ellipse: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class LocalMap:
    """Cells of the projected space that hold rows, (m,) each.

    Attributes
    ----------
    x, y : centres of the cells. side : of a cell, in the units of the space.
    limits : ((low, high), (low, high)) of the map; rows beyond are put at its edge.
    gaps : mean local gap, being right minus the confidence.
    rows : rows of the cell. effective_size : mean number of rows that their gaps rest on.
    beyond : whether the gap is beyond chance, all cells together at ``level``; none where not ``banded``.
    explained : (2,) share of the variance of the space along each axis.
    outlines : of the worst regions, those that are beyond chance.
    n : rows.
    """

    x: Floats
    y: Floats
    side: float
    limits: tuple[tuple[float, float], tuple[float, float]]
    gaps: Floats
    rows: Ints
    effective_size: Floats
    beyond: NDArray[np.bool_]
    level: float
    explained: Floats
    outlines: tuple[Outline, ...]
    n: int
    banded: bool = True


def prepare(
    predictions: Predictions, *, level: float = 0.95, replicates: int = 200, seed: int = 0, **choices: Any
) -> LocalMap:
    """Return the map of labelled predictions with features.

    Parameters
    ----------
    level : at which no cell, and no region, of a calibrated model is called beyond chance.
    replicates, seed : of the redrawn labels.
    choices : ``space, dimensions, standardise, kernel, bandwidth, ess`` as in the measure `lce`.

    Raises
    ------
    DataError : without labels or features, or where no feature varies.
    """
    made = surroundings.prepare(predictions, level=level, replicates=replicates, seed=seed, **choices)
    return of(made)


def of(made: Surroundings, outlined: tuple[int, ...] | None = None) -> LocalMap:
    """Return the map of what is around each row; ``outlined`` are regions, by their places, by default the worst."""
    plane = _Plane.of(made)
    used = ~np.isnan(made.gaps)
    cells, cell = np.unique(plane.cell[used], return_inverse=True)
    w, count = made.batch.row_weights[used], len(cells)
    share = w / np.bincount(cell, w)[cell]
    told = np.vstack([made.gaps, made.found.effective_size, made.drawn_gaps])[:, used]
    gaps, sizes, *rest = (np.bincount(cell, share * each, count).astype(np.float64) for each in told)
    drawn = np.array(rest)  # (R, m)
    column, row = cells % plane.across, cells // plane.across
    (left, _), (bottom, _) = plane.limits
    return LocalMap(
        x=np.asarray(left + plane.side * (column + 0.5)),
        y=np.asarray(bottom + plane.side * (row + 0.5)),
        side=plane.side,
        limits=plane.limits,
        gaps=gaps,
        rows=np.bincount(cell),
        effective_size=sizes,
        beyond=_beyond(gaps, drawn, sizes, made.found.level) if made.banded else np.zeros(count, np.bool_),
        level=made.found.level,
        explained=plane.explained,
        outlines=_outlines(made, plane.points, _worst(made) if outlined is None else outlined),
        n=len(made.gaps),
        banded=made.banded,
    )


class _Plane(NamedTuple):
    """The rows on the two axes (n, 2), their cells (n,) among ``across`` a row, and the frame of the map."""

    points: Floats
    cell: Ints
    across: int
    side: float
    limits: tuple[tuple[float, float], tuple[float, float]]
    explained: Floats

    @classmethod
    def of(cls, made: Surroundings) -> _Plane:
        points, explained = _projected(made.found.coordinates, made.batch.row_weights)
        low, high = np.quantile(points, [_TAIL, 1 - _TAIL], axis=0)
        middle, length = (low + high) / 2, np.maximum(high - low, 0.0) * 1.04
        width = max(float(length[0]), float(length[1]) / _TALL) or 1.0
        across = int(np.clip(np.sqrt(len(points) / _ROWS), _FEWEST, _MOST))
        side = width / across
        up = int(np.ceil(max(float(length[1]), _FLAT * width) / side - 1e-9))
        frame = np.array([across, up])
        start = middle - side * frame / 2
        at = np.clip(np.floor((points - start) / side), 0, frame - 1).astype(np.int64)  # (n, 2)
        limits = tuple((float(a), float(a + side * b)) for a, b in zip(start, frame, strict=True))
        return cls(points, at[:, 0] + across * at[:, 1], across, side, (limits[0], limits[1]), explained)


def _projected(z: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return coordinates (n, 2) on the principal axes of rows (n, d), and the share of the variance of each (2,)."""
    share = weights / weights.sum()
    centred = z - share @ z
    values, vectors = np.linalg.eigh((centred * share[:, None]).T @ centred)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # the same rows, the same map
    points, explained = np.zeros((len(z), 2)), np.zeros(2)
    points[:, : axes.shape[1]] = centred @ axes
    explained[: axes.shape[1]] = np.maximum(values[::-1][:2], 0) / max(values.sum(), np.finfo(float).tiny)
    return points, explained


def _beyond(gaps: Floats, drawn: Floats, sizes: Floats, level: float) -> NDArray[np.bool_]:
    """Return which gaps (m,) are larger than those of redrawn labels (R, m), all together.

    Gaps are compared in standard deviations, to which the step of one error is added: where the model is nearly sure, a
    single error is many standard deviations, and such cells alone would decide for all.
    """
    scale = drawn.std(0) + 1 / np.maximum(sizes, 1)
    limit = np.quantile(np.abs(drawn / scale).max(1), level, method="higher")
    return np.asarray(np.abs(gaps) / scale > limit + 1e-9)  # rounding of sums is not evidence


def _worst(made: Surroundings) -> tuple[int, ...]:
    found = made.found
    return tuple(place for place in surroundings.ranked(found)[:_OUTLINED] if found.regions[place].sure > 0)


def _outlines(made: Surroundings, points: Floats, wanted: tuple[int, ...]) -> tuple[Outline, ...]:
    """Return the regions that have a place in the space, numbered as wanted; groups have none."""
    return tuple(
        Outline(place, i + 1, _ellipse(points[inside], made.batch.row_weights[inside]))
        for i, place in enumerate(wanted)
        if made.found.regions[place].kind == "cluster"
        for inside in (surroundings.members(made, made.found.regions[place]),)
    )


def _ellipse(points: Floats, weights: Floats) -> Floats:
    """Return the ellipse (2, 73) of the shape of the rows (m, 2) that holds most of them."""
    share = weights / weights.sum()
    centre = share @ points
    values, vectors = np.linalg.eigh(((points - centre) * share[:, None]).T @ (points - centre))
    spread = np.sqrt(np.maximum(values, np.finfo(float).tiny))
    distance = np.sqrt((((points - centre) @ vectors / spread) ** 2).sum(1))
    reach = float(np.quantile(distance, _INSIDE))
    circle = np.stack([np.cos(_TURN), np.sin(_TURN)])  # (2, 73)
    return np.asarray(centre[:, None] + vectors @ (reach * spread[:, None] * circle))
