"""The embedded example: scores and features of a real, over-confident classifier."""

from __future__ import annotations

from importlib import resources

import numpy as np

from calibrant.predictions import Predictions
from calibrant.registry import unknown


def examples() -> tuple[str, ...]:
    """Return the names of the embedded examples."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".npz") for file in files if file.name.endswith(".npz")))


def example(name: str = "satellite") -> Predictions:
    """Return an embedded example as labelled predictions with features; its README tells source and licence.

    ``satellite``: land cover of 4,435 Landsat image windows in 6 classes, logits of a small network (UCI Statlog).
    """
    if name not in examples():
        raise unknown("example", name, examples())
    with resources.as_file(resources.files(__name__) / f"{name}.npz") as path, np.load(path) as file:
        columns = {key: file[key] for key in ("features", "ids")}
        classes = file["class_names"].tolist()
        return Predictions.from_logits(file["logits"], file["labels"], classes=classes, **columns)
