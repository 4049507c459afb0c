"""Errors in counts: expected and observed in each bin of the confidence."""

from __future__ import annotations

import numpy as np

from calibrant.plot.compose import base
from calibrant.plot.compose.cumulative import next_step
from calibrant.plot.risk import RiskDiagram
from calibrant.plot.scene import Axis, Boxes, Mark, Panel, Points, Scene, Segments, Side
from calibrant.plot.words import count, exact_percent, figure, percent

_HEIGHT = 300.0
_ROOM = 1.1
_NUMBERS = 30.0  # more room at the left than shares need


@base.scene.register
def compose(diagram: RiskDiagram) -> Scene:
    """Return the scene of one diagram."""
    highest = diagram.high if diagram.banded else diagram.expected
    top = _ROOM * max(float(diagram.observed.max()), float(highest.max()), 1.0)
    panel = Panel(
        left=base.LEFT + _NUMBERS,
        top=base.TOP,
        width=base.SIDE,
        height=_HEIGHT,
        x=base.shares_axis(base.CONFIDENCE),
        y=Axis(0, top, _ticks(top), "errors: rows that are wrong"),
        marks=tuple(_marks(diagram, top)),
    )
    return Scene(
        width=base.WIDTH + _NUMBERS,
        height=panel.bottom + 50,
        panels=(panel,),
        title="Errors by confidence",
        description=_told(diagram),
        legend=(
            *base.point_entries(
                "more errors than there should be",
                "fewer errors than there should be",
                banded=diagram.banded,
                flipped=True,
            ),
            base.line_entry("expected", "errors expected from the confidence"),
            base.band_entry("where {} of the numbers would lie if it is right", diagram.level, banded=diagram.banded),
        ),
    )


def _marks(diagram: RiskDiagram, top: float) -> list[Mark]:
    b = [int(i) for i in np.flatnonzero(diagram.rows)]
    left, right = diagram.edges[b], diagram.edges[1:][b]
    return [
        *_band(diagram, b, top),
        Segments(left, diagram.expected[b], right, diagram.expected[b], "expected"),
        Points(
            diagram.mean_scores[b],
            diagram.observed[b],
            [_side(diagram, i) for i in b],
            base.full(diagram.beyond, diagram.banded)[b],
            5.5 if len(diagram.rows) <= 30 else 3.5,
            flipped=True,
            hints=[_hint(diagram, i) for i in b],
        ),
    ]


def _band(diagram: RiskDiagram, b: list[int], top: float) -> list[Mark]:
    if not diagram.banded:
        return []
    thin = 0.75 * top / _HEIGHT  # a band of one number is still seen
    middle, half = 0.5 * (diagram.low + diagram.high)[b], np.maximum(0.5 * (diagram.high - diagram.low)[b], thin)
    return [Boxes(diagram.edges[b], diagram.edges[1:][b], np.maximum(middle - half, 0), middle + half, "band")]


def _side(diagram: RiskDiagram, b: int) -> Side:
    """Return the side of a bin: over-confident where it errs too often."""
    more = diagram.observed[b] - diagram.expected[b]
    return "over" if more > 0 else "under" if more < 0 else "even"


def _ticks(top: float) -> tuple[tuple[float, str], ...]:
    step = max(next_step(top / 5), 1.0)
    return tuple((float(place), figure(float(place), 0)) for place in np.arange(0, top, step))


def _hint(diagram: RiskDiagram, b: int) -> str:
    bounds = f"{percent(diagram.edges[b])} to {percent(diagram.edges[b + 1])}"
    band = f", {figure(diagram.low[b], 0)} to {figure(diagram.high[b], 0)} if it is right" if diagram.banded else ""
    return (
        f"{bounds}: {count(int(diagram.rows[b]), 'row')}, {figure(diagram.observed[b], 0)} wrong, "
        f"{figure(diagram.expected[b], 1)} expected{band}"
    )


def _told(diagram: RiskDiagram) -> str:
    observed, expected = float(diagram.observed.sum()), float(diagram.expected.sum())
    outside = f"{count(int(diagram.beyond.sum()), 'bin')} outside {exact_percent(diagram.level)}."
    return (
        f"{count(diagram.n, 'row')}: {figure(observed, 0)} are wrong, {figure(expected, 1)} would be if the confidence "
        f"were right. {outside if diagram.banded else 'Soft labels: no band.'}"
    )
