"""Spec strings: strict names and options, with a suggestion."""

import numpy as np
import pytest

import calibrant
from calibrant import registry
from calibrant.errors import DataError, UnknownMethod
from calibrant.metrics import measure


def test_spec_strings_and_objects_are_interchangeable():
    built = measure("ece(bins=10, binning='mass')")
    assert built.spec == "ece(binning='mass', bins=10)"
    assert measure(built.spec) == built
    assert measure(built) is built
    assert measure("ece(norm=inf)").spec == "ece(norm=inf)"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("eec", "unknown measure 'eec'; did you mean 'ece'?"),
        ("ece(bin=10)", "unknown option of ece 'bin'; did you mean 'bins'?"),
        ("ece(10)", "spec must read"),
        ("ece(bins=__import__('os'))", "spec must read"),
        ("ece(", "spec must read"),
        ("", "spec must read"),
    ],
)
def test_wrong_specs_are_errors_with_a_way_out(spec, words):
    with pytest.raises(UnknownMethod, match=words.replace("(", r"\(").replace("?", r"\?")):
        measure(spec)


@pytest.mark.parametrize(
    "options",
    [
        {"right": "no"},
        {"root": "x"},
        {"bins": True},
        {"bins": 0},
        {"bins": 2.5},
        {"norm": 3},
        {"aggregate": "median"},
        {"threshold": 0.1},
        {"binning": "x"},
    ],
)
def test_wrong_values_are_refused_at_construction(options):
    with pytest.raises(DataError, match="must"):
        calibrant.metrics.ece(**options)


def test_a_name_is_registered_once():
    with pytest.raises(DataError, match="be new among the measures, got 'brier'"):
        registry.register("measure", "brier")(type("Other", (), {"__dataclass_fields__": {}}))


def test_methods_lists_everything_with_its_first_line():
    known = {entry.name for entry in calibrant.methods()}
    assert {"identity", "temperature", "ece", "log_loss"} <= known
    assert all(entry.summary.endswith(".") for entry in calibrant.methods())
    with pytest.raises(UnknownMethod, match="did you mean 'temperature'"):
        calibrant.methods("temprature")


def test_measures_are_attributes_of_the_module():
    assert np.isclose(float(calibrant.metrics.accuracy(calibrant.data.example())), 0.8809, atol=5e-5)
    assert "ece" in dir(calibrant.metrics)
    with pytest.raises(AttributeError):
        _ = calibrant.metrics.nothing


def test_numpy_scalars_make_plain_specs():
    built = calibrant.metrics.ace(threshold=np.float64(0.25), bins=np.int64(7))
    assert built.spec == "ace(bins=7, threshold=0.25)"
    assert measure(built.spec) == built
    assert registry.spec_of(calibrant.calibrators.TemperatureScaling(prior=np.float64(5))) == "temperature(prior=5.0)"


def test_wrong_types_of_options_are_one_sentence():
    with pytest.raises(DataError, match="options of temperature must have the right types"):
        registry.create("calibrator", "temperature(prior='x')")
