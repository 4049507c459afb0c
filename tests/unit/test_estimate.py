"""Estimates as strict JSON."""

import json

import numpy as np

from calibrant.estimate import Estimate, strict


def test_infinities_leave_a_flag_and_nan_is_null():
    told = strict({"value": -np.inf, "low": float("nan"), "each": np.array([1.0, np.inf, np.nan]), "name": "x"})
    assert told["value"] is None
    assert told["value_infinite"] == "-inf"
    assert told["low"] is None
    assert "low_infinite" not in told
    assert told["each"] == [1.0, None, None]
    assert told["each_infinite"] == [1]
    assert told["name"] == "x"


def test_details_and_the_keys_of_columns_are_told():
    details = {"worst": np.int64(3), "columns": ("a", "b"), "terms": {"unc": np.float64(np.inf)}, 5: None}
    estimate = Estimate(name="x", value=1.0, n=2, spec="x", per_class=np.array([0.5, np.inf]), details=details)
    told = json.loads(json.dumps(estimate.to_dict(), allow_nan=False))
    assert told["per_class"] == [0.5, None]
    assert told["per_class_infinite"] == [1]
    terms = {"unc": None, "unc_infinite": "inf"}
    assert told["details"] == {"worst": 3, "columns": ["a", "b"], "terms": terms, "5": None}


def test_figures_are_the_single_numbers_of_the_details():
    details = {"value_at_half": np.float64(0.5), "cubes": 7, "each": np.ones(2), "names": ("a",), "found": True}
    estimate = Estimate(name="x", value=1.0, n=2, spec="x", details=details)
    assert estimate.figures == {"value at half": 0.5, "cubes": 7}
