"""What the pictures share: axes of shares, the histogram beneath, the symbols of the legend."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, sentence
from calibrant.plot.scene import Axis, Boxes, Entry, Mark, Panel, Path, Points, Scene, Words
from calibrant.plot.words import NOTHING, count, exact_percent, percent

Floats = NDArray[np.float64]
LEFT, TOP, SIDE = 58.0, 10.0, 372.0
WIDTH = 446.0
STRIP_TOP, STRIP_HEIGHT = 416.0, 72.0
WITH_STRIP = 532.0  # height of a picture with the histogram
WIDE_ENOUGH = 0.24  # of the picture, for words in the strip of scores that cannot be: k up to 4
CONFIDENCE, ACCURACY = "confidence: what the classifier says, %", "accuracy: how often it is right, %"
NO_BAND = "no band: soft labels are less noisy than drawn ones"
NO_CHANCE = "chance not told apart: soft labels are less noisy than drawn ones"
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@functools.singledispatch
def scene(record: object) -> Scene:
    """Return the scene of a prepared record; ``DataError`` for anything else."""
    raise DataError(sentence("picture", "be what a prepare of calibrant.plot returns", type(record).__name__))


def shares_axis(title: str = "", *, labelled: bool = True, ticks: Sequence[float] = _TICKS, grid: bool = True) -> Axis:
    """Return the axis from 0 to 100 %."""
    told = tuple((tick, f"{100 * tick:.0f}" if labelled else "") for tick in ticks)
    return Axis(0.0, 1.0, told, title, grid)


def diagonal() -> Path:
    """Return the line of the calibrated model."""
    return Path([0, 1], [0, 1], "diagonal")


def square(marks: Sequence[Mark], below: str, beside: str) -> Panel:
    """Return the panel of shares against shares; without words below where the histogram follows."""
    return Panel(
        left=LEFT,
        top=TOP,
        width=SIDE,
        height=SIDE,
        x=shares_axis(below, labelled=bool(below)),
        y=shares_axis(beside),
        marks=tuple(marks),
    )


def out_of_reach(least: float) -> list[Mark]:
    """Return the strip of scores that cannot be: the largest of k probabilities is at least 1/k."""
    if least < WIDE_ENOUGH:
        return []
    return [
        Boxes([0], [least], [0], [1], "none"),
        Words(0.5 * least, 0.5, "cannot be", anchor="middle", dy=-4),
        Words(0.5 * least, 0.5, f"below {percent(least, 0)}", anchor="middle", dy=12),
    ]


def regions() -> list[Mark]:
    """Return the names of the two sides of the diagonal."""
    return [
        Words(0, 1, "under-confident", dx=10, dy=20),
        Words(1, 0, "over-confident", anchor="end", dx=-10, dy=-12),
    ]


def strip(
    edges: Floats,
    shares: Floats,
    below: str,
    *,
    top: float | None = None,
    rows: NDArray[np.int64] | None = None,
    hints: Sequence[str] = (),
) -> Panel:
    """Return the histogram of the scores; with ``rows`` it tells those of the fullest bin."""
    filled = np.flatnonzero(shares > 0)
    top = top or float(shares.max()) or 1.0
    heights = np.maximum(shares[filled], top / STRIP_HEIGHT)  # few rows are not no rows
    inset = np.minimum(0.5 / SIDE, 0.25 * np.diff(edges)[filled])
    bars = Boxes(edges[filled] + inset, edges[filled + 1] - inset, np.zeros(len(filled)), heights, "bar", hints)
    words = [] if rows is None or not len(filled) else [_fullest(edges, shares, rows)]
    return Panel(
        left=LEFT,
        top=STRIP_TOP,
        width=SIDE,
        height=STRIP_HEIGHT,
        x=shares_axis(below),
        y=Axis(0.0, top, ((0.0, "0"), (top, percent(top, 0))), "rows", grid=False),
        marks=(bars, *words),
    )


def _fullest(edges: Floats, shares: Floats, rows: NDArray[np.int64]) -> Words:
    b = int(shares.argmax())
    words = count(int(rows[b]), "row")
    if edges[b] > 0.8:
        return Words(edges[b + 1], shares[b], words, "small", "end", dy=-5)
    if edges[b + 1] < 0.2:
        return Words(edges[b], shares[b], words, "small", dy=-5)
    return Words(0.5 * (edges[b] + edges[b + 1]), shares[b], words, "small", "middle", dy=-5)


# ---- the legend ----------------------------------------------------------------------------------------------------


def point_entries(over: str, under: str, *, banded: bool, flipped: bool = False) -> list[Entry]:
    """Return the symbols of the bins, hollow ones only where chance is known."""
    entries = [
        Entry(Points([10], [8], ["over"], [True], flipped=flipped), over),
        Entry(Points([10], [8], ["under"], [True], flipped=flipped), under),
        Entry(Points([10], [8], ["over"], [False], flipped=flipped), "hollow: within chance"),
    ]
    return entries if banded else entries[:2]


def band_entry(words: str, level: float, *, banded: bool, style: str = "band", without: str = NO_BAND) -> Entry:
    """Return the symbol of a band, ``{}`` in the words being its level, or why there is none."""
    if not banded:
        return Entry(Words(10, 8, NOTHING, "", "middle", dy=4.5), without)
    return Entry(Boxes([2], [18], [3], [13], style), words.format(exact_percent(level)))


def full(beyond: NDArray[np.bool_], banded: bool) -> NDArray[np.bool_]:
    """Return which marks are drawn full: those beyond chance, and all where chance is not known."""
    return beyond | (not banded)


def diagonal_entry() -> Entry:
    """Return the symbol of the diagonal."""
    return Entry(Path([1, 19], [8, 8], "diagonal"), "calibrated: says what happens")


def line_entry(style: str, words: str) -> Entry:
    """Return the symbol of a line."""
    return Entry(Path([1, 19], [8, 8], style), words)
