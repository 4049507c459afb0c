"""From prepared records to SVG text."""

from __future__ import annotations

from calibrant.plot.compose import reliability, scene
from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.scene import Scene
from calibrant.plot.svg.draw_scene import draw_scene, draw_symbol


def draw(record: object, *, top: float | None = None, alone: bool = True) -> str:
    """Return the picture of a record.

    Parameters
    ----------
    record : from a ``prepare`` of `calibrant.plot`, or the scene of one.
    top : share of rows at the top of the histogram of a reliability diagram, so that two pictures share their scales;
        by default that of the fullest bin.
    alone : with its style and legend. False for a page that has them.

    Raises
    ------
    DataError : for anything else.
    """
    if isinstance(record, Scene):
        return draw_scene(record, alone=alone)
    if isinstance(record, ReliabilityDiagram):
        return draw_scene(reliability.compose(record, top=top), alone=alone)
    return draw_scene(scene(record), alone=alone)


def draw_class(diagram: ReliabilityDiagram) -> str:
    """Return the small picture of one class, for a page that carries the style and names the class."""
    return draw_scene(reliability.small_scene(diagram), alone=False)


def draw_legend(record: object) -> list[tuple[str, str]]:
    """Return (small picture, words) for each symbol of the picture of a record, for a page to lay out."""
    entries = record.legend if isinstance(record, Scene) else scene(record).legend
    return [(draw_symbol(entry.mark, entry.words), entry.words) for entry in entries]
