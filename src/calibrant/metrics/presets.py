"""The names people know, each a preset of `CalibrationError`, expanded in its first line."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np

from calibrant import registry
from calibrant.metrics.calibration_error import CalibrationError, choices


def _preset(name: str, doc: str, reference: str = "", **options: Any) -> None:
    """Register a preset: its options are those of `CalibrationError`, with its own defaults."""
    defaults = {**choices(), **options}
    factory = partial(CalibrationError, **options, preset=name)
    doc = inspect.cleandoc(doc)
    registry.add(
        registry.Entry(kind="measure", name=name, factory=factory, doc=doc, options=defaults, reference=reference)
    )


_preset(
    "ece",
    """Expected calibration error: mean over 15 equal-width bins of |accuracy - confidence|, weighed by rows.

    The plug-in estimate of Guo et al. (2017), biased upwards: compare it with the null level.
    """,
    "guo2017",
)
_preset(
    "mce",
    """Maximum calibration error: the largest |accuracy - confidence| over the equal-width bins that hold rows.

    A maximum over noisy bins: sparse bins decide it, and no valid interval is known; the null band is shown.
    """,
    "guo2017",
    norm=np.inf,
)
_preset(
    "rmsce",
    """Root mean square calibration error: square root of the mean squared gap of confidence over equal-width bins.""",
    "hendrycks2019",
    norm=2,
)
_preset(
    "squared_ce",
    """Debiased squared calibration error of the confidence: mean squared gap less the estimated noise.

    Unbiased within bins of constant scores, so it is about 0 for a calibrated model, and may be negative.
    15 equal-mass bins, as Kumar et al. (2019); the same as the reliability term of Ferro and Fricker (2012).
    The noise is that of hard labels: with soft ones too much is subtracted.
    """,
    "kumar2019",
    norm=2,
    debiased=True,
    root=False,
    binning="mass",
)
_preset(
    "sce",
    """Static (class-wise) calibration error: mean over classes of the equal-width ECE of each class probability.

    ``aggregate="sum"`` gives the sum over classes, as published by Kull et al. (2019).
    """,
    "nixon2019",
    notion="class_wise",
)
_preset(
    "ace",
    """Adaptive calibration error: mean over classes and equal-mass bins of |rate - mean probability|.

    Bins that ties or n mod B make uneven count by their mass; ``shares="equal"`` gives the plain mean over bins.
    """,
    "nixon2019",
    notion="class_wise",
    binning="mass",
)
_preset(
    "tace",
    """Thresholded adaptive calibration error: `ace` of the class probabilities from 0.01 on.

    Bins share what is left of each class; a class without such probabilities counts 0.
    """,
    "nixon2019",
    notion="class_wise",
    binning="mass",
    threshold=0.01,
)
