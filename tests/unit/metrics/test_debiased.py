"""The debiased squared error where bins hold one row, which tells no noise."""

import numpy as np

from calibrant import Predictions
from calibrant.metrics import squared_ce

WIDTH = {"binning": "width", "bins": 10}


def test_a_bin_of_one_row_is_left_out_and_told():
    batch = Predictions.binary([0.72, 0.72, 0.95], [1, 0, 0])
    found = squared_ce(**WIDTH)(batch)
    noise = 0.5 * 0.5 / (2 - 1)  # of the mean of two outcomes, one of either kind
    np.testing.assert_allclose(float(found), (0.5 - 0.72) ** 2 - noise)
    assert found.notes == ("left out: 33.3% of the weight is alone in its bin, where no noise can be estimated",)


def test_no_value_where_every_bin_holds_one_row():
    found = squared_ce()(Predictions.binary(np.linspace(0.9, 0.99, 15), np.zeros(15, int)))
    assert np.isnan(float(found))
    assert found.notes[0].startswith("left out: 100.0% of the weight")
