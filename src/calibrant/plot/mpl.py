"""A scene on axes of matplotlib, which is imported when something is drawn and comes with the extra ``plot``."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from calibrant.errors import MissingExtra, require, sentence
from calibrant.plot import theme
from calibrant.plot.compose import scene
from calibrant.plot.scene import Area, Boxes, Panel, Path, Points, Scene, Segments, Words
from calibrant.plot.svg.elements import clean

Axes = Any  # of matplotlib, which need not be there
_INCH = 100.0  # pixels of a scene
_POINT = 72.0 / _INCH  # points to a pixel
_ASCENT = 13.0  # pixels of a title above its baseline
_DESCENT = 6.0  # pixels of a title under its baseline
_TEXT, _SMALL = 13 * _POINT, 11.5 * _POINT
Mode = Literal["light", "dark"]


def draw(record: object, ax: Axes | None = None, *, mode: Mode = "light") -> Axes:
    """Draw the picture of a record and return the axes that hold it.

    Parameters
    ----------
    record : from a ``prepare`` of `calibrant.plot`, or the scene of one.
    ax : axes to draw within, which lose their own frame; by default those of a new figure of the picture's size.
    mode : the ground it is drawn for, ``"light"`` or ``"dark"``.

    Raises
    ------
    MissingExtra : without matplotlib.
    DataError : for anything else than a record.
    """
    require(mode in ("light", "dark"), "mode", "be 'light' or 'dark'", repr(mode))
    whole = (record if isinstance(record, Scene) else scene(record)).with_legend()
    ax = _new_axes(whole, mode) if ax is None else ax
    ax.set_axis_off()
    for panel in whole.panels:
        _panel(ax, whole, panel, mode)
    return ax


def _new_axes(whole: Scene, mode: Mode) -> Axes:
    size = (whole.width / _INCH, whole.height / _INCH)
    figure = _matplotlib("pyplot").figure(figsize=size, dpi=_INCH, facecolor=_colour("paper", mode))
    return figure.add_axes((0, 0, 1, 1))


def _matplotlib(module: str) -> Any:
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError:
        condition, way_out = "be installed to draw on its axes", "pip install 'calibrant[plot]', or use plot.svg.draw"
        raise MissingExtra(sentence("matplotlib", condition, way_out=way_out)) from None


def _colour(name: str, mode: Mode) -> str:
    return "none" if name == "none" else theme.COLOURS[name][mode == "dark"]


# ---- axes ----------------------------------------------------------------------------------------------------------


def _panel(ax: Axes, whole: Scene, panel: Panel, mode: Mode) -> None:
    place = (
        panel.left / whole.width,
        1 - panel.bottom / whole.height,
        panel.width / whole.width,
        panel.height / whole.height,
    )
    inset = ax.inset_axes(place)
    inset.set(xlim=(panel.x.low, panel.x.high), ylim=(panel.y.low, panel.y.high), facecolor="none")
    inset.tick_params(length=0, pad=4, colors=_colour("soft", mode), labelsize=_SMALL if panel.small else _TEXT)
    _ticks(inset, panel)
    _spines(inset, panel, mode)
    _grid(inset, panel, mode)
    _titles(inset, panel, mode)
    for order, mark in enumerate(panel.marks):
        _mark(mark, inset, mode, 2 + 0.01 * order)


def _ticks(inset: Axes, panel: Panel) -> None:
    for axis, given in ((inset.xaxis, panel.x), (inset.yaxis, panel.y)):
        axis.set_ticks([value for value, _ in given.ticks], [clean(text) for _, text in given.ticks])
        for label in axis.get_ticklabels():
            label.set_parse_math(False)
    if panel.slanted:
        for label in inset.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")


def _spines(inset: Axes, panel: Panel, mode: Mode) -> None:
    for side, spine in inset.spines.items():
        spine.set_visible(panel.frame and side in ("left", "bottom"))
        spine.set(color=_colour("axis", mode), linewidth=_POINT)


def _grid(inset: Axes, panel: Panel, mode: Mode) -> None:
    look = {"color": _colour("line", mode), "linewidth": _POINT, "zorder": 1}
    if panel.x.grid:
        for value, _ in panel.x.ticks:
            inset.axvline(value, **look)
    if panel.y.grid:
        for value, _ in panel.y.ticks:
            inset.axhline(value, **look)


def _titles(inset: Axes, panel: Panel, mode: Mode) -> None:
    words = {"color": _colour("soft", mode), "fontsize": _TEXT, "parse_math": False}
    if panel.x.title:
        inset.set_xlabel(clean(panel.x.title), **words)
        inset.xaxis.set_label_coords(0.5, (_ASCENT - panel.title_drop) / panel.height)
    if panel.y.title:
        inset.set_ylabel(clean(panel.y.title), **words)
        inset.yaxis.set_label_coords((_DESCENT - panel.title_space) / panel.width, 0.5)
    if panel.name:
        named = {**words, "color": _colour("ink", mode), "fontsize": _SMALL}
        inset.annotate(clean(panel.name), (0, 1), (0, 9 * _POINT), **_FROM_AXES, **named)


_FROM_AXES: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}


# ---- marks ---------------------------------------------------------------------------------------------------------


@functools.singledispatch
def _mark(mark: object, inset: Axes, mode: Mode, order: float) -> None:
    raise AssertionError(f"no way to draw {type(mark).__name__} on {inset}, {mode}, {order}")


def _patch_look(style: str, mode: Mode) -> dict[str, Any]:
    look = theme.LOOKS[style]
    return {
        "facecolor": _colour(look.fill, mode),
        "edgecolor": _colour(look.stroke, mode),
        "linewidth": look.width * _POINT if look.stroke != "none" else 0,
        "alpha": look.opacity,
    }


def _line_look(style: str, mode: Mode) -> dict[str, Any]:
    look = theme.LOOKS[style]
    width = look.width * _POINT
    dashes = (0, tuple(part / look.width for part in look.dash)) if look.dash else "-"
    return {"color": _colour(look.stroke, mode), "linewidth": width, "linestyle": dashes, "alpha": look.opacity}


@_mark.register
def _boxes(mark: Boxes, inset: Axes, mode: Mode, order: float) -> None:
    x0, x1, y0, y1 = (np.asarray(side, dtype=np.float64) for side in (mark.x0, mark.x1, mark.y0, mark.y1))
    corners = np.stack([np.stack([x0, x1, x1, x0], 1), np.stack([y0, y0, y1, y1], 1)], axis=2)  # (m, 4, 2)
    for style, rows in _by_style(mark.styles, len(x0)):
        look = _patch_look(style, mode)
        drawn = _matplotlib("collections").PolyCollection(list(corners[rows]), zorder=order, **look)
        inset.add_collection(drawn, autolim=False)


@_mark.register
def _area(mark: Area, inset: Axes, mode: Mode, order: float) -> None:
    inset.fill_between(mark.x, mark.low, mark.high, zorder=order, **_patch_look(mark.style, mode))


@_mark.register
def _path(mark: Path, inset: Axes, mode: Mode, order: float) -> None:
    inset.plot(mark.x, mark.y, zorder=order, clip_on=False, **_line_look(mark.style, mode))


@_mark.register
def _segments(mark: Segments, inset: Axes, mode: Mode, order: float) -> None:
    ends = np.stack([np.stack([mark.x0, mark.y0], 1), np.stack([mark.x1, mark.y1], 1)], axis=1)  # (m, 2, 2)
    for style, rows in _by_style(mark.styles, len(ends)):
        if mark.heads:
            _arrows(ends[rows], inset, style, mode, order)
        else:
            look = _line_look(style, mode)
            drawn = _matplotlib("collections").LineCollection(list(ends[rows]), zorder=order, **look)
            inset.add_collection(drawn, autolim=False)


def _arrows(ends: Any, inset: Axes, style: str, mode: Mode, order: float) -> None:
    look = _line_look(style, mode)
    shape = {"arrowstyle": "-|>,head_length=0.35,head_width=0.18", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    for tail, head in ends:
        inset.annotate("", head, tail, arrowprops={**shape, **look}, annotation_clip=False, zorder=order)


@_mark.register
def _points(mark: Points, inset: Axes, mode: Mode, order: float) -> None:
    x, y = np.asarray(mark.x, dtype=np.float64), np.asarray(mark.y, dtype=np.float64)
    down, up = ("^", "v") if mark.flipped else ("v", "^")
    names = {"over": ("over", down), "under": ("under", up), "even": ("soft", "D")}
    kinds = [f"{side} {bool(there)}" for side, there in zip(mark.sides, mark.beyond, strict=True)]
    for kind, rows in _by_style(kinds, len(x)):
        side, there = kind.split()
        name, shape = names[side]
        colour = _colour(name, mode)
        face = colour if there == "True" else _colour("paper", mode)
        area = (1.9 * mark.size * _POINT) ** 2
        inset.scatter(
            x[rows],
            y[rows],
            area,
            facecolor=face,
            edgecolor=colour,
            marker=shape,
            linewidth=1.1,
            zorder=order,
            clip_on=False,
        )


@_mark.register
def _words(mark: Words, inset: Axes, mode: Mode, order: float) -> None:
    parts = mark.style.split()
    colour = "ink" if "ink" in parts else "paper" if "reverse" in parts else "axis" if "faint" in parts else "soft"
    ha = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
    inset.annotate(
        clean(mark.text),
        (mark.x, mark.y),
        (mark.dx * _POINT, -mark.dy * _POINT),
        textcoords="offset points",
        ha=ha,
        va="baseline",
        color=_colour(colour, mode),
        fontsize=_SMALL if "small" in parts else _TEXT,
        parse_math=False,
        annotation_clip=False,
        zorder=order,
    )


def _by_style(styles: str | Sequence[str], m: int) -> list[tuple[str, list[int]]]:
    """Return each style with the marks that have it, in the order of their first use."""
    if isinstance(styles, str):
        return [(styles, list(range(m)))]
    found: dict[str, list[int]] = {}
    for i, style in enumerate(styles):
        found.setdefault(style, []).append(i)
    return list(found.items())
