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
    "ece_sweep",
    """Monotone-sweep calibration error: ECE with as many equal-mass bins as keep the accuracies of the bins in order.

    Less biased than 15 fixed bins at real miscalibration; at a calibrated model it is still biased upwards: see the
    null level. Up to 1,000 bins.
    """,
    "roelofs2022",
    binning="sweep",
    bins=1000,
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
_preset(
    "tl_ece",
    """Top-label calibration error: the `ece` within each predicted class, averaged over rows.

    TL-ECE of Gupta and Ramdas (2022): every predicted class has 15 equal-width bins of its own and counts by its rows;
    ``per_class`` tells them apart and ``details`` name the worst. Never less than `ece`. The word clashes: most
    packages say "top-label" for plain confidence, which is `ece` here; uncertainty-calibration's top-label error is
    the root of `squared_ce`. Biased upwards by about the square root of k times the bias of `ece`; cost O(n).
    """,
    "gupta2022",
    notion="top_label",
)
_preset(
    "group_ece",
    """Group-wise calibration error: the `ece` within each given group, averaged over rows.

    Every group of ``groups=`` has 15 equal-width bins of its own and counts by its rows; ``per_class`` holds the value
    of each group in the order of ``details["columns"]``. ``details["worst"]`` is chosen after looking: judge it by
    ``aggregate="max"``, whose null band is that of the largest of all groups. Small groups are biased upwards more.
    Also called sub-group or multi-group calibration error, which elsewhere may mean the plain mean over groups.
    """,
    "hebertjohnson2018",
    notion="group",
)
_preset(
    "predicted_group_ece",
    """Group-wise top-label calibration error: the `ece` within each predicted class of each given group, over rows.

    The finest partition here: `tl_ece` held in every group. Few rows in each part bias it upwards: compare it with
    the null level. ``details["columns"]`` holds the pairs (group, class) of ``per_class``.
    """,
    "gupta2022",
    notion="predicted_group",
)
_preset(
    "within_top_ece",
    """Within-top-2 calibration error: the `ece` of the two largest probabilities together.

    Their sum against whether the label is one of the two; ``notion="within_top(r=5)"`` asks for the top five. Called
    within-top-r by Gupta et al. (2021); a top-r error in other packages may mean the r-th largest probability alone.
    """,
    "gupta2021",
    notion="within_top",
)
