"""The map of the confusion of confidence, each cell with its difference in points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibrant.plot.compose import base
from calibrant.plot.compose.classes import heat_entries, heat_style, sign_style
from calibrant.plot.confusion import ConfusionDiagram
from calibrant.plot.scene import Axis, Boxes, Panel, Scene, Words
from calibrant.plot.words import count, figure, percent, shortened

_CELL = 44.0
_SHORT = 5  # letters of a name that fits under its cell
_SMALLEST = 200.0  # side of the map


@base.scene.register
def compose(diagram: ConfusionDiagram) -> Scene:
    """Return the scene of one map."""
    m = len(diagram.names)
    side = max(_CELL * m, _SMALLEST)
    places = [(i + 0.5, shortened(name, 20)) for i, name in enumerate(diagram.names)]
    slanted = max(len(name) for _, name in places) > _SHORT
    panel = Panel(
        left=0,
        top=28,
        width=side,
        height=side,
        x=Axis(0, m, tuple(places), "column: the class believed in", grid=False),
        y=Axis(0, m, tuple((m - place, name) for place, name in places), "row: the class that occurs", grid=False),
        marks=tuple(_cells(diagram, side / m)),
        name="how much more often it occurs than it says, points",
        slanted=slanted,
    )
    left = panel.title_space + 18
    return Scene(
        width=left + side + 60,
        height=panel.bottom + panel.title_drop + 12,
        panels=(replace(panel, left=left),),
        title="Confusion of confidence",
        description=_told(diagram),
        legend=tuple(
            heat_entries(
                "occurs less often than it says",
                "occurs more often than it says",
                base.band_entry(
                    "within chance, all together at {}",
                    diagram.level,
                    banded=diagram.banded,
                    style="chance",
                    without=base.NO_CHANCE,
                ),
            )
        ),
    )


def _cells(diagram: ConfusionDiagram, side: float) -> list[Boxes | Words]:
    m, inset = len(diagram.names), 0.5 / side
    cells = [(i, j) for i in range(m) for j in range(m)]
    row, column = np.array(cells).T
    gap, beyond = diagram.gaps.ravel(), base.full(diagram.beyond, diagram.banded).ravel()
    styles = [heat_style(g) if there else "chance" for g, there in zip(gap, beyond, strict=True)]
    hints = [_hint(diagram, i, j) for i, j in cells]
    y = m - 1.0 - row
    boxes = Boxes(column + inset, column + 1 - inset, y + inset, y + 1 - inset, styles, hints)
    words = [
        Words(
            column[c] + 0.5, y[c] + 0.5, _points(gap[c]), sign_style(gap[c]) if beyond[c] else "small", "middle", dy=4.5
        )
        for c in range(m * m)
    ]
    return [boxes, *words]


def _points(gap: float) -> str:
    """Return a gap in points, with its sign."""
    return figure(100 * gap, 1, sign=True)


def _hint(diagram: ConfusionDiagram, i: int, j: int) -> str:
    """Return what one cell says, in words."""
    occurs, believed = (shortened(diagram.names[c], 40) for c in (i, j))
    told = f"says {percent(diagram.says[i, j])}, occurs {percent(diagram.occurs[i, j])}"
    return (
        f"{occurs}, weighted by the probability of {believed}: {told}; "
        f"mean probability of {believed} where the label is {occurs}: {percent(diagram.given[i, j])}"
    )


def _told(diagram: ConfusionDiagram) -> str:
    shown = base.full(diagram.beyond, diagram.banded)
    worst = np.unravel_index(int(np.abs(np.where(shown, diagram.gaps, 0)).argmax()), diagram.gaps.shape)
    chance = f"{count(int(shown.sum()), 'pair')} beyond chance" if diagram.banded else "soft labels"
    head = f"{count(diagram.n, 'row')}, {chance}."
    if not shown.any():
        return head
    i, j = int(worst[0]), int(worst[1])
    occurs, believed = (shortened(diagram.names[c], 40) for c in (i, j))
    return f"{head} The largest: {occurs} where {believed} is believed in, {_points(diagram.gaps[i, j])} points."
