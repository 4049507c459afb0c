"""The golden set that all recorded values share."""

import pytest

from calibrant import Predictions
from peer_inputs import golden


@pytest.fixture(scope="session")
def golden_set():
    return Predictions.from_probabilities(*golden())
