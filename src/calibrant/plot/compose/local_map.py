"""The map of the feature space: cells coloured by their local gaps, the worst regions outlined."""

from __future__ import annotations

import numpy as np

from calibrant.plot.compose import base
from calibrant.plot.compose.classes import heat_entries, heat_style
from calibrant.plot.local_map import LocalMap, Outline
from calibrant.plot.scene import Axis, Boxes, Entry, Mark, Panel, Path, Scene, Words
from calibrant.plot.words import count, exact_percent, percent

_WIDTH = 404.0
_LEFT, _TOP = 54.0, 10.0
_SMALLEST = 0.34  # side of a mark in its cell
_FULL = 0.9  # quantile of the rows of a cell from which on it is filled
_HINTED = 600  # cells, and no more, are told one by one
_BADGE = 9.0  # half the side of the field of a number, in pixels


@base.scene.register
def compose(found: LocalMap) -> Scene:
    """Return the scene of one map."""
    (left, right), (bottom, top) = found.limits
    height = _WIDTH * (top - bottom) / (right - left)
    panel = Panel(
        left=_LEFT,
        top=_TOP,
        width=_WIDTH,
        height=height,
        x=Axis(left, right, title=_axis("first", found.explained[0]), grid=False),
        y=Axis(bottom, top, title=_axis("second", found.explained[1]), grid=False),
        marks=(*_cells(found), *_regions(found, (right - left) / _WIDTH)),
    )
    return Scene(
        width=_LEFT + _WIDTH + 12,
        height=panel.bottom + 50,
        panels=(panel,),
        title="Local gaps on the map of the features",
        description=_told(found),
        legend=tuple(_legend(found)),
    )


def _axis(which: str, explained: float) -> str:
    return f"{which} axis: {percent(explained, 0)} of the variance"


def _cells(found: LocalMap) -> list[Mark]:
    shown = base.full(found.beyond, found.banded)
    filled = max(float(np.quantile(found.rows, _FULL)), 1.0)
    half = 0.5 * found.side * np.clip(np.sqrt(found.rows / filled), _SMALLEST, 0.94)
    styles = [heat_style(gap) + ("" if there else " weak") for gap, there in zip(found.gaps, shown, strict=True)]
    hints = [_hint(found, i) for i in range(len(styles))] if len(styles) <= _HINTED else []
    return [Boxes(found.x - half, found.x + half, found.y - half, found.y + half, styles, hints)]


def _regions(found: LocalMap, pixel: float) -> list[Mark]:
    """Return the outlines and, above all of them, their numbers; ``pixel`` is its side in the units of the space."""
    (left, right), (bottom, top) = found.limits
    ellipses = [(np.clip(one.ellipse[0], left, right), np.clip(one.ellipse[1], bottom, top)) for one in found.outlines]
    lines = [Path(x, y, style) for style in ("outline-ground", "outline") for x, y in ellipses]
    places = _apart([(float(x[y.argmax()]), float(y.max())) for x, y in ellipses], 2.2 * _BADGE * pixel)
    numbers = [mark for one, at in zip(found.outlines, places, strict=True) for mark in _number(one, at, pixel)]
    return [*lines, *numbers]


def _apart(places: list[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """Return places that do not cover one another: a later one moves to the right of those that it would cover."""
    found: list[tuple[float, float]] = []
    for x, y in places:
        while any(abs(x - a) < least and abs(y - b) < least for a, b in found):
            x += least
        found.append((x, y))
    return found


def _number(one: Outline, at: tuple[float, float], pixel: float) -> list[Mark]:
    half = _BADGE * pixel
    x, y = at
    return [
        Boxes([x - half], [x + half], [y - half], [y + half], "badge"),
        Words(x, y, str(one.number), "ink", "middle", dy=4.5),
    ]


def _hint(found: LocalMap, i: int) -> str:
    gap = found.gaps[i]
    side = "less" if gap < 0 else "more"
    chance = ", within chance" if found.banded and not found.beyond[i] else ""
    rows = count(int(found.rows[i]), "row")
    return f"{rows}: around here right {side} often than it says by {percent(abs(gap))}{chance}"


def _legend(found: LocalMap) -> list[Entry]:
    words = "hollow: within chance, all cells together at {}"
    chance = base.band_entry(words, found.level, banded=found.banded, without=base.NO_CHANCE)
    hollow = Entry(Boxes([4], [16], [2], [14], "over-4 weak"), chance.words) if found.banded else chance
    entries = heat_entries("right less often than it says", "right more often than it says", hollow)
    entries.append(Entry(Boxes([1, 9], [5, 18], [6, 3.5], [10, 12.5], "dot"), "area: rows in the cell"))
    if found.outlines:
        entries.append(base.line_entry("outline", "around three quarters of the rows of a numbered region"))
    return entries


def _told(found: LocalMap) -> str:
    shown = base.full(found.beyond, found.banded)
    over, under = (int((shown & side).sum()) for side in (found.gaps < 0, found.gaps > 0))
    chance = f"beyond chance at {exact_percent(found.level)}" if found.banded else "whatever chance is"
    outlined = f" Outlined: {count(len(found.outlines), 'region')}." if found.outlines else ""
    return (
        f"{count(found.n, 'row')} in {count(len(found.rows), 'cell')}: {over} are over-confident and {under} "
        f"under-confident {chance}.{outlined}"
    )
