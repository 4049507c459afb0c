"""Does MMCE equal the sum over all pairs of rows, at any width?"""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from calibrant.metrics.kernel_confidence import below
from measure_bank import make


@pytest.mark.parametrize("name", ["plain", "ties", "soft", "real_weights", "one_row", "many"])
@pytest.mark.parametrize("width", [0.4, 1e-3, 50.0])
def test_equals_all_pairs(name, width):
    batch = make(name)
    f, w = batch.summary.confidence, batch.row_weights
    d = w * (batch.summary.correct - f) / w.sum()
    pairs = (d[:, None] * d * np.exp(-np.abs(f[:, None] - f) / width)).sum()
    assert float(measure(f"mmce(width={width})")(batch)) == pytest.approx(pairs**0.5, abs=1e-13)


def test_two_rows_by_hand():
    batch = Predictions.from_probabilities([[0.6, 0.4], [0.8, 0.2]], [0, 1])
    # d = .4, -.8; (.16 + .64 - 2 .32 e^(-1/2)) / 4
    assert float(measure("mmce")(batch)) ** 2 == pytest.approx(0.2 - 0.16 * np.exp(-0.5), abs=1e-15)


def test_no_width_overflows():
    f, m = np.sort(np.random.default_rng(0).random(1000)), np.ones(1000)
    assert below(f, m, 1e-300) == pytest.approx(np.zeros(1000), abs=0)
    assert below(f, m, 1e300) == pytest.approx(np.arange(1000), abs=1e-9)


@pytest.mark.parametrize("width", ["0", "-1.0", "inf", "'wide'"])
def test_widths_that_are_none(width):
    with pytest.raises(DataError, match="width"):
        measure(f"mmce(width={width})")
