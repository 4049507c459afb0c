"""All halves there are."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.kernels.halves import widened

ALL = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def test_every_half_has_its_value():
    found, expected = widened(ALL), ALL.astype(np.float32)
    number = ~np.isnan(expected)
    assert np.array_equal(np.isnan(found), ~number)
    assert np.array_equal(found[number].view(np.uint32), expected[number].view(np.uint32))  # also the sign of zero


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_the_work(threads):
    halves = np.random.default_rng(0).normal(size=(17, 70_001)).astype(np.float16)
    halves[3, 5] = -np.inf
    assert np.array_equal(widened(halves, threads=threads), halves.astype(np.float32))


def test_the_door_widens_halves_of_any_layout():
    halves = np.asfortranarray(np.random.default_rng(1).normal(size=(5, 4)).astype(np.float16))
    for given in (halves, halves.astype(">f2"), halves[:, ::-1]):
        assert np.array_equal(Predictions.from_logits(given).scores, given.astype(np.float32))
