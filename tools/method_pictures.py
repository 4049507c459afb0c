"""What each calibrator does to the same two sets: figures before and after on other rows, and a picture of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import calibrant
from calibrant import Predictions, data
from calibrant.errors import CalibrantError
from calibrant.plot import reliability, svg

MEASURES = {"log loss": "log_loss", "Brier score": "brier", "ECE": "ece", "accuracy": "accuracy"}
ROWS, CLASSES = 4_000, 3  # of the simulated set


@dataclass(frozen=True)
class Halves:
    """The rows of a set that a map is learnt from, and those that it is shown on."""

    told: str
    fitted: Predictions
    shown: Predictions


@cache
def sets() -> Mapping[str, Halves]:
    """Return the two sets by the names of their files."""
    return {
        "satellite": _halves("The embedded example, 6 classes", data.example("satellite")),
        "simulated": _halves("Simulated, 3 classes: too sure by a factor of 2, and one class favoured", _simulated()),
    }


def _halves(told: str, rows: Predictions) -> Halves:
    return Halves(told, rows.take(slice(0, None, 2)), rows.take(slice(1, None, 2)))


def _simulated() -> Predictions:
    """Return logits of which half, less one for the first class, are the ones that the labels are drawn from."""
    rng = np.random.default_rng(0)
    right = 2 * rng.normal(size=(ROWS, CLASSES))
    shares = np.exp(right).cumsum(axis=1)
    labels = (shares < shares[:, -1:] * rng.random((ROWS, 1))).sum(axis=1)
    return Predictions.from_logits(2 * (right + np.array([1.0, 0.0, 0.0])), labels)


def section(spec: str, folder: Path) -> str:
    """Write the pictures of a calibrator into ``folder`` / pictures, and return their part of its page."""
    parts = ["## On two sets", "Learnt from every other row, shown on the rows between, at the default options."]
    return "\n\n".join([*parts, *[_set(spec, name, halves, folder) for name, halves in sets().items()]])


def _set(spec: str, name: str, halves: Halves, folder: Path) -> str:
    try:
        after = calibrant.fit(halves.fitted, spec)(halves.shown)
    except CalibrantError as error:
        return f"### {halves.told}\n\nNot for this set: {error}"
    file = Path("pictures") / f"{spec}-{name}.svg"
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / file).write_text(svg.draw(reliability.prepare(after)), encoding="utf-8")
    return f"### {halves.told}\n\n{_figures(halves.shown, after)}\n\n![Reliability after {spec}, {name}]({file})"


def _figures(before: Predictions, after: Predictions) -> str:
    """Return a table of the measures, as they were and as they are."""
    lines = ["| | before | after |", "| --- | --- | --- |"]
    for words, name in MEASURES.items():
        measure = getattr(calibrant.metrics, name)
        lines.append(f"| {words} | {float(measure(before)):.4f} | {float(measure(after)):.4f} |")
    return "\n".join(lines)
