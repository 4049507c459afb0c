"""The classes, the worst first: small pictures of a dozen, and one strip of all where there are more."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup, escape

from calibrant.plot import ClassDiagrams, ReliabilityDiagram, svg
from calibrant.plot.words import percent, shortened
from calibrant.reporting.record import Pictures


def section(pictures: Pictures) -> dict[str, Any]:
    """Return the panels, the number of other classes, and the strip of all errors where some are not shown."""
    before, after = pictures.classes, pictures.classes_after
    later = after.diagrams if after is not None else (None,) * len(before.diagrams)
    null = before.null[list(before.shown)]
    return {
        "panels": [_panel(*three) for three in zip(before.diagrams, later, null, strict=True)],
        "total": len(before.names),
        "others": before.others,
        "strip": _strip(before) if before.others else None,
    }


def _panel(before: ReliabilityDiagram, after: ReliabilityDiagram | None, null: float) -> dict[str, Any]:
    return {
        "name": _breakable(shortened(before.name)),
        "picture": Markup(svg.draw_class(before)),
        "says": percent(before.mean_score),
        "occurs": percent(before.outcome_rate),
        "error": percent(before.error),
        "null": percent(null),
        "error_after": None if after is None else percent(after.error),
    }


def _strip(classes: ClassDiagrams) -> dict[str, Any]:
    worst, best = int(classes.order[0]), int(classes.order[-1])
    middle = int(classes.order[len(classes.order) // 2])
    return {
        "picture": Markup(svg.draw_errors(classes)),
        "worst": shortened(classes.names[worst], 40),
        "worst_error": percent(float(classes.errors[worst])),
        "best": shortened(classes.names[best], 40),
        "best_error": percent(float(classes.errors[best])),
        "median_error": percent(float(classes.errors[middle])),
    }


def _breakable(name: str) -> Markup:
    """Return a name that may be broken where words meet."""
    return Markup(re.sub("([_./-])", r"\1<wbr>", str(escape(name))))
