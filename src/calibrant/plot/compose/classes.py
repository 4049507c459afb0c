"""The classes: the worst one by one, and the gaps of all in one map."""

from __future__ import annotations

import numpy as np

from calibrant.plot.classwise import ClassDiagrams
from calibrant.plot.compose import base, reliability
from calibrant.plot.gap_map import GapMap
from calibrant.plot.scene import Axis, Boxes, Entry, Mark, Panel, Scene, Words
from calibrant.plot.theme import LEVELS
from calibrant.plot.words import count, figure, percent, shortened

_COLUMNS, _STEP_X, _STEP_Y = 4, 198.0, 200.0
_LEFT, _TOP = 62.0, 26.0  # of the first small diagram
_NAMES = 150.0  # left of the map, for the names of the classes
_MAP_WIDTH = 480.0
_HEAT_STEPS = (0.02, 0.05, 0.10, 0.20)  # from faint to full
_SIGN_HEIGHT = 14.0  # of a row that has room for a sign in each cell
_TITLES = {"class_wise": "Reliability of the classes", "top_label": "Reliability of the predicted classes"}
_BELOW = {"class_wise": "probability of the class, %", "top_label": "confidence where the class is predicted, %"}
_BESIDE = {"class_wise": "how often the class occurs, %", "top_label": "how often it is right, %"}
_FIRST = {"class_wise": "most probable", "top_label": "most often predicted"}
_OVER = {"class_wise": "occurs less often than it says", "top_label": "right less often than it says"}
_UNDER = {"class_wise": "occurs more often than it says", "top_label": "right more often than it says"}


@base.scene.register
def compose(classes: ClassDiagrams) -> Scene:
    """Return the small diagrams of the classes that have one and, where there are more, the map of all."""
    panels = _small(classes)
    width, height = (max(panel.right for panel in panels) + 14, panels[-1].bottom + 50) if panels else (0.0, 0.0)
    legend = reliability.legend(classes.diagrams[0]) if panels else []
    if classes.others:
        below = gaps(classes)
        panels += [_moved(panel, height) for panel in below.panels]
        width, height, legend = max(width, below.width), height + below.height, [*legend, *below.legend]
    return Scene(
        width=width,
        height=height,
        panels=tuple(panels),
        title=_TITLES[classes.notion],
        description=f"{count(len(classes.names), 'class', 'classes')}, the worst first. {_told(classes)}",
        legend=tuple(legend),
    )


