"""One class among many: a small reliability diagram without words of its own."""

from __future__ import annotations

from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.svg import elements as svg
from calibrant.plot.svg.frame import Frame, draw_bands, draw_gaps, draw_marks
from calibrant.plot.words import percent

_FRAME = Frame(30, 6, 150, 150)
_WIDTH, _HEIGHT = 194.0, 178.0


def draw_class(diagram: ReliabilityDiagram) -> str:
    """Return the small picture of one class, for a page that carries the style and names the class."""
    content = [
        *_axes(),
        *draw_bands(diagram, _FRAME),
        svg.line(_FRAME.x(0), _FRAME.y(0), _FRAME.x(1), _FRAME.y(1), "cal-diagonal"),
        *draw_gaps(diagram, _FRAME),
        *draw_marks(diagram, _FRAME, 4.0 if diagram.bins <= 30 else 2.5),
        _FRAME.border(),
    ]
    words = (
        f"Mean probability {percent(diagram.mean_score)}, occurs {percent(diagram.outcome_rate)}, "
        f"mean gap {percent(diagram.error)}."
    )
    return svg.picture(_WIDTH, _HEIGHT, *content, title=f"Reliability diagram of {diagram.name}", description=words)


def _axes() -> list[str]:
    drawn = []
    for tick in (0.0, 0.5, 1.0):
        x, y = _FRAME.x(tick), _FRAME.y(tick)
        drawn.append(svg.line(_FRAME.left, y, _FRAME.right, y, "cal-grid"))
        drawn.append(svg.line(x, _FRAME.top, x, _FRAME.bottom, "cal-grid"))
        drawn.append(svg.label(f"{100 * tick:.0f}", _FRAME.left - 5, y + 4, "cal-small cal-end"))
        drawn.append(svg.label(f"{100 * tick:.0f}", x, _FRAME.bottom + 15, "cal-small cal-middle"))
    return drawn
