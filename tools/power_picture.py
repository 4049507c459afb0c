"""The picture of docs/theory/tests.md: power over the number of rows, two panels, drawn by calibrant's own SVG."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from calibrant.plot import svg
from calibrant.plot.scene import Axis, Entry, Panel, Path, Scene

STYLES = {  # what is drawn, and how: shapes and weights of the lines differ, not only colours
    "spiegelhalter": "curve-over",
    "hosmer_lemeshow": "curve",
    "t_cal": "expected",
    "skce_test": "curve-under",
    "statsmodels: logistic recalibration of the confidence": "extreme",
    "scipy: chi-square of ten groups of confidence": "diagonal",
}
Curve = Mapping[int, float]
_LEFT, _TOP, _SIDE, _BETWEEN = 64.0, 34.0, 300.0, 84.0


def picture(curves: Mapping[tuple[str, int], Curve], classes: tuple[int, ...]) -> str:
    """Return the SVG of curves (test, k) -> {n: power in per cent}, a panel for each k."""
    rows = sorted({n for curve in curves.values() for n in curve})
    panels = tuple(_panel(i, k, curves, rows) for i, k in enumerate(classes))
    scene = Scene(
        width=panels[-1].right + 24,
        height=_TOP + _SIDE + 56,
        panels=panels,
        title="Power over the number of rows",
        description=f"Share of rejections at level 5 % against T = 1.5, n from {rows[0]} to {rows[-1]:,}.",
        legend=tuple(Entry(Path([0, 20], [8, 8], style), name) for name, style in STYLES.items()),
    )
    return svg.draw(scene)


def _panel(place: int, k: int, curves: Mapping[tuple[str, int], Curve], rows: list[int]) -> Panel:
    lines = [(curves[name, k], style) for name, style in STYLES.items() if (name, k) in curves]
    return Panel(
        left=_LEFT + place * (_SIDE + _BETWEEN),
        top=_TOP,
        width=_SIDE,
        height=_SIDE,
        x=Axis(np.log(rows[0]), np.log(rows[-1]), tuple((np.log(n), f"{n:,}") for n in rows), "rows"),
        y=Axis(0, 100, tuple((float(share), str(share)) for share in (0, 5, 25, 50, 75, 100)), "rejected at 5 %, %"),
        marks=tuple(Path(np.log([*curve]), [*curve.values()], style) for curve, style in lines),
        name=f"k = {k}",
    )
