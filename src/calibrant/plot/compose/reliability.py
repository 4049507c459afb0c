"""The reliability diagram with the histogram of the scores beneath, and the small one of a class."""

from __future__ import annotations

import numpy as np

from calibrant.plot.compose import base
from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.scene import Boxes, Entry, Mark, Panel, Points, Scene, Segments
from calibrant.plot.words import count, percent, shortened

_AXES = {
    "confidence": ("confidence: what the classifier says", "accuracy: how often it is right"),
    "class_wise": ("probability of {}", "how often the class occurs"),
    "top_label": ("confidence where {} is predicted", "how often it is right"),
}
_BANDS = {
    "consistency": "where {} of the bins would lie if calibrated",
    "bootstrap": "{} interval of what happens in the bin",
}
_OVER = "over-confident: {} less often than it says"
_UNDER = "under-confident: {} more often than it says"
_SMALL = 150.0


@base.scene.register
def compose(diagram: ReliabilityDiagram, *, top: float | None = None) -> Scene:
    """Return the scene of one diagram; ``top`` is the share of rows at the top of the histogram."""
    below, beside = (words.format(shortened(diagram.name, 40) or "the class") for words in _AXES[diagram.notion])
    marks = [
        *base.out_of_reach(diagram.least_score),
        *_band(diagram, base.SIDE),
        base.diagonal(),
        *base.regions(),
        *_marks(diagram, 5.5 if diagram.bins <= 30 else 3.5),
    ]
    hints = [bin_hint(diagram, b) for b in filled_bins(diagram)]
    histogram = base.strip(diagram.edges, diagram.shares, f"{below}, %", top=top, rows=diagram.rows, hints=hints)
    return Scene(
        width=base.WIDTH,
        height=base.WITH_STRIP,
        panels=(base.square(marks, "", f"{beside}, %"), histogram),
        title=f"Reliability diagram of {diagram.name or 'the confidence'}",
        description=_description(diagram),
        legend=tuple(legend(diagram)),
    )


def small(diagram: ReliabilityDiagram, left: float = 30.0, top: float = 6.0, *, named: bool = False) -> Panel:
    """Return the diagram of one class among many, without words of its own."""
    ticks = base.shares_axis(ticks=(0.0, 0.5, 1.0))
    return Panel(
        left=left,
        top=top,
        width=_SMALL,
        height=_SMALL,
        x=ticks,
        y=ticks,
        marks=(
            *_band(diagram, _SMALL),
            base.diagonal(),
            *_marks(diagram, 4.0 if diagram.bins <= 30 else 2.5),
        ),
        name=shortened(diagram.name, 22) if named else "",
        small=True,
    )


def small_scene(diagram: ReliabilityDiagram) -> Scene:
    """Return the picture of one class, for a page that names it."""
    words = (
        f"Mean score {percent(diagram.mean_score)}, happens {percent(diagram.outcome_rate)}, "
        f"mean gap {percent(diagram.error)}."
    )
    title = f"Reliability diagram of {diagram.name}"
    return Scene(width=194.0, height=178.0, panels=(small(diagram),), title=title, description=words)


def legend(diagram: ReliabilityDiagram) -> list[Entry]:
    """Return the symbols with their words."""
    happens = "occurs" if diagram.notion == "class_wise" else "right"
    return [
        *base.point_entries(_OVER.format(happens), _UNDER.format(happens), banded=diagram.banded),
        base.band_entry(_BANDS[diagram.band], diagram.level, banded=diagram.banded),
        base.diagonal_entry(),
    ]


def _band(diagram: ReliabilityDiagram, height: float) -> list[Mark]:
    """Return the band of each filled bin, over the width of the bin; a band of one value is still seen."""
    if not diagram.banded:
        return []
    filled = filled_bins(diagram)
    middle = 0.5 * (diagram.low + diagram.high)[filled]
    half = np.maximum(0.5 * (diagram.high - diagram.low)[filled], 0.75 / height)
    return [Boxes(diagram.edges[filled], diagram.edges[1:][filled], middle - half, middle + half, "band")]


def _marks(diagram: ReliabilityDiagram, size: float) -> list[Mark]:
    """Return a bar from the diagonal to the outcome rate of each bin, and a mark at its end."""
    sides, beyond = diagram.sides, base.full(diagram.beyond, diagram.banded)
    off = [b for b in filled_bins(diagram) if sides[b] != "even"]
    score, rate = diagram.mean_scores, diagram.outcome_rates
    styles = [f"gap-{sides[b]}" + ("" if beyond[b] else " weak") for b in off]
    filled = filled_bins(diagram)
    return [
        Segments(score[off], score[off], score[off], rate[off], styles),
        Points(
            score[filled],
            rate[filled],
            [sides[b] for b in filled],
            beyond[filled],
            size,
            hints=[bin_hint(diagram, b) for b in filled],
        ),
    ]


def filled_bins(diagram: ReliabilityDiagram) -> list[int]:
    """Return the bins that hold rows."""
    return [int(b) for b in np.flatnonzero(diagram.filled)]


def bin_hint(diagram: ReliabilityDiagram, b: int) -> str:
    """Return what one bin holds, in words."""
    happens = "occurs" if diagram.notion == "class_wise" else "is right"
    bounds = f"{percent(diagram.edges[b])} to {percent(diagram.edges[b + 1])}"
    rows = count(int(diagram.rows[b]), "row")
    told = f"says {percent(diagram.mean_scores[b])}, {happens} {percent(diagram.outcome_rates[b])}"
    if not diagram.banded:
        return f"{bounds}: {rows}, {told}"
    chance = "if calibrated" if diagram.band == "consistency" else "interval"
    return f"{bounds}: {rows}, {told}; {chance} {percent(diagram.low[b])} to {percent(diagram.high[b])}"


def _description(diagram: ReliabilityDiagram) -> str:
    """Return the picture in words."""
    shown = base.full(diagram.beyond, diagram.banded)
    over, under = int((diagram.over & shown).sum()), int((diagram.under & shown).sum())
    chance = "Beyond chance" if diagram.banded else "Soft labels, whatever chance is"
    return (
        f"{count(diagram.n, 'row')} in {count(int(diagram.filled.sum()), 'filled bin')}. "
        f"Mean score {percent(diagram.mean_score)}, mean outcome {percent(diagram.outcome_rate)}, "
        f"mean gap {percent(diagram.error)}. {chance}: {over} over-confident, {under} under-confident."
    )
