"""What the marks mean."""

from __future__ import annotations

from calibrant.plot.svg import elements as svg
from calibrant.plot.svg.frame import mark
from calibrant.plot.words import exact_percent

_LINE = 20.0


def entries(level: float) -> list[tuple[str, str]]:
    """Return the symbols (20 x 16 each) with their words."""
    band = svg.box(2, 3, 16, 10, "cal-band")
    return [
        (mark("over", True, 10, 8, 5.5), "over-confident: right less often than it says"),
        (mark("under", True, 10, 8, 5.5), "under-confident: right more often than it says"),
        (mark("over", False, 10, 8, 5.5), "hollow: within chance"),
        (band, f"where {exact_percent(level)} of the bins would lie if calibrated"),
        (svg.line(1, 8, 19, 8, "cal-diagonal"), "calibrated: says what happens"),
    ]


def draw_legend(level: float) -> list[tuple[str, str]]:
    """Return (small picture, words) for each symbol, for a page to lay out."""
    return [(svg.picture(20, 16, symbol, title=words, fixed=True), words) for symbol, words in entries(level)]


def legend_height(level: float) -> float:
    """Return the height of the legend under a picture."""
    return _LINE * len(entries(level)) + 8


def legend_under(level: float, left: float, top: float) -> str:
    """Return the legend as lines of a picture."""
    drawn = []
    for i, (symbol, words) in enumerate(entries(level)):
        y = top + i * _LINE
        drawn.append(svg.tag("g", symbol, transform=f"translate({svg.number(left)} {svg.number(y)})"))
        drawn.append(svg.label(words, left + 28, y + 12.5))
    return "".join(drawn)
