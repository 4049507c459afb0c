"""Gap and error by local support, one above the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrant.plot.compose import base
from calibrant.plot.compose.cumulative import next_step
from calibrant.plot.local_support import SupportDiagram
from calibrant.plot.scene import Axis, Boxes, Mark, Panel, Path, Points, Scene, Side
from calibrant.plot.words import count, exact_percent, figure, percent

Floats = NDArray[np.float64]
_UPPER, _LOWER, _BETWEEN = 200.0, 120.0, 26.0
_ROOM = 0.1
_HALF = 0.42  # of a band, in tenths


@base.scene.register
def compose(diagram: SupportDiagram, *, beside: Sequence[SupportDiagram] = ()) -> Scene:
    """Return the scene of one diagram, on the scales of all that it stands ``beside``."""
    gap_axis, error_axis = _axes([diagram, *beside])
    upper = _panel(diagram, base.TOP, _UPPER, gap_axis, _gaps(diagram))
    lower = _panel(diagram, upper.bottom + _BETWEEN, _LOWER, error_axis, _errors(diagram), below=True)
    return Scene(
        width=base.WIDTH,
        height=lower.bottom + 50,
        panels=(upper, lower),
        title="Gap and error by local support",
        description=_told(diagram),
        legend=(
            *base.point_entries(
                "right less often than it says", "right more often than it says", banded=diagram.banded
            ),
            base.band_entry("where {} of the tenths would lie if calibrated", diagram.level, banded=diagram.banded),
        ),
    )


def _panel(
    diagram: SupportDiagram, top: float, height: float, y: Axis, marks: list[Mark], *, below: bool = False
) -> Panel:
    ticks = tuple((float(i), _size(size) if below else "") for i, size in enumerate(diagram.support))
    title = "effective rows around, in tenths of the rows: few to many" if below else ""
    return Panel(
        left=base.LEFT,
        top=top,
        width=base.SIDE,
        height=height,
        x=Axis(-0.6, len(ticks) - 0.4, ticks, title, grid=False),
        y=y,
        marks=tuple(marks),
    )


def _size(size: float) -> str:
    return figure(size, 1 if size < 10 else 0)


def _gaps(diagram: SupportDiagram) -> list[Mark]:
    place = np.arange(len(diagram.gaps), dtype=np.float64)
    sides = [_side(gap) for gap in diagram.gaps]
    full, hints = base.full(diagram.beyond, diagram.banded), [_hint(diagram, i) for i in range(len(place))]
    return [
        *_band(diagram, diagram.low, diagram.high),
        Path([-0.6, len(place) - 0.4], [0, 0], "diagonal"),
        Points(place, diagram.gaps, sides, full, hints=hints),
    ]


def _errors(diagram: SupportDiagram) -> list[Mark]:
    place = np.arange(len(diagram.errors), dtype=np.float64)
    sides = [_side(gap) for gap in diagram.gaps]
    full, hints = base.full(diagram.error_beyond, diagram.banded), [_hint(diagram, i) for i in range(len(place))]
    return [
        *_band(diagram, diagram.error_low, diagram.error_high),
        Points(place, diagram.errors, sides, full, hints=hints),
    ]


def _band(diagram: SupportDiagram, low: Floats, high: Floats) -> list[Mark]:
    if not diagram.banded:
        return []
    place = np.arange(len(low), dtype=np.float64)
    return [Boxes(place - _HALF, place + _HALF, low, high, "band")]


def _side(gap: float) -> Side:
    return "over" if gap < 0 else "under" if gap > 0 else "even"


def _axes(diagrams: Sequence[SupportDiagram]) -> tuple[Axis, Axis]:
    """Return the axes of the gap and of the error."""
    gaps = np.concatenate([each for one in diagrams for each in (one.gaps, one.low, one.high)])
    errors = np.concatenate([each for one in diagrams for each in (one.errors, one.error_high)])
    low, high = min(float(np.nanmin(gaps)), 0.0), max(float(np.nanmax(gaps)), 0.0)
    return _axis(low, high, "right minus says, points"), _axis(0.0, float(np.nanmax(errors)), "ECE, points")


def _axis(low: float, high: float, title: str) -> Axis:
    """Return an axis with about six ticks at whole steps, in points."""
    room = _ROOM * (high - low) or 0.01
    low, high = low - room if low < 0 else 0.0, high + room
    step = next_step((high - low) / 6)
    digits = max(0, int(np.ceil(-np.log10(100 * step) - 1e-9)))
    places = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return Axis(low, high, tuple((float(place), figure(100 * place, digits)) for place in places), title)


def _hint(diagram: SupportDiagram, i: int) -> str:
    band = f", {percent(diagram.low[i])} to {percent(diagram.high[i])} if calibrated" if diagram.banded else ""
    return (
        f"{count(int(diagram.rows[i]), 'row')} with about {_size(diagram.support[i])} around: says "
        f"{percent(diagram.confidence[i])}, is right {percent(diagram.accuracy[i])}, "
        f"gap {percent(diagram.gaps[i])}{band}; ECE {percent(diagram.errors[i])}"
    )


def _told(diagram: SupportDiagram) -> str:
    outside = f" {count(int(diagram.beyond.sum()), 'tenth')} outside the band at {exact_percent(diagram.level)}."
    return (
        f"{count(diagram.n, 'row')}: the gap is {percent(diagram.gaps[0])} where the fewest rows are around and "
        f"{percent(diagram.gaps[-1])} where the most are.{outside if diagram.banded else ' Soft labels: no band.'}"
    )
