"""A square of shares: from data to places in the picture, and its axes."""

from __future__ import annotations

from dataclasses import dataclass

from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.svg import elements as svg
from calibrant.plot.words import count, percent


@dataclass(frozen=True)
class Frame:
    """A rectangle of the picture on which x and y run from 0 to 1, y upwards."""

    left: float
    top: float
    width: float
    height: float

    def x(self, share: float) -> float:
        """Return the place of a share on the x axis."""
        return self.left + self.width * share

    def y(self, share: float) -> float:
        """Return the place of a share on the y axis."""
        return self.top + self.height * (1 - share)

    @property
    def bottom(self) -> float:
        """Return the place of y = 0."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """Return the place of x = 1."""
        return self.left + self.width

    def border(self) -> str:
        """Return the left and lower edge."""
        return svg.line(self.left, self.top, self.left, self.bottom, "cal-frame") + svg.line(
            self.left, self.bottom, self.right, self.bottom, "cal-frame"
        )


def draw_bands(diagram: ReliabilityDiagram, frame: Frame) -> list[str]:
    """Return the consistency band of each filled bin, over the width of the bin."""
    drawn = []
    for b in range(diagram.bins):
        if diagram.rows[b]:
            x, width = frame.x(diagram.edges[b]), frame.width * (diagram.edges[b + 1] - diagram.edges[b])
            top, bottom = frame.y(diagram.high[b]), frame.y(diagram.low[b])
            height = max(bottom - top, 1.5)  # a band of one value is still seen
            drawn.append(svg.box(x, 0.5 * (top + bottom - height), width, height, "cal-band"))
    return drawn


def draw_gaps(diagram: ReliabilityDiagram, frame: Frame) -> list[str]:
    """Return a bar from the diagonal to the outcome rate of each bin."""
    drawn = []
    for b in range(diagram.bins):
        side = "over" if diagram.over[b] else "under" if diagram.under[b] else ""
        if side:
            x, score, rate = frame.x(diagram.mean_scores[b]), diagram.mean_scores[b], diagram.outcome_rates[b]
            weak = "" if diagram.beyond[b] else " cal-weak"
            drawn.append(svg.line(x, frame.y(score), x, frame.y(rate), f"cal-gap-{side}{weak}"))
    return drawn


def draw_marks(diagram: ReliabilityDiagram, frame: Frame, radius: float) -> list[str]:
    """Return a mark for each filled bin: down for over-confident, up for under-confident, hollow inside the band."""
    drawn = []
    for b in range(diagram.bins):
        if diagram.rows[b]:
            side = "over" if diagram.over[b] else "under" if diagram.under[b] else "even"
            x, y = frame.x(diagram.mean_scores[b]), frame.y(diagram.outcome_rates[b])
            drawn.append(mark(side, bool(diagram.beyond[b]), x, y, radius, bin_hint(diagram, b)))
    return drawn


def mark(side: str, beyond: bool, x: float, y: float, radius: float, hint: str = "") -> str:
    """Return one mark; the point of a triangle lies on the value's far side."""
    class_ = f"cal-{side} cal-beyond" if beyond else f"cal-{side}"
    if side == "even":
        corners = [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)]
    else:
        tip = radius if side == "over" else -radius
        corners = [(x - radius, y - 0.75 * tip), (x + radius, y - 0.75 * tip), (x, y + tip)]
    return svg.polygon(corners, class_, hint)


def bin_hint(diagram: ReliabilityDiagram, b: int) -> str:
    """Return what one bin holds, in words."""
    says, happens = ("says", "is right") if diagram.notion == "confidence" else ("says", "occurs")
    low, high = percent(diagram.low[b]), percent(diagram.high[b])
    bounds = f"{percent(diagram.edges[b])} to {percent(diagram.edges[b + 1])}"
    rows = count(int(diagram.rows[b]), "row")
    told = f"{says} {percent(diagram.mean_scores[b])}, {happens} {percent(diagram.outcome_rates[b])}"
    return f"{bounds}: {rows}, {told}; if calibrated {low} to {high}"