def _small(classes: ClassDiagrams) -> list[Panel]:
    """Return the small diagrams and, last, the panel around them that names their axes."""
    panels = [
        reliability.small(diagram, _LEFT + _STEP_X * (i % _COLUMNS), _TOP + _STEP_Y * (i // _COLUMNS), named=True)
        for i, diagram in enumerate(classes.diagrams)
    ]
    if not panels:
        return []
    around = Panel(
        left=_LEFT,
        top=_TOP,
        width=max(panel.right for panel in panels) - _LEFT,
        height=panels[-1].bottom - _TOP,
        x=Axis(0, 1, title=_BELOW[classes.notion]),
        y=Axis(0, 1, title=_BESIDE[classes.notion]),
        marks=(),
        frame=False,
    )
    return [*panels, around]


def gaps(classes: ClassDiagrams) -> Scene:
    """Return the map of the gaps of all classes alone."""
    found = classes.gaps
    rows = len(found.names)
    height = float(np.clip(20.0 * rows, 60, 400))
    panel = Panel(
        left=_NAMES,
        top=28,
        width=_MAP_WIDTH,
        height=height,
        x=base.shares_axis(_BELOW[classes.notion], grid=False),
        y=Axis(0, rows, _row_names(found), grid=False),
        marks=tuple(_cells(found, height / rows, classes.notion)),
        name=_heading(classes),
    )
    return Scene(
        width=_NAMES + _MAP_WIDTH + 16,
        height=panel.bottom + 48,
        panels=(panel,),
        title="Gaps by class and bin",
        description=_told(classes),
        legend=tuple(_legend(classes)),
    )


def _heading(classes: ClassDiagrams) -> str:
    k, pooled = len(classes.names), classes.gaps.pooled
    told = "worst first" if pooled == 1 else f"{_FIRST[classes.notion]} first, up to {pooled:,} in a row"
    return f"{count(k, 'class', 'classes')}, {told}"


def _row_names(found: GapMap) -> tuple[tuple[float, str], ...]:
    """Return the place and name of the rows, of many only some."""
    rows = len(found.names)
    step = max(1, -(-rows // 20))
    return tuple((rows - i - 0.5, shortened(found.names[i], 22)) for i in range(0, rows, step))


def _cells(found: GapMap, height: float, notion: str) -> list[Mark]:
    rows = len(found.names)
    row, b = np.nonzero(found.rows)
    gap, beyond = found.gaps[row, b], base.full(found.beyond, found.banded)[row, b]
    styles = [heat_style(g) if there else "chance" for g, there in zip(gap, beyond, strict=True)]
    hints = [_hint(found, int(r), int(c), notion) for r, c in zip(row, b, strict=True)] if len(row) <= 400 else []
    y = rows - 1.0 - row
    inset_x, inset_y = 0.5 / _MAP_WIDTH, (0.5 / height if height > 6 else 0.0)
    cells = Boxes(found.edges[b] + inset_x, found.edges[b + 1] - inset_x, y + inset_y, y + 1 - inset_y, styles, hints)
    if height < _SIGN_HEIGHT:
        return [cells]
    centre = 0.5 * (found.edges[b] + found.edges[b + 1])
    signs = [
        Words(centre[i], y[i] + 0.5, sign(gap[i]), sign_style(gap[i]), "middle", dy=4.5) for i in np.flatnonzero(beyond)
    ]
    return [cells, *signs]


def _hint(found: GapMap, row: int, b: int, notion: str) -> str:
    gap = found.gaps[row, b]
    side = _OVER[notion] if gap < 0 else _UNDER[notion]
    chance = ", within chance" if found.banded and not found.beyond[row, b] else ""
    bounds = f"{percent(found.edges[b])} to {percent(found.edges[b + 1])}"
    return (
        f"{found.names[row]}, {bounds}: {count(int(found.rows[row, b]), 'row')}, {side} by {percent(abs(gap))}{chance}"
    )


def heat_style(gap: float) -> str:
    """Return the style of a gap: its side and its step."""
    return f"{'over' if gap < 0 else 'under'}-{int(np.searchsorted(_HEAT_STEPS, abs(gap))) + 1}"


def sign(gap: float) -> str:
    """Return the sign of a gap, which is seen without colours."""
    return "\N{MINUS SIGN}" if gap < 0 else "+"


def sign_style(gap: float) -> str:
    """Return the style of words on a cell: light on a full one."""
    return "reverse" if abs(gap) > _HEAT_STEPS[2] else "ink"


def heat_entries(over: str, under: str, chance: Entry) -> list[Entry]:
    """Return the legend of a heat map."""
    return [
        Entry(_scale("over"), f"\N{MINUS SIGN} {over}: by up to 2, 5, 10, 20 points, and more"),
        Entry(_scale("under"), f"+ {under}"),
        chance,
    ]


def _scale(side: str) -> Boxes:
    x = np.arange(LEVELS) * 4.0
    return Boxes(x, x + 4, np.full(LEVELS, 3.0), np.full(LEVELS, 13.0), [f"{side}-{i + 1}" for i in range(LEVELS)])


def _legend(classes: ClassDiagrams) -> list[Entry]:
    found, words = classes.gaps, "within chance, all cells together at {}; nothing: no rows"
    chance = base.band_entry(words, found.level, banded=found.banded, style="chance", without=base.NO_CHANCE)
    return heat_entries(_OVER[classes.notion], _UNDER[classes.notion], chance)


def _told(classes: ClassDiagrams) -> str:
    found = classes.gaps
    shown = base.full(found.beyond, found.banded) & (found.rows > 0)
    over, under = (int((shown & side).sum()) for side in (found.gaps < 0, found.gaps > 0))
    chance = "beyond chance" if found.banded else "whatever chance is"
    worst = classes.names[int(classes.order[0])]
    return (
        f"{figure(int((found.rows > 0).sum()), 0)} cells hold rows, {over} are over-confident and {under} "
        f"under-confident {chance}. The worst class is {shortened(worst, 40)}."
    )


def _moved(panel: Panel, down: float) -> Panel:
    moved: dict[str, object] = {**vars(panel), "top": panel.top + down}
    return Panel(**moved)  # type: ignore[arg-type]
