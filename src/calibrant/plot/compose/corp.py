"""The CORP diagram: the curve of the recalibrated confidence over its band, with the histogram beneath."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.plot.compose import base
from calibrant.plot.corp import CorpDiagram
from calibrant.plot.scene import Area, Entry, Mark, Path, Scene, Words
from calibrant.plot.words import common_places, count, figure, percent


@base.scene.register
def compose(diagram: CorpDiagram) -> Scene:
    """Return the scene of one diagram."""
    marks = [
        *base.out_of_reach(diagram.least_score),
        *([Area(diagram.grid, diagram.low, diagram.high, "band")] if diagram.banded else []),
        base.diagonal(),
        *base.regions(),
        Path(diagram.scores, diagram.rates, "curve"),
        *_beyond(diagram),
        *_terms(diagram),
    ]
    return Scene(
        width=base.WIDTH,
        height=base.WITH_STRIP,
        panels=(base.square(marks, "", base.ACCURACY), base.strip(diagram.edges, diagram.shares, base.CONFIDENCE)),
        title="CORP reliability diagram of the confidence",
        description=(
            f"{count(diagram.n, 'row')}. The recalibrated confidence runs from {percent(diagram.rates[0])} at "
            f"{percent(diagram.scores[0])} to {percent(diagram.rates[-1])} at {percent(diagram.scores[-1])}"
            f"{_outside(diagram)}. Miscalibration {figure(diagram.miscalibration)}, discrimination "
            f"{figure(diagram.discrimination)}, uncertainty {figure(diagram.uncertainty)}."
        ),
        legend=tuple(_legend(diagram)),
    )


def _legend(diagram: CorpDiagram) -> list[Entry]:
    sides = [
        base.line_entry("curve-over", "over-confident beyond chance"),
        base.line_entry("curve-under", "under-confident beyond chance"),
    ]
    return [
        base.line_entry("curve", "recalibrated confidence (isotonic regression)"),
        *(sides if diagram.banded else []),
        base.band_entry("where {} of such curves would lie if calibrated", diagram.level, banded=diagram.banded),
        base.diagonal_entry(),
    ]


def _outside(diagram: CorpDiagram) -> str:
    if not diagram.banded:
        return "; the labels are soft and there is no band"
    share = percent(float(diagram.beyond.mean()), 0)
    return f" and lies outside the band of a calibrated model on {share} of the range"


def _terms(diagram: CorpDiagram) -> list[Mark]:
    """Return the terms of the squared error in words."""
    told = {
        "miscalibration": diagram.miscalibration,
        "discrimination": diagram.discrimination,
        "uncertainty": diagram.uncertainty,
    }
    places = common_places([diagram.miscalibration])
    words = [f"{name} {figure(value, places)}" for name, value in told.items()]
    return [Words(0, 1, line, "small", dx=10, dy=42 + 16 * i) for i, line in enumerate(words)]


def _beyond(diagram: CorpDiagram) -> list[Mark]:
    """Return the parts of the curve outside the band, by side."""
    drawn: list[Mark] = []
    for style, outside in (
        ("curve-over", diagram.curve < diagram.low),
        ("curve-under", diagram.curve > diagram.high),
    ):
        drawn += [Path(*_piece(diagram, start, stop), style) for start, stop in _runs(outside)]
    return drawn


def _piece(diagram: CorpDiagram, start: int, stop: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the curve, with its corners, between two points of the grid."""
    left, right = diagram.grid[start], diagram.grid[stop]
    inside = (diagram.scores > left) & (diagram.scores < right)
    x = np.concatenate([[left], diagram.scores[inside], [right]])
    return x, np.concatenate([[diagram.curve[start]], diagram.rates[inside], [diagram.curve[stop]]])


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last index of each run of at least two."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2) if b - a > 1]
