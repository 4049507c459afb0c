"""Every tolerance of the laws, each with the sentence that justifies it."""

from __future__ import annotations

from typing import Any

import numpy as np


def SUMS(dtype: np.dtype[Any]) -> float:  # noqa: N802 - a constant that depends on the precision
    """Each entry is rounded to its precision after a division by the sum: a few units in the last place of 1."""
    return 16 * float(np.finfo(dtype).eps)


def TWO_LOSSES(dtype: np.dtype[Any]) -> float:  # noqa: N802
    """The log of a probability that was rounded to its precision is off by that precision; fits add 1e-9 nats."""
    return 1e-9 + 16 * float(np.finfo(dtype).eps)


def TWO_FITS(dtype: np.dtype[Any]) -> float:  # noqa: N802
    """Solvers certify 1e-9 nats; by Pinsker's inequality two such fits differ by at most 2 sqrt(1e-9 / 2) = 4.5e-5.

    Scores in single precision add their own rounding, amplified by slopes of up to a few hundred.
    """
    return 5e-5 + 100 * float(np.finfo(dtype).eps)


def SAMPLING(parameters: int, rows: int) -> float:  # noqa: N802
    """A fit of p parameters to n drawn labels is p / (2 n) nats from the truth on average (Wilks); three times that.

    One more parameter allows for a weak prior, which moves the fit by less than one parameter's error.
    """
    return 3 * (parameters + 1) / (2 * rows)


def FORMULAS(dtype: np.dtype[Any]) -> float:  # noqa: N802
    """Kernels and the formula round at different places, in the precision of the scores.

    A logit of 30 carries 30 units in the last place of 1, and slopes of a few hundred amplify them.
    """
    return 1e-12 + 100 * float(np.finfo(dtype).eps)


SLOPES = 1e-2
"""Central differences of step 0.01 err by step^2 / 6 = 2e-5 times a third derivative, which is below a few hundred for
slopes up to 5; a jump of 0.001 between two steps of 0.01 already shows as 0.05."""
