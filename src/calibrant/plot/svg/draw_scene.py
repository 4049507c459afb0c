"""A scene as SVG: one function a kind of mark, one for the axes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from calibrant.plot import theme
from calibrant.plot.scene import SYMBOL, Area, Axis, Boxes, Mark, Panel, Path, Points, Scene, Segments, Words
from calibrant.plot.svg import elements as svg

_HEAD = 7.0  # length of an arrow's head
_SHORTEST = 2.0  # arrows under this many pixels are not seen


def draw_scene(scene: Scene, *, alone: bool = True) -> str:
    """Return the picture; ``alone`` with its style and legend, not for a page that has them."""
    whole = scene.with_legend() if alone else scene
    style = theme.colours("svg.cal") + theme.PAPER + theme.style_of(_styles(whole)) if alone else ""
    content = [part for panel in whole.panels for part in _panel(panel)]
    return svg.picture(
        whole.width, whole.height, *content, title=scene.title, description=scene.description, style=style
    )


def _styles(scene: Scene) -> set[str]:
    """Return the styles of all boxes and lines, those that differ from picture to picture."""
    found: set[str] = set()
    for mark in (mark for panel in scene.panels for mark in panel.marks):
        styles = mark.styles if isinstance(mark, Boxes) else mark.style if isinstance(mark, Path) else ()
        found.update([styles] if isinstance(styles, str) else styles)
    return found


def draw_symbol(mark: Mark, title: str) -> str:
    """Return the small picture of one symbol of a legend."""
    width, height = SYMBOL
    panel = Panel(left=0, top=0, width=width, height=height, x=Axis(0, width), y=Axis(0, height), marks=())
    return svg.picture(width, height, *_marks(mark, panel), title=title, fixed=True)


# ---- axes ----------------------------------------------------------------------------------------------------------


def _panel(panel: Panel) -> list[str]:
    drawn = [*_grid(panel), *(part for mark in panel.marks for part in _marks(mark, panel))]
    if panel.frame:
        drawn.append(svg.line(panel.left, panel.top, panel.left, panel.bottom, "cal-frame"))
        drawn.append(svg.line(panel.left, panel.bottom, panel.right, panel.bottom, "cal-frame"))
    return [*drawn, *_titles(panel)]


def _grid(panel: Panel) -> list[str]:
    drawn, small = [], "cal-small " if panel.small else ""
    near, below = (5, 15) if panel.small else (8, 18)
    for value, text in panel.y.ticks:
        y = float(panel.at_y(value))
        if panel.y.grid:
            drawn.append(svg.line(panel.left, y, panel.right, y, "cal-grid"))
        drawn.append(svg.label(text, panel.left - near, y + 4.5, f"{small}cal-end") if text else "")
    for value, text in panel.x.ticks:
        x = float(panel.at_x(value))
        if panel.x.grid:
            drawn.append(svg.line(x, panel.top, x, panel.bottom, "cal-grid"))
        drawn.append(_under(panel, text, x, below, small) if text else "")
    return drawn


def _under(panel: Panel, text: str, x: float, below: float, small: str) -> str:
    if not panel.slanted:
        return svg.label(text, x, panel.bottom + below, f"{small}cal-middle")
    y = panel.bottom + below - 4
    return svg.label(text, x, y, f"{small}cal-end", transform=f"rotate(-35 {svg.number(x)} {svg.number(y)})")


def _titles(panel: Panel) -> list[str]:
    drawn = []
    if panel.name:
        drawn.append(svg.label(panel.name, panel.left, panel.top - 9, "cal-small cal-ink"))
    if panel.x.title:
        x, y = panel.left + 0.5 * panel.width, panel.bottom + panel.title_drop
        drawn.append(svg.label(panel.x.title, x, y, "cal-middle"))
    if panel.y.title:
        x, y = panel.left - panel.title_space, panel.top + 0.5 * panel.height
        turn = f"rotate(-90 {svg.number(x)} {svg.number(y)})"
        drawn.append(svg.label(panel.y.title, x, y, "cal-middle", transform=turn))
    return drawn


# ---- marks ---------------------------------------------------------------------------------------------------------


@functools.singledispatch
def _marks(mark: object, panel: Panel) -> list[str]:
    raise AssertionError(f"no way to draw {type(mark).__name__} on {panel.name}")


@_marks.register
def _boxes(mark: Boxes, panel: Panel) -> list[str]:
    x0, x1, y0, y1 = panel.at_x(mark.x0), panel.at_x(mark.x1), panel.at_y(mark.y0), panel.at_y(mark.y1)
    return [
        svg.box(x0[i], y1[i], x1[i] - x0[i], y0[i] - y1[i], _class(mark.styles, i), _hint(mark.hints, i))
        for i in range(len(x0))
    ]


@_marks.register
def _area(mark: Area, panel: Panel) -> list[str]:
    x = panel.at_x(np.concatenate([mark.x, mark.x[::-1]]))
    y = panel.at_y(np.concatenate([mark.high, mark.low[::-1]]))
    return [svg.polygon(zip(x, y, strict=True), theme.selector(mark.style))]


@_marks.register
def _path(mark: Path, panel: Panel) -> list[str]:
    x, y = panel.at_x(mark.x), panel.at_y(mark.y)
    class_ = theme.selector(mark.style)
    if len(x) == 2:
        return [svg.line(x[0], y[0], x[1], y[1], class_)]
    return [svg.tag("polyline", points=svg.coordinates(zip(x, y, strict=True)), class_=class_)]


@_marks.register
def _segments(mark: Segments, panel: Panel) -> list[str]:
    x0, y0, x1, y1 = panel.at_x(mark.x0), panel.at_y(mark.y0), panel.at_x(mark.x1), panel.at_y(mark.y1)
    draw = _arrow if mark.heads else _segment
    return [draw(x0[i], y0[i], x1[i], y1[i], _class(mark.styles, i), _hint(mark.hints, i)) for i in range(len(x0))]


def _segment(x0: float, y0: float, x1: float, y1: float, class_: str, hint: str) -> str:
    del hint  # marks at their ends have it
    return svg.line(x0, y0, x1, y1, class_)


def _arrow(x0: float, y0: float, x1: float, y1: float, class_: str, hint: str) -> str:
    """Return a shaft that ends where its head begins."""
    length = math.hypot(x1 - x0, y1 - y0)
    if length < _SHORTEST:
        return ""
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    head = min(_HEAD, 0.6 * length)
    x, y = x1 - head * ux, y1 - head * uy
    tip = [(x1, y1), (x - 0.45 * head * uy, y + 0.45 * head * ux), (x + 0.45 * head * uy, y - 0.45 * head * ux)]
    return svg.line(x0, y0, x, y, class_) + svg.polygon(tip, f"{class_} cal-head", hint)


@_marks.register
def _points(mark: Points, panel: Panel) -> list[str]:
    x, y, size = panel.at_x(mark.x), panel.at_y(mark.y), mark.size
    drawn = []
    for i, side in enumerate(mark.sides):
        class_ = f"cal-{side} cal-beyond" if mark.beyond[i] else f"cal-{side}"
        down = (side == "over") != mark.flipped
        drawn.append(svg.polygon(_corners(side, down, x[i], y[i], size), class_, _hint(mark.hints, i)))
    return drawn


def _corners(side: str, down: bool, x: float, y: float, size: float) -> list[tuple[float, float]]:
    """Return the corners of one mark, the point of a triangle last."""
    if side == "even":
        return [(x - size, y), (x, y - size), (x + size, y), (x, y + size)]
    tip = size if down else -size
    return [(x - size, y - 0.75 * tip), (x + size, y - 0.75 * tip), (x, y + tip)]


@_marks.register
def _words(mark: Words, panel: Panel) -> list[str]:
    x, y = float(panel.at_x(mark.x)) + mark.dx, float(panel.at_y(mark.y)) + mark.dy
    anchor = "" if mark.anchor == "start" else f" cal-{mark.anchor}"
    return [svg.label(mark.text, x, y, f"{theme.selector(mark.style)}{anchor}".strip())]


def _class(styles: str | Sequence[str], i: int) -> str:
    return theme.selector(styles if isinstance(styles, str) else styles[i])


def _hint(hints: Sequence[str], i: int) -> str:
    return hints[i] if hints else ""
