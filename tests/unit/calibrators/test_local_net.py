"""Local nets: where they start, what they repair and leave alone, and where they run."""

import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from calibrant import Predictions, calibrators
from calibrant.calibrators import calibrator
from calibrant.errors import CapabilityError, DataError
from calibrant.programs import NumpyPlace, probabilities, recorded
from calibrant.testing import CALIBRATOR_LAWS, bank

torch = pytest.importorskip("torch", reason="torch is not installed")  # what needs it is imported below
# ruff: noqa: E402

from calibrant.calibrators.local_net import LocalNetMap
from calibrant.calibrators.local_nets import recipes
from calibrant.calibrators.local_nets.rows import NetRows, Training
from calibrant.statistics.units import Units
from calibrant.torch.local_training import cross_fitted
from calibrant.torch.local_training.chance import generator
from calibrant.torch.local_training.correcting import Members
from calibrant.torch.local_training.similarity import SimilarityNet

QUICK = "local_net(epochs=30, hidden=16)"


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def regional(n, *, local, seed=0, d=3, k=3):
    """A classifier whose logits are too large by a factor: of the region where ``local``, else the same everywhere."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    truth = 2 * np.tanh(x @ np.random.default_rng(99).normal(size=(d, k)))
    labels = np.argmax(truth + rng.gumbel(size=(n, k)), axis=1)
    factor = np.exp(1.2 * np.tanh(3 * x[:, :1])) if local else 2.0
    return Predictions.from_logits(factor * truth, labels, features=x), softmax(truth)


def log_loss(predictions):
    return -float(np.mean(predictions.summary.label_log_probability))


@pytest.fixture(scope="module")
def learnt():
    return calibrators.fit(regional(1500, local=True)[0], QUICK)


def divergence(truth, found):
    return float((truth * np.log(truth / found)).sum(1).mean())


def test_regional_errors_are_repaired_on_new_rows(learnt):
    fresh, truth = regional(3000, local=True, seed=1)
    temperature = calibrators.fit(regional(1500, local=True)[0], "temperature")(fresh)
    assert learnt.local
    # Most of what no temperature can repair is repaired.
    assert divergence(truth, learnt(fresh).probabilities) < 0.4 * divergence(truth, temperature.probabilities)
    assert log_loss(learnt(fresh)) < log_loss(temperature)


def test_a_global_error_is_left_to_the_global_map():
    batch, (fresh, _) = regional(1500, local=False)[0], regional(3000, local=False, seed=1)
    repaired, temperature = (calibrators.fit(batch, spec)(fresh) for spec in (QUICK, "temperature"))
    # A correction that passes the gate by luck costs a few thousandths of a nat.
    assert log_loss(repaired) <= log_loss(temperature) + 0.004


@pytest.mark.parametrize("recipe", ["paper", "released"])
def test_both_recipes_of_the_paper_learn(recipe):
    repaired = calibrators.fit(regional(1500, local=True)[0], f"local_net(recipe={recipe!r}, hidden=16)")
    agreement = repaired.curves[:, repaired.curve_names.index("held-out agreement")]
    assert repaired.record.iterations == 1 + np.argmin(agreement) or recipe == "paper"
    assert agreement.min() < agreement[0]
    assert repaired.base.record.spec == "identity"


# ---- where a net starts ----------------------------------------------------------------------------------------------
def test_every_recipe_starts_at_the_scores_it_is_given():
    log_p = torch.log_softmax(torch.randn(5, 4, dtype=torch.float64), 1)
    x = torch.randn(5, 6, dtype=torch.float64)
    members = Members.started(3, 2, (6, 8, 4), generator(0))
    assert torch.equal(members.logits(x, log_p), log_p.expand(6, 5, 4))
    net = SimilarityNet.started(6, 8, 2, 4, generator(0))
    with torch.no_grad():
        for part in net[:6]:
            part.zero_()
        net.intercept.zero_()
    assert torch.equal(net.heads(x, x[:, :2], log_p)[1], log_p)


def test_the_default_is_the_global_map_until_it_has_learnt(learnt):
    batch = regional(50, local=True, seed=2)[0]
    parts = {name: np.zeros_like(getattr(learnt, name)) for name in _HEADS}
    at_start = replace(learnt, **parts)(batch).probabilities
    # One logarithm of a sum more; its rounding is some units in the last place.
    np.testing.assert_allclose(at_start, learnt.base(batch).probabilities, rtol=1e-12)


_HEADS = ("scale_weights", "scale_bias", "shift_weights", "shift_bias")


def test_far_from_the_rows_the_map_is_the_global_one(learnt):
    batch = regional(200, local=True, seed=3)[0]
    for factor in (100.0, 1e12, 1e300):
        away = Predictions.from_logits(batch.scores, features=batch.features * factor)
        np.testing.assert_allclose(learnt(away).probabilities, learnt.base(away).probabilities, atol=1e-5)
    near = np.abs(learnt(batch).probabilities - learnt.base(batch).probabilities).max(1)
    assert np.median(near) > 0.02


# ---- what it depends on ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("recipe", ["default", "paper", "released"])
def test_the_seed_decides_alone(recipe):
    batch = regional(300, local=True)[0]
    spec = f"local_net(recipe={recipe!r}, hidden=8, epochs=6)"
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = calibrators.fit(batch, spec)
        torch.set_num_threads(2)
        torch.manual_seed(5)
        other = calibrators.fit(batch, spec)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
        torch.random.set_rng_state(state)
    assert np.array_equal(one.hidden_weights, other.hidden_weights)
    assert np.array_equal(one(batch).scores, other(batch).scores)
    reseeded = calibrators.fit(batch, spec.replace(")", ", seed=1)"))
    assert not np.array_equal(one.curves, reseeded.curves)


LAWS = sorted(set(CALIBRATOR_LAWS) - {"check_class_relabelling", "check_training_loss"})


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("recipe", ["paper", "released"])
def test_laws_of_the_recipes_of_the_paper(recipe, law):
    method = calibrator(f"local_net(recipe={recipe!r}, epochs=2, hidden=4)")
    for name in ("over_confident", "two_classes", "class_missing", "soft_labels", "weights", "one_row", "one_hot"):
        CALIBRATOR_LAWS[law](method, bank()[name])


def test_what_a_fold_is_taught_does_not_know_its_labels():
    """The nets of a fold are the same whatever the labels of that fold are, but for the epoch at which they end."""
    rng = np.random.default_rng(0)
    inputs, labels, fold = rng.normal(size=(60, 2)), rng.integers(3, size=60), np.arange(60) % 3
    log_p = np.log(np.full((60, 3), 1 / 3))
    rows = NetRows(inputs=inputs, coordinates=inputs, log_p=log_p, labels=labels, weights=np.ones(60), fold=fold,
                   trust=np.ones(60))  # fmt: skip
    other = replace(rows, labels=np.where(fold == 0, (labels + 1) % 3, labels))
    taught = np.full((3, 60, 3), 1 / 3, dtype=np.float32)
    one, two = (cross_fitted(each, taught, (1.0,), Training(4, 1, 0)) for each in (rows, other))
    held = fold == 0
    assert one.epoch == two.epoch == 1
    assert np.array_equal(one.shift[held], two.shift[held])
    assert not np.array_equal(one.shift[~held], two.shift[~held])


# ---- where it runs ---------------------------------------------------------------------------------------------------
def test_the_same_as_a_program_a_module_and_a_graph(learnt):
    onnxruntime = pytest.importorskip("onnxruntime")
    from calibrant import onnx
    from calibrant.torch import CalibratedModule, module

    batch = regional(500, local=True, seed=4)[0]
    wanted = learnt(batch).probabilities
    program = recorded(lambda ops, *given: probabilities(ops, learnt, *given), beside=1)
    log_p = batch.scores - batch.summary.total[:, None]
    np.testing.assert_allclose(program.run(NumpyPlace(), log_p, beside=[batch.features]), wanted, rtol=1e-11)
    scores, features = torch.tensor(batch.scores), torch.tensor(batch.features)
    np.testing.assert_allclose(module(learnt)(scores, features).numpy(), wanted, rtol=1e-10)
    parts = {"output": lambda given: given[0], "features": lambda given: given[1]}
    behind = CalibratedModule(torch.nn.Identity(), learnt, **parts)
    np.testing.assert_allclose(behind((scores, features)).numpy(), wanted, rtol=1e-10)
    with pytest.raises(DataError, match="module must be given the 3 features of its map"):
        module(learnt)(scores)
    graph = onnx.export(learnt, kind="logit", dtype=np.float64)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (found,) = session.run(None, {"scores": batch.scores, "features": batch.features})
    assert np.abs(found - wanted).max() < 1e-6


def test_behind_a_classifier_with_its_features(learnt):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    from calibrant.onnx import attach

    batch = regional(100, local=True, seed=4)[0]
    double = onnx.TensorProto.DOUBLE
    made = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["z"], ["logits"]), onnx.helper.make_node("Identity", ["x"], ["layer"])],
        "classifier",
        [onnx.helper.make_tensor_value_info(name, double, [None, 3]) for name in ("z", "x")],
        [onnx.helper.make_tensor_value_info("logits", double, [None, 3])],
    )
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    whole = attach(model, learnt, kind="logit", features="layer")
    (found,) = onnxruntime.InferenceSession(whole.SerializeToString()).run(
        None, {"z": batch.scores, "x": batch.features}
    )
    assert np.abs(found - learnt(batch).probabilities).max() < 1e-6
    with pytest.raises(DataError, match="features must name a value of the model with the 3 features of the map"):
        attach(model, learnt, kind="logit")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import numpy as np, calibrant
from calibrant.errors import MissingExtra
data = np.load(sys.argv[1])
batch = calibrant.Predictions.from_logits(data["scores"], data["labels"], features=data["features"])
assert np.array_equal(calibrant.load(sys.argv[2])(batch).scores, data["wanted"])
try:
    calibrant.fit(batch, "local_net")
except MissingExtra as error:
    print(error)
"""


