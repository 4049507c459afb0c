"""The curve of cumulative differences over the rows in the order of their confidence."""

from __future__ import annotations

import numpy as np

from calibrant.plot.compose import base
from calibrant.plot.cumulative import CumulativeDiagram
from calibrant.plot.scene import Anchor, Axis, Boxes, Mark, Panel, Path, Scene, Segments, Words
from calibrant.plot.words import count, figure, percent

_HEIGHT = 300.0
_ROOM = 0.1  # above and below the curve


@base.scene.register
def compose(diagram: CumulativeDiagram) -> Scene:
    """Return the scene of one curve."""
    share, peak = diagram.shares[diagram.at], diagram.differences[diagram.at]
    low, high = _limits(diagram)
    least = 0.75 * (high - low) / _HEIGHT  # a band of one value is still seen
    banded, half = diagram.banded, max(diagram.bound, least)
    band: list[Mark] = [Boxes([0], [1], [-half], [half], "band")] if banded else []
    marks = (
        *band,
        Path([0, 1], [0, 0], "diagonal"),
        Path(diagram.shares, diagram.differences, "curve"),
        Segments([share], [0], [share], [peak], "extreme"),
        _largest(diagram),
    )
    panel = Panel(
        left=base.LEFT + 6,
        top=base.TOP,
        width=base.SIDE,
        height=_HEIGHT,
        x=Axis(0, 1, _scores(diagram), "confidence at each fifth of the rows, %"),
        y=Axis(low, high, _ticks(low, high), "right minus says, summed, % of rows"),
        marks=marks,
    )
    return Scene(
        width=base.WIDTH + 6,
        height=panel.bottom + 50,
        panels=(panel,),
        title="Cumulative differences of the confidence",
        description=(
            f"{count(diagram.n, 'row')}. Largest distance from zero {percent(abs(diagram.largest))}, range "
            f"{percent(diagram.span)}; {_told(diagram)}."
        ),
        legend=(
            base.line_entry("curve", "falling: over-confident, climbing: under-confident"),
            base.line_entry("extreme", "largest distance from zero"),
            base.band_entry("holds the whole curve of a calibrated model with {}", diagram.level, banded=banded),
        ),
    )


def _told(diagram: CumulativeDiagram) -> str:
    if not diagram.banded:
        return "the labels are soft and there is no band"
    return f"a calibrated model would stay within {percent(diagram.bound)}"


def _largest(diagram: CumulativeDiagram) -> Words:
    """Return the largest distance in words, beyond the peak."""
    share, peak = float(diagram.shares[diagram.at]), float(diagram.differences[diagram.at])
    anchor: Anchor = "end" if share > 0.67 else "start" if share < 0.33 else "middle"
    told = f"largest {percent(abs(diagram.largest))}"
    return Words(share, peak, told, "ink", anchor, dy=16 if peak < 0 else -7)


def _scores(diagram: CumulativeDiagram) -> tuple[tuple[float, str], ...]:
    """Return the confidence at every second tenth of the rows."""
    places = np.linspace(0, 1, 6)
    at = np.minimum(np.searchsorted(diagram.shares, places - 1e-12), len(diagram.shares) - 1)
    scores = 100 * diagram.scores[at]
    return tuple((float(place), _score(score)) for place, score in zip(places, scores, strict=True))


def _score(score: float) -> str:
    """Return a confidence with the digits that tell it from 100, up to four."""
    away = 100 - score
    if away > 10:
        return figure(score, 0)
    return figure(score, max(1, int(np.ceil(-np.log10(away))))) if away > 5e-5 else "100"


def _limits(diagram: CumulativeDiagram) -> tuple[float, float]:
    """Return the range of the y axis: the curve and the band with some room."""
    bound = diagram.bound if diagram.banded else 0.0
    low = min(float(diagram.differences.min()), -bound)
    high = max(float(diagram.differences.max()), bound)
    room = _ROOM * (high - low) or 0.01
    return low - room, high + room


def _ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Return whole steps of 1, 2 or 5 in percent, about six."""
    step = next_step((high - low) / 6)
    places = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    digits = max(0, int(np.ceil(-np.log10(100 * step) - 1e-9)))
    return tuple((float(place), figure(100 * place, digits)) for place in places)


def next_step(about: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least so large."""
    power = 10.0 ** np.floor(np.log10(about))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= about * (1 - 1e-9)))
