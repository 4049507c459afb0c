"""Fields of a map file have the types that the map declares, down to the items of a tuple."""

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrant.calibrators.typed_fields import typed


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (["a", "b"], tuple[str, ...], ("a", "b")),
        ([1, 2.5], tuple[float, ...] | str, (1.0, 2.5)),
        ("uniform", tuple[float, ...] | str, "uniform"),
        (None, tuple[str, ...] | None, None),
    ],
)
def test_lists_become_tuples_of_the_declared_items(value, hint, expected):
    assert typed("field", value, hint) == expected


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (["a", 1], tuple[str, ...]),
        ([1.0, True], tuple[float, ...]),
        ([1.0, [2.0]], tuple[float, ...] | None),
        (True, float),
        (np.zeros(2, np.float32), NDArray[np.float64]),
    ],
)
def test_other_types_are_refused(value, hint):
    with pytest.raises(ValueError, match="field has the wrong"):
        typed("field", value, hint)
