"""The record: nothing is fitted anew, bad input is one sentence, and it goes into a file and back."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from calibrant import neighbourhood, persistence
from calibrant.errors import DataError
from calibrant.neighbourhood import Neighbourhood, packed, unpacked
from calibrant.predictions import Predictions
from unit.neighbourhood.cases import batch


def test_nothing_is_fitted_on_the_rows_that_are_looked_at():
    hood, new = Neighbourhood.fit(batch(), bandwidth=1.0), batch(n=30, seed=8).features
    before = packed(hood)
    whole = hood.frequencies(new).frequencies
    assert_array_equal(hood.frequencies(new[:1]).frequencies, whole[:1])
    elsewhere = np.concatenate([new[:1], 100 * new[1:] + 7])  # other company, of another place and scale
    assert_array_equal(hood.frequencies(elsewhere).frequencies[:1], whole[:1])
    after = packed(hood)
    assert before[0] == after[0]
    for name, array in before[1].items():
        assert_array_equal(array, after[1][name])


def test_a_space_may_be_shared():
    p = batch()
    first = Neighbourhood.fit(p, bandwidth=1.0)
    assert Neighbourhood.fit(p, space=first.space, kernel="box", bandwidth=2.0).space is first.space


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_goes_into_a_file_and_back(tmp_path, dtype, soft):
    hood = Neighbourhood.fit(batch(n=50, dtype=dtype, soft=soft, weights=True))
    values, arrays = packed(hood)
    assert hood.rows.dtype == dtype
    json.dumps(values, allow_nan=False)
    path = persistence.write_record(tmp_path / "hood.safetensors", {"hood": values}, arrays)
    header, back = persistence.read_record(path)
    again = unpacked(header["hood"], back)
    new = batch(n=9, seed=8).features
    for a, b in ((hood.frequencies(new), again.frequencies(new)), (hood.leave_one_out(), again.leave_one_out())):
        for name in vars(a):
            assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize(
    "change",
    [
        lambda v, a: v.pop("kernel"),
        lambda v, a: v.update(kernel="cosine"),
        lambda v, a: v.update(bandwidth="wide"),
        lambda v, a: v.update(backend="os.system"),
        lambda v, a: a.pop("weights"),
        lambda v, a: a.update(extra=np.zeros(1)),
        lambda v, a: a.update(rows=a["rows"][:, :1]),
        lambda v, a: a.update(labels=a["labels"] + 9),
        lambda v, a: a.update(weights=0 * a["weights"]),
        lambda v, a: a.update(mean=a["mean"][:1]),
        lambda v, a: a.update(projection=np.nan * a["projection"]),
    ],
)
def test_what_does_not_fit_together_is_refused(change):
    values, arrays = packed(Neighbourhood.fit(batch(), bandwidth=1.0))
    change(values, arrays)
    with pytest.raises(ValueError, match=r"must|do not fit"):
        unpacked(values, arrays)


def test_without_features_or_labels_it_is_one_sentence():
    p = batch()
    with pytest.raises(DataError, match="predictions must have features; pass features="):
        Neighbourhood.fit(Predictions.from_probabilities(p.scores, p.labels))
    with pytest.raises(DataError, match="predictions must have labels; pass labels="):
        Neighbourhood.fit(Predictions.from_probabilities(p.scores, features=p.features))
    with pytest.raises(DataError, match=r"features must have shape \(n, 4\) as at the fit"):
        Neighbourhood.fit(p, bandwidth=1.0).frequencies(p.features[:, :2])


def test_inputs_are_not_written_to():
    p = batch(weights=True)
    assert not p.features.flags.writeable
    Neighbourhood.fit(p).leave_one_out()
    with pytest.raises(ValueError, match="read-only"):
        p.features[0] = 0


def test_the_public_names_are_real():
    assert all(hasattr(neighbourhood, name) for name in neighbourhood.__all__)
