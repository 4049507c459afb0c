"""Scores of a model over a loader: nothing of the model changes, whatever shape the batches have."""

import numpy as np
import pytest

from calibrant.errors import DataError

torch = pytest.importorskip("torch", reason="torch is not installed")  # what needs it is imported below
# ruff: noqa: E402

from torch.utils.data import DataLoader, TensorDataset

from calibrant.torch import collect


@pytest.fixture
def rows():
    torch.manual_seed(1)
    return torch.randn(70, 5), torch.randint(3, (70,))


class Net(torch.nn.Module):
    """A classifier that in training mode gives something else, and counts how often it is called."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.hidden = torch.nn.Linear(5, 4, dtype=dtype)
        self.drop = torch.nn.Dropout(0.9)
        self.norm = torch.nn.BatchNorm1d(4, dtype=dtype)
        self.last = torch.nn.Linear(4, 3, dtype=dtype)

    def forward(self, x, y=0.0):
        return self.last(self.norm(self.drop(self.hidden(x) + y)))


def loader(*columns):
    return DataLoader(TensorDataset(*columns), batch_size=16)


def test_scores_and_labels(rows):
    model = Net()
    found = collect(model, loader(*rows))
    with torch.no_grad():
        assert np.array_equal(found.scores, model.eval()(rows[0]).numpy())
    assert found.kind == "logit"
    assert np.array_equal(found.labels, rows[1].numpy())


def test_every_module_is_back_in_its_mode(rows):
    model = Net()
    model.norm.eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    collect(model, loader(*rows))
    assert {name: part.training for name, part in model.named_modules()} == {
        "": True, "hidden": True, "drop": True, "norm": False, "last": True
    }  # fmt: skip
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        collect(model, [(torch.zeros(2, 7), torch.zeros(2))])
    assert model.training
    assert not model.norm.training


def test_shapes_of_batches(rows):
    x, y = rows
    model = Net().eval()
    plain = collect(model, loader(x, y))
    named = collect(model, [{"x": x[:50], "labels": y[:50]}, {"x": x[50:], "labels": y[50:]}])
    several = collect(model, loader(x, torch.zeros(70, 1), y))
    for other in (named, several):
        np.testing.assert_allclose(other.scores, plain.scores, rtol=1e-5, atol=1e-6)  # sums in another order
        assert np.array_equal(other.labels, plain.labels)
    for bare in (loader(x), [x[:50], x[50:]], [{"x": x}]):
        assert collect(model, bare).labels is None
    soft = collect(model, [(x, torch.softmax(torch.randn(70, 3), 1))])
    assert soft.soft
    assert collect(model, [(x, y.tolist())]).labels.tolist() == y.tolist()


def test_probabilities_and_other_columns(rows):
    class Share(Net):
        def forward(self, x):
            return {"p": torch.softmax(super().forward(x), 1)}

    ids = [f"row {i}" for i in range(70)]
    columns = {"ids": ids, "classes": ["ant", "bee", "cat"], "weights": np.ones(70)}
    found = collect(Share(), loader(*rows), kind="probability", output=lambda out: out["p"], **columns)
    assert found.kind == "probability"
    assert found.classes == ("ant", "bee", "cat")
    assert found.ids.tolist() == ids


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_half_precision_is_widened(rows, dtype, kind):
    class Cast(Net):
        def forward(self, x):
            scores = super().forward(x)
            return (scores if kind == "logit" else torch.softmax(scores, 1)).to(dtype)

    normalize = {"normalize": True} if kind == "probability" and dtype == torch.bfloat16 else {}
    found = collect(Cast(), loader(*rows), kind=kind, **normalize)
    assert found.scores.dtype == (np.float64 if dtype == torch.float64 else np.float32)


def test_features_of_a_layer(rows):
    model = Net().eval()
    by_name, by_part = (collect(model, loader(*rows), features=which) for which in ("hidden", model.hidden))
    with torch.no_grad():
        assert np.allclose(by_name.features, model.hidden(rows[0]).numpy(), rtol=1e-5, atol=1e-6)
    assert np.array_equal(by_name.features, by_part.features)
    assert not model.hidden._forward_hooks
    with pytest.raises(DataError, match="features must name a module of the model, got 'layer4'"):
        collect(model, loader(*rows), features="layer4")


def test_the_device_of_the_inputs(rows):
    class Anywhere(torch.nn.Module):
        seen = ""

        def forward(self, x):
            self.seen = x.device.type
            return torch.zeros(len(x), 3)

    model = Anywhere()
    collect(model, loader(*rows))
    assert model.seen == "cpu"
    collect(model, [(rows[0], rows[1].tolist())], device="meta")
    assert model.seen == "meta"


def test_what_is_refused(rows):
    x, y = rows
    with pytest.raises(DataError, match="loader must give one batch at least, got none"):
        collect(Net(), [])
    with pytest.raises(DataError, match="loader must give labels with every batch or with none"):
        collect(Net(), [(x, y), (x,)])
    with pytest.raises(DataError, match="kind must be 'probability' or 'logit', got 'logits'"):
        collect(Net(), loader(*rows), kind="logits")
    with pytest.raises(DataError, match="each row of probabilities must sum to 1"):
        collect(Net(), loader(*rows), kind="probability", output=lambda z: z.abs() / 100)
