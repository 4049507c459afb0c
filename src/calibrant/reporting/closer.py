"""What the page folds away: the confidence without bins and in counts; all classes, predicted ones, pairs of them."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from calibrant.plot import svg
from calibrant.plot.compose import classes as maps
from calibrant.plot.compose import scene
from calibrant.plot.scene import Scene
from calibrant.reporting.record import Pictures

_BEFORE, _AFTER = "As given", "After repair, out of fold"


def of_confidence(pictures: Pictures) -> list[dict[str, Any]]:
    """Return the folded pictures of the confidence."""
    before, after = pictures.closer, pictures.closer_after
    return [
        _folded(
            "Without bins: the recalibrated confidence (CORP)",
            "Isotonic regression of being right on the confidence chooses the bins itself; a calibrated model lies on "
            "the diagonal.",
            before.corp,
            None if after is None else after.corp,
        ),
        _folded(
            "Without bins: cumulative differences",
            "Rows in the order of their confidence; the curve adds up being right minus the confidence. It leaves the "
            "band where that is more than chance.",
            before.cumulative,
            None if after is None else after.cumulative,
        ),
        _folded(
            "In counts: errors by confidence",
            "How many rows are wrong, beside how many should be if the confidence were right.",
            before.risk,
            None if after is None else after.risk,
        ),
    ]


def of_classes(pictures: Pictures) -> list[dict[str, Any]]:
    """Return the folded pictures of the classes."""
    before, after = pictures.closer, pictures.closer_after
    return [
        _folded(
            "All classes at once",
            "Where on the scale of the probability each class occurs more or less often than it says.",
            maps.gaps(pictures.classes),
        ),
        _folded(
            "By predicted class",
            "How often each predicted class is right against its confidence; the class that adds most to the error "
            "comes first.",
            before.labels,
        ),
        _folded(
            "Pairs of classes",
            "Where probability is put on one class: how much more or less often each class occurs than it says there.",
            before.confusion,
            None if after is None else after.confusion,
        ),
    ]


def _folded(title: str, words: str, before: object, after: object = None) -> dict[str, Any]:
    shown = [(_BEFORE, before)] if after is None else [(_BEFORE, before), (_AFTER, after)]
    return {
        "title": title,
        "words": words,
        "pictures": [(caption, _sized(record)) for caption, record in shown],
        "captions": after is not None,
        "legend": svg.draw_legend(before),
    }


def _sized(record: object) -> dict[str, Any]:
    """Return the picture and the width it is drawn for, which it keeps where there is room."""
    drawn = record if isinstance(record, Scene) else scene(record)
    return {"svg": Markup(svg.draw(drawn, alone=False)), "width": round(drawn.width)}