def test_without_torch_a_saved_map_maps_and_a_fit_says_what_is_missing(learnt, tmp_path):
    batch = regional(200, local=True, seed=5)[0]
    wanted = learnt(batch).scores
    np.savez(tmp_path / "rows.npz", scores=batch.scores, labels=batch.labels, features=batch.features, wanted=wanted)
    path = learnt.save(tmp_path / "map.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "rows.npz"), str(path)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("torch must be installed to train local nets")
    assert "pip install 'calibrant[torch]'" in done.stdout


# ---- what is refused, and what is told -------------------------------------------------------------------------------
def judged(shell, helps):
    """Return radius and gain for 400 rows within a distance of 1 and others at 2, where a correction helps or harms."""
    n = 400 + shell
    far = np.arange(n) >= 400
    rng = np.random.default_rng(0)
    labels = (rng.random(n) < 0.8).astype(np.int64)  # class 1, which the scores hold for as likely as class 0
    log_p, sign = np.full((n, 2), np.log(0.5)), np.where(far & (not helps), -1.0, 1.0)
    zeros = np.zeros(n)
    rows = NetRows(
        inputs=zeros[:, None], coordinates=zeros[:, None], log_p=log_p, labels=labels, weights=np.ones(n),
        fold=np.arange(n) % 2, trust=np.ones(n),
    )  # fmt: skip
    correction = SimpleNamespace(log_scale=zeros, shift=np.column_stack([zeros, sign * np.log(4)]))
    units = Units.of(Predictions.from_logits(log_p, labels))
    radius, share, gain = recipes._judged(rows, correction, np.where(far, 2.0, 0.5), 1.0, units)
    assert share == pytest.approx(1, abs=0.25)
    assert gain[0] > 2 * gain[1]
    return radius


def test_a_correction_is_trusted_farther_out_where_enough_rows_gain_there():
    assert judged(200, helps=True) == 3.0
    assert judged(200, helps=False) == 1.5
    assert judged(50, helps=True) == 1.5


def test_features_are_asked_for_in_a_sentence(learnt):
    batch = regional(30, local=True)[0]
    bare = Predictions.from_logits(batch.scores, batch.labels)
    with pytest.raises(CapabilityError, match="predictions must have features for local_net; pass features="):
        calibrators.fit(bare, "local_net")
    with pytest.raises(DataError, match="predictions must have the 3 features of the map; pass features="):
        learnt(bare)
    with pytest.raises(DataError, match="features must be the 3 of the map, got 2"):
        learnt(Predictions.from_logits(batch.scores, features=batch.features[:, :2]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("recipe='vanilla'", "recipe must be one of"),
        ("hidden=0", "hidden must be a whole number of at least 1"),
        ("folds=1", "folds must be a whole number of at least 2"),
        ("agreement=-1.0", "agreement must be a number of at least 0"),
        ("start='local_net'", "start must be a calibrator of scores alone"),
    ],
)
def test_choices_are_checked(options, sentence):
    with pytest.raises(DataError, match=sentence):
        calibrator(f"local_net({options})")


def test_features_that_never_vary_leave_the_global_map():
    batch = regional(100, local=True)[0]
    flat = Predictions.from_logits(batch.scores, batch.labels, features=np.ones((100, 4)))
    repaired = calibrators.fit(flat, QUICK)
    assert repaired.record.message == "the global map is kept: no feature varies"
    assert np.allclose(repaired(flat).probabilities, repaired.base(flat).probabilities, rtol=1e-12)


def test_the_record_tells_how_it_went(learnt):
    assert isinstance(learnt, LocalNetMap)
    assert learnt.curves.shape == (len(learnt.curves), 4)
    assert learnt.losses.shape == learnt.agreements.shape == (2,)
    assert learnt.gain[0] > learnt.gain[1] > 0
    assert "on rows left out" in learnt.record.message
