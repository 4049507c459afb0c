"""Looking around: from predictions with features to the local section.

Rows are looked at in one space, fitted once on their features, which looks at neither scores nor labels: the scores as
given and repaired ones are compared in the same space, with the same bandwidth, in the same regions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels, validation
from calibrant.errors import DataError
from calibrant.estimate import Estimate
from calibrant.metrics.local_choices import KernelChoices
from calibrant.metrics.local_regions import Region
from calibrant.neighbourhood import Neighbourhood
from calibrant.plot import local_map, local_support, surroundings
from calibrant.plot.surroundings import Surroundings
from calibrant.predictions import Predictions
from calibrant.reporting import local_measures
from calibrant.reporting.draws import Draws
from calibrant.reporting.local import Example, Gap, Local, LocalRegion, Look

FEWEST = 50  # rows, below which a region would be a handful
MOST, MEASURED = 10_000, 3_000  # rows that are looked at, and those of them that measures of all pairs take
_STREAM = 0x7468696E  # keeps the choice of rows apart from other draws
_MOST_GROUPS = 50  # beside the regions that are found
_PREDICTED, _RARE = 3, 0.05  # classes that are named, and the share below which only the first is


def prepare(
    before: Predictions, after: Predictions | None, draws: Draws, told: Callable[[str, int, int], None]
) -> Local | str | None:
    """Return the local section of scores and of their repair, None without features, or why there is none.

    ``after`` holds the rows of positive weight of ``before``, in their order.
    """
    if before.features is None:
        return None
    batch = before.without_absent_rows()
    if len(batch) < FEWEST:
        return f"{len(batch)} rows are too few for it: at least {FEWEST}"
    rows = thinned(batch, MOST, draws.seed)
    try:
        made = _around(batch, rows, draws)
    except DataError as error:  # labels and scores have been measured: it is about the features
        return str(error)
    later = None if after is None else _around(after, rows, draws, made)
    measured = _Measured.of(made, draws)
    worst = tuple(outline.place for outline in local_map.of(made).outlines)
    shown = [made] if later is None else [made, later]
    told("local", 0, len(shown))
    looks = []
    for one in shown:
        looks.append(Look(local_map.of(one, worst), local_support.of(one), measured.estimates(one, draws)))
        told("local", len(looks), len(shown))
    return Local(
        n=len(rows),
        of=len(batch),
        measured=len(measured.rows),
        level=draws.level,
        bandwidth=made.around.bandwidth,
        dimensions=made.around.space.dimensions,
        regions=_regions(made, later),
        before=looks[0],
        after=None if later is None else looks[1],
        left_out=local_measures.left_out(made.batch.k, len(measured.rows)),
    )


def thinned(batch: Predictions, most: int, seed: int) -> NDArray[np.int64]:
    """Return at most so many rows, in their order: each key draws a number, and the least are taken.

    Every row has the same chance, whatever the order or the period of the file; rows that share an id stay together
    up to the last one; fewer rows are some of more.
    """
    drawn = kernels.uniforms(batch.row_keys, seed ^ _STREAM, 0)
    return np.sort(np.argsort(drawn, kind="stable")[:most])


def _around(
    batch: Predictions, rows: NDArray[np.int64], draws: Draws, like: Surroundings | None = None
) -> Surroundings:
    some = batch if len(rows) == len(batch) else batch.take(rows)
    if some.groups is not None and len(np.unique(some.groups)) > _MOST_GROUPS:
        some = replace(some, groups=None)
    return surroundings.prepare(some, **vars(draws), around=None if like is None else like.around)


class _Measured(NamedTuple):
    """The rows that measures of all pairs take, by their places among those looked at, and their neighbourhood."""

    rows: NDArray[np.int64]
    around: Neighbourhood

    @classmethod
    def of(cls, made: Surroundings, draws: Draws) -> _Measured:
        rows = thinned(made.batch, MEASURED, draws.seed)
        if len(rows) == len(made.batch):
            return cls(rows, made.around)
        return cls(rows, KernelChoices(space=made.around.space).around(made.batch.take(rows)))

    def estimates(self, one: Surroundings, draws: Draws) -> tuple[Estimate, ...]:
        some = one.batch if len(self.rows) == len(one.batch) else one.batch.take(self.rows)
        return local_measures.estimates(some, self.around, **vars(draws))


def _regions(made: Surroundings, later: Surroundings | None) -> tuple[LocalRegion, ...]:
    found = []
    for number, place in enumerate(surroundings.ranked(made.found), 1):
        region = made.found.regions[place]
        inside = surroundings.members(made, region)
        found.append(
            LocalRegion(
                number=number,
                kind=region.kind,
                name=region.name,
                rows=region.rows,
                share=region.share,
                before=_gap(region),
                after=None if later is None else _gap(later.found.regions[place]),
                predicted=_predicted(made.batch, inside),
                marks=region.marks,
                examples=tuple(_example(made.batch, row) for row in region.examples),
            )
        )
    return tuple(found)


def _gap(region: Region) -> Gap:
    """Return the gap of a region as accuracy minus confidence, as all pictures have it."""
    return Gap(region.confidence, region.accuracy, region.gap, region.low, region.high)


def _predicted(batch: Predictions, inside: NDArray[np.bool_]) -> tuple[tuple[str, float], ...]:
    """Return the classes that are predicted most among some rows, with their shares of the weight."""
    held = np.bincount(batch.summary.top[inside], batch.row_weights[inside], batch.k)
    most = np.argsort(-held, kind="stable")[:_PREDICTED]
    names = batch.class_labels
    shares = held / held.sum()
    return tuple((names[c], float(shares[c])) for c in most if shares[c] >= _RARE or c == most[0])


def _example(batch: Predictions, row: int) -> Example:
    names, summary = batch.class_labels, batch.summary
    return Example(
        row=str(batch.row_keys[row]) if batch.ids is None else validation.text(batch.ids[row]),
        predicted=names[summary.top[row]],
        confidence=float(summary.confidence[row]),
        label=None if batch.soft else names[batch.hard_labels[row]],
    )
