"""Arrows on the triangle of three probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.plot.compose import base
from calibrant.plot.scene import Axis, Boxes, Entry, Mark, Panel, Path, Scene, Segments, Words
from calibrant.plot.simplex import SimplexDiagram
from calibrant.plot.words import count, percent, shortened

Floats = NDArray[np.float64]
_HEIGHT = 0.5 * np.sqrt(3.0)  # of a triangle of side 1
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _HEIGHT]])  # of the classes
_SIDE = 420.0
_SHORT, _OUT = 10, 40.0  # letters of a name that is set under its corner; how far out a longer one begins
_LARGEST = 7.0  # half a side of the square of the fullest cell


@base.scene.register
def compose(diagram: SimplexDiagram) -> Scene:
    """Return the scene of one triangle."""
    tail, head = diagram.predicted @ _CORNERS, diagram.observed @ _CORNERS
    full = base.full(diagram.beyond, diagram.banded)
    faint_first = np.argsort(full, kind="stable")
    styles = ["arrow" if full[i] else "arrow weak" for i in faint_first]
    hints = [_hint(diagram, i) for i in faint_first]
    marks: list[Mark] = [
        *_triangle(diagram.divisions),
        _squares(diagram, tail),
        _arrows(tail[faint_first], head[faint_first], styles, hints),
        *_names(diagram.names),
    ]
    panel = Panel(
        left=56,
        top=34,
        width=_SIDE,
        height=_SIDE * _HEIGHT,
        x=Axis(0, 1),
        y=Axis(0, _HEIGHT),
        marks=tuple(marks),
        frame=False,
    )
    return Scene(
        width=_SIDE + 112,
        height=panel.bottom + 36,
        panels=(panel,),
        title="From predicted to observed on the triangle",
        description=(f"{count(diagram.n, 'row')} in {count(len(diagram.rows), 'cell')}; {_told(diagram)}."),
        legend=(
            Entry(Segments([1], [8], [18], [8], "arrow", heads=True), "from the mean prediction to what is observed"),
            _chance_entry(diagram),
            Entry(Boxes([5], [15], [3], [13], "dot"), "area: share of the rows"),
        ),
    )


def _chance_entry(diagram: SimplexDiagram) -> Entry:
    """Return the symbol of arrows within chance, or why there are none."""
    told = base.band_entry(
        "within chance, all together at {}", diagram.level, banded=diagram.banded, without=base.NO_CHANCE
    )
    return Entry(Segments([1], [8], [18], [8], "arrow weak", heads=True), told.words) if diagram.banded else told


def _told(diagram: SimplexDiagram) -> str:
    if not diagram.banded:
        return "the labels are soft, and chance is not told from the rest"
    return f"in {int(diagram.beyond.sum()):,} the labels differ from the predictions beyond chance, all together"


def _triangle(divisions: int) -> list[Mark]:
    """Return the triangle and the lines between its cells."""
    drawn: list[Mark] = []
    for part in np.arange(1, divisions) / divisions:
        for turn in range(3):
            a, b, c = np.roll(_CORNERS, turn, axis=0)
            drawn.append(_line(np.stack([a + part * (b - a), c + part * (b - c)]), "grid"))
    return [*drawn, _line(_CORNERS[[0, 1, 2, 0]], "frame")]


def _line(points: Floats, style: str) -> Path:
    return Path(points[:, 0], points[:, 1], style)


def _arrows(tail: Floats, head: Floats, styles: list[str], hints: list[str]) -> Segments:
    return Segments(tail[:, 0], tail[:, 1], head[:, 0], head[:, 1], styles, heads=True, hints=hints)


def _squares(diagram: SimplexDiagram, tail: Floats) -> Boxes:
    half = _LARGEST / _SIDE * np.sqrt(diagram.shares / diagram.shares.max())
    return Boxes(tail[:, 0] - half, tail[:, 0] + half, tail[:, 1] - half, tail[:, 1] + half, "dot")


def _names(names: tuple[str, ...]) -> list[Mark]:
    first, second, third = (shortened(name, 24) for name in names)
    left, right = (_OUT if len(name) > _SHORT else 0 for name in (first, second))
    return [
        Words(0, 0, first, "ink", "start" if left else "middle", dx=-left, dy=22),
        Words(1, 0, second, "ink", "end" if right else "middle", dx=right, dy=22),
        Words(0.5, _HEIGHT, third, "ink", "middle", dy=-12),
    ]


def _hint(diagram: SimplexDiagram, i: int) -> str:
    said = ", ".join(
        f"{shortened(name, 40)} says {percent(p)}, occurs {percent(q)}"
        for name, p, q in zip(diagram.names, diagram.predicted[i], diagram.observed[i], strict=True)
    )
    return f"{count(int(diagram.rows[i]), 'row')}: {said}"
