"""What a picture is made of, in its own units: panels with axes and marks, drawn by `svg` and by `matplotlib` alike.

Places inside a panel are data; sizes and places of panels are pixels, y downwards. A style names its look in `theme`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Anchor = Literal["start", "middle", "end"]
Side = Literal["over", "under", "even"]


@dataclass(frozen=True)
class Axis:
    """A linear scale from ``low`` to ``high`` with ticks (place, text), a line across the panel at each if ``grid``."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()
    title: str = ""
    grid: bool = True


@dataclass(frozen=True, eq=False)
class Boxes:
    """Rectangles from (x0, y0) to (x1, y1), each (m,), with one style for all or one each."""

    x0: ArrayLike
    x1: ArrayLike
    y0: ArrayLike
    y1: ArrayLike
    styles: str | Sequence[str]
    hints: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Area:
    """What lies between two curves over x (m,)."""

    x: Floats
    low: Floats
    high: Floats
    style: str


@dataclass(frozen=True, eq=False)
class Path:
    """A line through points (m,)."""

    x: ArrayLike
    y: ArrayLike
    style: str


@dataclass(frozen=True, eq=False)
class Segments:
    """Straight lines from (x0, y0) to (x1, y1), each (m,); with heads they are arrows."""

    x0: ArrayLike
    y0: ArrayLike
    x1: ArrayLike
    y1: ArrayLike
    styles: str | Sequence[str]
    heads: bool = False
    hints: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Points:
    """Marks (m,): pointing down for over-confident, up for under-confident; full where beyond chance.

    ``flipped`` is for pictures in which over-confident is up.
    """

    x: ArrayLike
    y: ArrayLike
    sides: Sequence[Side]
    beyond: Sequence[bool] | NDArray[np.bool_]
    size: float = 5.5
    flipped: bool = False
    hints: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Words:
    """One line of text at a place, moved by pixels."""

    x: float
    y: float
    text: str
    style: str = "small faint"
    anchor: Anchor = "start"
    dx: float = 0.0
    dy: float = 0.0


Mark = Boxes | Area | Path | Segments | Points | Words


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel:
    """A rectangle of the picture with two axes and its marks, in the order they are drawn.

    ``small`` writes small; ``frame`` draws the left and lower edge; ``name`` stands above; ``slanted`` turns the words
    at the x axis.
    """

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    name: str = ""
    small: bool = False
    frame: bool = True
    slanted: bool = False

    @property
    def title_space(self) -> float:
        """Distance of the title of the y axis from it: beyond the words at the ticks."""
        return max(42.0, 28.0 + _LETTER * max((len(text) for _, text in self.y.ticks), default=0))

    @property
    def title_drop(self) -> float:
        """Distance of the baseline of the title of the x axis from it: below the words at the ticks."""
        if not self.slanted:
            return 38.0
        return max(38.0, 34.0 + _SLOPE * _LETTER * max((len(text) for _, text in self.x.ticks), default=0))

    @property
    def right(self) -> float:
        """Place of the right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Place of the lower edge."""
        return self.top + self.height

    def at_x(self, value: ArrayLike) -> Floats:
        """Return the places of data on the x axis."""
        share = (np.asarray(value, dtype=np.float64) - self.x.low) / (self.x.high - self.x.low)
        return self.left + self.width * share

    def at_y(self, value: ArrayLike) -> Floats:
        """Return the places of data on the y axis, which grow downwards."""
        share = (np.asarray(value, dtype=np.float64) - self.y.low) / (self.y.high - self.y.low)
        return self.top + self.height * (1 - share)


@dataclass(frozen=True, eq=False)
class Entry:
    """A symbol of the legend, drawn in a field of 20 x 16, y upwards, with its words."""

    mark: Mark
    words: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """A picture: its size, its panels, what it shows in words, and its legend."""

    width: float
    height: float
    panels: tuple[Panel, ...]
    title: str
    description: str
    legend: tuple[Entry, ...] = ()

    def with_legend(self) -> Scene:
        """Return the picture with the legend as its last panel."""
        if not self.legend:
            return self
        longest = SYMBOL[0] + 8 + _LETTER * max(len(entry.words) for entry in self.legend)
        width = max(self.width, _LEGEND_LEFT + longest + 8)
        panel = legend_panel(self.legend, _LEGEND_LEFT, self.height + 4, width - _LEGEND_LEFT)
        return Scene(
            width=width,
            height=self.height + panel.height + 12,
            panels=(*self.panels, panel),
            title=self.title,
            description=self.description,
        )


SYMBOL = (20.0, 16.0)
_LINE = 20.0
_LEGEND_LEFT = 58.0
_SLOPE = 0.57  # sine of the angle of slanted words
_LETTER = 6.9  # pixels of a letter of the usual size, on average


def legend_panel(entries: Sequence[Entry], left: float, top: float, width: float) -> Panel:
    """Return the symbols with their words, one a line."""
    height = _LINE * len(entries)
    marks: list[Mark] = []
    for i, entry in enumerate(entries):
        base = height - _LINE * (i + 1) + 2
        marks.append(_lifted(entry.mark, base))
        marks.append(Words(28, base + 0.5 * SYMBOL[1], entry.words, "", dy=4.5))
    return Panel(
        left=left,
        top=top,
        width=width,
        height=height,
        x=Axis(0, width),
        y=Axis(0, height),
        marks=tuple(marks),
        frame=False,
    )


def _lifted(mark: Mark, by: float) -> Mark:
    """Return a mark moved upwards."""
    moved = {
        name: np.asarray(value, dtype=np.float64) + by
        for name, value in vars(mark).items()
        if name in ("y", "y0", "y1", "low", "high")
    }
    return type(mark)(**{**vars(mark), **moved})
