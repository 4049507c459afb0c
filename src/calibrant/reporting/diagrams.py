"""The reliability diagrams side by side, on the same scales, each with the table of its bins."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from calibrant.plot import ReliabilityDiagram, svg
from calibrant.plot.words import NOTHING, figure, percent
from calibrant.reporting.record import Pictures


def pair(pictures: Pictures) -> list[dict[str, Any]]:
    """Return the picture before and, where there is a repair, the one after."""
    shown = [("As given", pictures.before)]
    if pictures.after is not None:
        shown = [("Before, as given", pictures.before), ("After repair, out of fold", pictures.after)]
    top = max(float(diagram.shares.max()) for _, diagram in shown)
    return [_described(title, diagram, top) for title, diagram in shown]


def _described(title: str, diagram: ReliabilityDiagram, top: float) -> dict[str, Any]:
    return {
        "title": title,
        "picture": Markup(svg.draw(diagram, top=top, alone=False)),
        "says": percent(diagram.mean_score),
        "right": percent(diagram.outcome_rate),
        "error": percent(diagram.error),
        "bins": [_bin(diagram, b) for b in range(diagram.bins) if diagram.rows[b]],
        "empty": int((~diagram.filled).sum()),
    }


def _bin(diagram: ReliabilityDiagram, b: int) -> dict[str, str]:
    return {
        "range": f"{figure(100 * diagram.edges[b], 1)} – {percent(diagram.edges[b + 1])}",
        "rows": f"{int(diagram.rows[b]):,}",
        "says": percent(diagram.mean_scores[b]),
        "right": percent(diagram.outcome_rates[b]),
        "band": f"{figure(100 * diagram.low[b], 1)} – {percent(diagram.high[b])}" if diagram.banded else NOTHING,
        "beyond": ("beyond" if diagram.beyond[b] else "within") if diagram.banded else NOTHING,
    }
