"""The errors of all classes in one strip, the largest first: for more classes than can be drawn one by one."""

from __future__ import annotations

import numpy as np

from calibrant.plot.classwise import ClassDiagrams
from calibrant.plot.svg import elements as svg

_WIDTH, _HEIGHT = 900.0, 90.0
_MOST_STEPS = 450  # finer than a screen shows


def draw_errors(classes: ClassDiagrams) -> str:
    """Return the strip, stretched to the page's width: errors as an area, those of a calibrated model as a line.

    Of soft labels nobody knows the errors of a calibrated model, and there is no line.
    """
    picked = np.linspace(0, len(classes.order) - 1, min(len(classes.order), _MOST_STEPS)).astype(int)
    ranked, null_ranked = classes.errors[classes.order][picked], classes.null_ranked[picked]
    top = float(np.nanmax([classes.errors.max(), classes.null_ranked.max()])) or 1.0
    step = _WIDTH / len(ranked)
    area = [(0.0, _HEIGHT)]
    for i, error in enumerate(ranked):
        y = _HEIGHT * (1 - error / top)
        area += [(i * step, y), ((i + 1) * step, y)]
    area.append((_WIDTH, _HEIGHT))
    null = [((i + 0.5) * step, _HEIGHT * (1 - error / top)) for i, error in enumerate(null_ranked)]
    content = [svg.polygon(area, "cal-area")]
    if classes.gaps.banded:
        content.append(svg.tag("polyline", points=svg.coordinates(null), class_="cal-null"))
    title = f"Class-wise error of all {len(classes.names):,} classes, the largest first"
    return svg.picture(_WIDTH, _HEIGHT, *content, title=title, preserveAspectRatio="none")
