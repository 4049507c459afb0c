"""Does every calibrator keep its promises? Registry x shipped laws x bank; a new method needs no other edit."""

import pytest

from calibrant import registry
from calibrant.calibrators import calibrator
from calibrant.testing import CALIBRATOR_LAWS, bank

NAMES = [entry.name for entry in registry.entries("calibrator")]
# Where a default learns by cross-validation, and so takes seconds, the laws are run on less of the same.
LIGHT = {
    "auto": "auto(candidates=('temperature(prior=20.0)', 'svs(penalty=1.0)'))",
    "sms": "sms(penalty=1.0)",
    "svs": "svs(penalty=1.0)",
    "matrix": "matrix(off_diagonal=0.1, intercept=0.1)",
    "dirichlet": "dirichlet(off_diagonal=0.1, intercept=0.1)",
    "local_net": "local_net(epochs=2, hidden=4)",
}
DEFAULTS_ON = ("over_confident", "class_missing", "weights")
SPECS = [
    *(LIGHT.get(name, name) for name in NAMES),
    "temperature(prior=5.0)",
    "vector(prior=1.0)",
    "platt(prior=None)",
    "isotonic(smoothing=4.0)",
]
SPECS += ["isotonic(lines='probability')", "histogram(smoothing=0)", "top_label_histogram(points=5)"]
SPECS += ["scaling_binning(method='platt', bins=5)", "top_versus_all(method='temperature')"]
SPECS += ["histogram(edges='width', bins=7)", "temperature(zero=1e-4)", "vector(zero=1e-4)"]


@pytest.mark.parametrize("law", CALIBRATOR_LAWS)
@pytest.mark.parametrize("spec", SPECS)
def test_laws(spec, law):
    method = calibrator(spec)
    for name, predictions in bank().items():
        try:
            CALIBRATOR_LAWS[law](method, predictions)
        except AssertionError as error:
            pytest.fail(f"on {name!r}: {error}")


@pytest.mark.parametrize("law", ["check_row_order", "check_class_relabelling", "check_weight_scale"])
@pytest.mark.parametrize("name", LIGHT)
def test_laws_of_what_chooses_by_folds(name, law):
    for on in DEFAULTS_ON:
        CALIBRATOR_LAWS[law](calibrator(name), bank()[on])


@pytest.mark.parametrize("name", NAMES)
def test_every_method_works_on_the_plain_sets(name):
    """Declining is for what a method cannot do; two plain batches it must be able to fit, one of them binary."""
    method = calibrator(name)
    assert not method.declines(bank()["two_classes"])
    if not method.entry.capabilities.binary_only:
        assert not method.declines(bank()["over_confident"])
    method.fit(bank()["two_classes"])


@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_rows_keeps_its_column(name):
    method = calibrator(name)
    batch = bank()["class_missing"]
    assert method.declines(batch) or (method.fit(batch)(batch).probabilities[:, 3] > 0).all()
