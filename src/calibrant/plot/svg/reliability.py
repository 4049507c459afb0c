"""The reliability diagram with the histogram of the scores beneath."""

from __future__ import annotations

from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.svg import elements as svg
from calibrant.plot.svg import theme
from calibrant.plot.svg.frame import Frame, bin_hint, draw_bands, draw_gaps, draw_marks
from calibrant.plot.svg.legend import legend_height, legend_under
from calibrant.plot.words import count, percent, shortened

_SIDE = 372.0
_MAIN = Frame(58, 10, _SIDE, _SIDE)
_HISTOGRAM = Frame(58, 416, _SIDE, 72)
_WIDTH, _HEIGHT = 446.0, 532.0
_WIDE_ENOUGH = 0.24  # of the picture, for words in the strip of scores that cannot be: k up to 4
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_AXES = {
    "confidence": ("confidence: what the classifier says", "accuracy: how often it is right"),
    "class_wise": ("probability of the class", "how often the class occurs"),
}


def draw(diagram: ReliabilityDiagram, *, top: float | None = None, alone: bool = True) -> str:
    """Return the picture of one diagram.

    Parameters
    ----------
    diagram : from ``prepare``.
    top : share of rows at the top of the histogram, so that two pictures share their scales; by default that of the
        fullest bin.
    alone : with its style and legend. False for a page that has them.
    """
    content = [
        *_grid(),
        *_out_of_reach(diagram),
        *draw_bands(diagram, _MAIN),
        svg.line(_MAIN.x(0), _MAIN.y(0), _MAIN.x(1), _MAIN.y(1), "cal-diagonal"),
        *_regions(),
        *draw_gaps(diagram, _MAIN),
        *draw_marks(diagram, _MAIN, 5.5 if diagram.bins <= 30 else 3.5),
        _MAIN.border(),
        *_histogram(diagram, top or float(diagram.shares.max()) or 1.0),
        *_axis_titles(diagram),
    ]
    style, height = "", _HEIGHT
    if alone:
        content.append(legend_under(diagram.level, _MAIN.left, _HEIGHT + 4))
        style, height = theme.colours("svg.cal") + theme.PAPER + theme.STYLE, _HEIGHT + legend_height(diagram.level)
    return svg.picture(_WIDTH, height, *content, title=_title(diagram), description=_description(diagram), style=style)


def _title(diagram: ReliabilityDiagram) -> str:
    return f"Reliability diagram of {diagram.name or 'the confidence'}"


def _description(diagram: ReliabilityDiagram) -> str:
    """Return the picture in words."""
    over, under = int((diagram.over & diagram.beyond).sum()), int((diagram.under & diagram.beyond).sum())
    return (
        f"{count(diagram.n, 'row')} in {count(int(diagram.filled.sum()), 'filled bin')}. "
        f"Mean score {percent(diagram.mean_score)}, mean outcome {percent(diagram.outcome_rate)}, "
        f"mean gap {percent(diagram.error)}. Beyond chance: {over} over-confident, {under} under-confident."
    )


def _grid() -> list[str]:
    drawn = []
    for tick in _TICKS:
        x, y = _MAIN.x(tick), _MAIN.y(tick)
        drawn.append(svg.line(_MAIN.left, y, _MAIN.right, y, "cal-grid"))
        drawn.append(svg.line(x, _MAIN.top, x, _MAIN.bottom, "cal-grid"))
        drawn.append(svg.line(x, _HISTOGRAM.top, x, _HISTOGRAM.bottom, "cal-grid"))
        drawn.append(svg.label(f"{100 * tick:.0f}", _MAIN.left - 8, y + 4.5, "cal-end"))
        drawn.append(svg.label(f"{100 * tick:.0f}", x, _HISTOGRAM.bottom + 18, "cal-middle"))
    return drawn


def _out_of_reach(diagram: ReliabilityDiagram) -> list[str]:
    """Return the strip of scores that cannot be: the largest of k probabilities is at least 1/k."""
    least = diagram.least_score
    if least < _WIDE_ENOUGH:
        return []
    x, y, style = _MAIN.x(0.5 * least), _MAIN.y(0.5), "cal-small cal-faint cal-middle"
    return [
        svg.box(_MAIN.left, _MAIN.top, _MAIN.width * least, _MAIN.height, "cal-none"),
        svg.label("cannot be", x, y - 4, style),
        svg.label(f"below {percent(least, 0)}", x, y + 12, style),
    ]


def _regions() -> list[str]:
    return [
        svg.label("under-confident", _MAIN.left + 10, _MAIN.top + 20, "cal-small cal-faint"),
        svg.label("over-confident", _MAIN.right - 10, _MAIN.bottom - 12, "cal-small cal-faint cal-end"),
    ]


def _histogram(diagram: ReliabilityDiagram, top: float) -> list[str]:
    """Return the share of rows of each bin, and the rows of the fullest in words."""
    drawn = []
    for b in range(diagram.bins):
        if diagram.rows[b]:
            left, width = diagram.edges[b], _HISTOGRAM.width * (diagram.edges[b + 1] - diagram.edges[b])
            height = max(_HISTOGRAM.height * diagram.shares[b] / top, 1.0)  # few rows are not no rows
            x, y = _HISTOGRAM.x(left) + 0.5, _HISTOGRAM.bottom - height
            drawn.append(svg.box(x, y, max(width - 1, 0.5), height, "cal-bar", bin_hint(diagram, b)))
    drawn.append(_HISTOGRAM.border())
    drawn.append(svg.label(percent(top, 0), _HISTOGRAM.left - 8, _HISTOGRAM.top + 9, "cal-end"))
    drawn.append(svg.label("0", _HISTOGRAM.left - 8, _HISTOGRAM.bottom + 2, "cal-end"))
    return drawn + _fullest(diagram, top)


def _fullest(diagram: ReliabilityDiagram, top: float) -> list[str]:
    """Return the rows of the fullest bin, over its bar."""
    b = int(diagram.shares.argmax())
    if not diagram.rows[b]:
        return []
    y = _HISTOGRAM.bottom - _HISTOGRAM.height * diagram.shares[b] / top - 5
    words = count(int(diagram.rows[b]), "row")
    if diagram.edges[b] > 0.8:
        return [svg.label(words, _HISTOGRAM.x(diagram.edges[b + 1]), y, "cal-small cal-end")]
    if diagram.edges[b + 1] < 0.2:
        return [svg.label(words, _HISTOGRAM.x(diagram.edges[b]), y, "cal-small")]
    centre = 0.5 * (diagram.edges[b] + diagram.edges[b + 1])
    return [svg.label(words, _HISTOGRAM.x(centre), y, "cal-small cal-middle")]


def _axis_titles(diagram: ReliabilityDiagram) -> list[str]:
    below, beside = _AXES[diagram.notion]
    if diagram.name:
        below = f"probability of {shortened(diagram.name, 40)}"
    x = _MAIN.left + 0.5 * _SIDE
    return [
        svg.label(f"{below}, %", x, _HISTOGRAM.bottom + 38, "cal-middle"),
        _upright(f"{beside}, %", _MAIN),
        _upright("rows", _HISTOGRAM),
    ]


def _upright(words: str, frame: Frame) -> str:
    """Return the title of a y axis, turned."""
    y = frame.top + 0.5 * frame.height
    return svg.label(words, 16, y, "cal-middle", transform=f"rotate(-90 16 {svg.number(y)})")
