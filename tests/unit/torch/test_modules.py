"""Maps as torch modules: the probabilities of NumPy, with gradients, in float64 wherever the module goes."""

import copy
import pickle

import numpy as np
import pytest

from calibrant import Predictions, registry
from calibrant.errors import DataError
from portable_maps import NAMES, OPERATIONS, SETS, fresh, learnt, narrowed, values

torch = pytest.importorskip("torch", reason="torch is not installed")  # what needs it is imported below
# ruff: noqa: E402

from calibrant.formulas import NUMPY
from calibrant.programs import recorded
from calibrant.torch import CalibratedModule, module
from calibrant.torch.operations import PLACE

# Exponentials and logarithms of the two libraries differ by a unit or two in the last place; maps of slopes up to some
# hundred make some 1e-14 of it.
CLOSE = 1e-12


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_as_in_numpy(name):
    program = recorded(OPERATIONS[name])
    with np.errstate(divide="ignore"):
        wanted = OPERATIONS[name](NUMPY, values())
    found = program.run(PLACE, torch.tensor(values()), [torch.tensor(one) for one in program.constants])
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("name", NAMES)
def test_parity(name, which):
    repaired, batch = learnt(name, which), fresh(which)
    if repaired is None:
        pytest.skip(f"{name} declines this set")
    made = module(repaired, kind=batch.kind)
    for dtype, close in ((np.float64, CLOSE), (np.float32, 1e-6)):  # rounded once to float32, which is 6e-8
        scores, same = narrowed(batch, dtype)
        found = made(torch.tensor(scores)).numpy()
        assert found.dtype == dtype
        off = np.abs(found - repaired(same).probabilities).max()
        assert off <= close


SMOOTH = [name for name in NAMES if registry.lookup("calibrator", name).capabilities.differentiable]


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_those_of_central_differences(name):
    repaired = learnt(name, "logits")
    scores = torch.tensor(fresh("logits").scores[:5], requires_grad=True)
    assert torch.autograd.gradcheck(module(repaired), (scores,))


@pytest.mark.parametrize("which", ["votes", "hidden"])
@pytest.mark.parametrize("name", ["temperature", "vector", "platt"])
def test_gradients_are_finite_where_scores_are_zeros(name, which):
    batch = fresh(which).take(slice(0, 100))
    scores = torch.tensor(batch.scores, requires_grad=True)
    module(learnt(name, which), kind=batch.kind)(scores)[:, 0].sum().backward()
    assert bool(torch.isfinite(scores.grad).all())


def test_numbers_of_a_map_travel_in_the_state():
    first, other = (module(learnt("vector", which)) for which in ("logits", "logits"))
    scores = torch.tensor(fresh("logits").scores[:20])
    wanted = first(scores)
    for buffer in other.buffers():
        buffer.mul_(0.5)
    assert not torch.equal(other(scores), wanted)
    other.load_state_dict(first.state_dict())
    assert torch.equal(other(scores), wanted)
    assert not list(first.parameters())
    for made in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert torch.equal(made(scores), wanted)


@pytest.mark.parametrize("cast", [lambda m: m.half(), lambda m: m.to(torch.bfloat16), lambda m: m.float()])
def test_a_cast_leaves_the_map_in_float64(cast):
    scores = torch.tensor(fresh("logits").scores[:20])
    model = CalibratedModule(torch.nn.Linear(4, 4), learnt("isotonic", "logits"))
    wanted = model.calibration(scores)
    assert cast(model).model.weight.dtype != torch.float64
    assert torch.equal(model.calibration(scores), wanted)


def test_it_moves_to_another_device():
    made = module(learnt("histogram", "logits")).to("meta")
    assert {buffer.device.type for buffer in made.buffers()} == {"meta"}
    assert made(torch.zeros(3, 4, device="meta")).shape == (3, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype):
    scores = torch.tensor(fresh("logits").scores[:20]).to(dtype)
    found = module(learnt("vector", "logits"))(scores)
    assert found.dtype == torch.float32
    assert torch.equal(found, module(learnt("vector", "logits"))(scores.float()))


def test_leading_dimensions_are_kept():
    scores = torch.tensor(fresh("logits").scores[:24])
    made = module(learnt("vector", "logits"))
    assert torch.equal(made(scores.reshape(2, 3, 4, 4)).reshape(-1, 4), made(scores))
    assert torch.equal(made(scores[0]), made(scores[:1])[0])
    assert made(scores[:0]).shape == (0, 4)


def test_scores_must_be_those_of_the_map():
    made = module(learnt("temperature", "logits"))
    with pytest.raises(DataError, match=r"scores must have 4 classes, got shape \(2, 3\)"):
        made(torch.zeros(2, 3))
    with pytest.raises(DataError, match=r"scores must be floating-point numbers, got torch.int64"):
        made(torch.zeros(2, 4, dtype=torch.int64))
    with pytest.raises(DataError, match="kind must be"):
        module(learnt("temperature", "logits"), kind="logits")
    assert repr(made) == "MapModule('temperature', k=4, kind='logit')"


def test_it_can_be_traced():
    made = module(learnt("isotonic", "logits"))
    scores = torch.tensor(fresh("logits").scores[:50])
    exported = torch.export.export(made, (scores,), dynamic_shapes=({0: torch.export.Dim("n")},))
    assert torch.equal(exported.module()(scores[:20]), made(scores[:20]))


def test_a_map_behind_a_model():
    torch.manual_seed(0)
    model, repaired = torch.nn.Linear(6, 4), learnt("vector", "logits")
    x = torch.randn(30, 6)
    logits = model(x).detach().numpy()
    wanted = repaired(Predictions.from_logits(logits.astype(np.float64))).probabilities
    assert np.abs(CalibratedModule(model, repaired)(x).detach().numpy() - wanted).max() < 1e-6  # one float32 rounding

    class Named(torch.nn.Module):
        def forward(self, *, values):
            return {"logits": model(values)}

    whole = CalibratedModule(Named(), repaired, output=lambda given: given["logits"])
    assert np.abs(whole(values=x).detach().numpy() - wanted).max() < 1e-6
    shares = CalibratedModule(torch.nn.Sequential(model, torch.nn.Softmax(1)), repaired, kind="probability")
    assert np.abs(shares(x).detach().numpy() - wanted).max() < 2e-6  # a float32 softmax and one rounding more
    whole = CalibratedModule(model, repaired)
    whole(x).sum().backward()
    assert model.weight.grad is not None
