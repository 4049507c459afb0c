"""Do the calibrators agree with recorded values? The values, tolerances and sources are in calibrators.json."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import fit

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "data"
GOLDEN = json.loads((HERE / "calibrators.json").read_text())


def log_loss(predictions):
    return -predictions.summary.label_log_probability.mean()


def halves(name):
    if not (SHARED / f"{name}.npz").exists():
        pytest.skip("the folder of real prediction sets is not here")
    with np.load(SHARED / f"{name}.npz") as file:
        whole = Predictions.from_probabilities(file["probabilities"], file["labels"])
    return whole.take(slice(0, 5000)), whole.take(slice(5000, 10000))


@pytest.mark.parametrize("kind", ["probability", "logit"])
def test_temperature_of_the_golden_set(kind):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 5)) * 2
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=q) for q in softmax])
    sharp = np.exp(1.7 * z) / np.exp(1.7 * z).sum(1, keepdims=True)
    batch = Predictions.from_probabilities(sharp, labels)
    if kind == "logit":
        batch = Predictions.from_logits(1.7 * z, labels)
    learnt = fit(batch, "temperature")
    found = {"beta": learnt.beta, "temperature": learnt.temperature, "log_loss": log_loss(learnt(batch))}
    for name, value in found.items():
        golden = GOLDEN["golden_set"][name]
        assert value == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0), name


@pytest.mark.parametrize("name", GOLDEN["real"]["sets"])
def test_temperature_of_real_sets(name):
    golden = GOLDEN["real"]["sets"][name]
    train, test = halves(name)
    learnt = fit(train, "temperature")
    assert learnt.beta == pytest.approx(golden["beta"], abs=1e-6)
    assert log_loss(learnt(test)) == pytest.approx(golden["log_loss"], abs=1e-6)


@pytest.mark.parametrize("name", GOLDEN["never_above"]["sets"])
@pytest.mark.parametrize("spec", ["vector", "isotonic"])
def test_not_worse_than_others(name, spec):
    train, test = halves(name)
    assert log_loss(fit(train, spec)(test)) <= GOLDEN["never_above"]["sets"][name][spec]


@pytest.mark.parametrize("name", ["lenet-cifar10", "wideresnet-cifar10"])
def test_the_prior_of_vector_scaling_is_cheap_where_rows_are_plenty(name):
    """With 500 rows a class it costs less than 1e-4 nats of training loss against next to none."""
    train, _ = halves(name)
    with_prior, without = (log_loss(fit(train, spec)(train)) for spec in ("vector", "vector(prior=1e-6)"))
    assert without <= with_prior <= without + 1e-4


@pytest.mark.parametrize("name", GOLDEN["structured"]["sets"])
def test_the_published_objective_of_structured_matrix_scaling(name):
    golden = GOLDEN["structured"]["sets"][name]
    train, test = halves(name)
    learnt = fit(train, "sms(penalty=1.0, features='logits', rank=0)")
    n, k = len(train), train.k
    ridge = ((learnt.slopes[0] - 1) ** 2).sum() + (learnt.shift**2).sum() + (k - 1) * (learnt.matrix**2).sum()
    assert log_loss(learnt(train)) + k / n * ridge <= golden["objective"] + 1e-7
    assert log_loss(learnt(test)) <= golden["log_loss"] + 1e-4
