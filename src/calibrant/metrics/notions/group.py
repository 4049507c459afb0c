"""Group-wise calibration: P(label is the top class | confidence, group) must equal the confidence, in every group.

One column for each given group, in the order of its name or number; the mean over columns is weighed by their rows.
Also called multi-group or sub-group calibration error; source: Hebert-Johnson et al. (2018), Multicalibration, for
disjoint groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrant.errors import require
from calibrant.metrics.notions.partition import Partition, Parts, given_groups
from calibrant.predictions import Predictions
from calibrant.registry import register

_PLANNED = 64  # groups that memory is planned for: how many there are is known only after all rows were seen


@register("notion", "group", reference="hebertjohnson2018")
@dataclass(frozen=True, kw_only=True)
class Group(Partition):
    """The confidence against correctness, apart for each given group.

    ``values`` names the groups in the order of their columns; rows of other groups are left out. Without it the
    groups are those that occur. Equal-mass bins of batches that hold different groups need it.
    """

    values: tuple[Any, ...] = ()
    over = "groups"

    def __post_init__(self) -> None:
        require(isinstance(self.values, tuple), "values", "be a tuple of groups", repr(self.values))
        double = len(set(self.values)) < len(self.values)
        require(not double, "values", "name each group once", repr(self.values))

    def columns(self, k: int) -> int:
        """Return the number of named groups, else a guess."""
        del k
        return len(self.values) or _PLANNED

    def parts(self, predictions: Predictions) -> Parts:
        """Return the group of each row."""
        found, column = np.unique(given_groups(predictions), return_inverse=True)
        keys = tuple(found.tolist())
        if not self.values:
            return Parts(keys, column.astype(np.int64))
        place = {value: i for i, value in enumerate(self.values)}
        return Parts(self.values, np.array([place.get(key, -1) for key in keys], dtype=np.int64)[column])
