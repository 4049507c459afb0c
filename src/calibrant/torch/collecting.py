"""The scores of a classifier on all rows of a loader, as one batch of predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.predictions import Kind, Predictions
from calibrant.torch._package import torch
from calibrant.torch.operations import Tensor

Array = NDArray[Any]


def collect(
    model: torch.nn.Module,
    loader: Iterable[Any],
    *,
    kind: Kind = "logit",
    device: str | torch.device | None = None,
    output: Callable[[Any], Tensor] | None = None,
    features: str | torch.nn.Module | None = None,
    **columns: Any,
) -> Predictions:
    """Return the model's scores and labels on all rows of a loader, as `Predictions`.

    The model runs in evaluation mode without gradients; afterwards every module is in the mode that it was in. Scores
    in half precision are widened to float32.

    Parameters
    ----------
    model : the classifier.
    loader : gives batches: (inputs, ..., labels), where all but the last go to the model; a mapping, whose entry
        ``labels`` is taken out and whose other entries go to the model by name; or one tensor of inputs, no labels.
    kind : what the scores are, "logit" or "probability".
    device : where the inputs go; None: where the model's first parameter is.
    output : takes the scores (n, k) out of what the model returns; None: the model returns them.
    features : a module of the model, or its name; what it returns, flattened to (n, d), becomes the features.
    columns : what else the constructor of `Predictions` takes: ``classes``, ``weights``, ``ids``, ``normalize`` ...

    Raises
    ------
    DataError : if the loader is empty, only some of its batches have labels, or the scores are not what they must be.
    """
    require(kind in ("probability", "logit"), "kind", "be 'probability' or 'logit'", repr(kind))
    where = _device_of(model) if device is None else device
    scores, labels, kept = list[Array](), list[Array](), list[Array]()
    with evaluating(model), torch.no_grad(), _watched(model, features, kept):
        for batch in loader:
            inputs, named, told = _parts(_moved(batch, where))
            given = model(*inputs, **named)
            scores.append(_array(given if output is None else output(given)))
            labels.extend([] if told is None else [_array(torch.as_tensor(told))])
    require(len(scores) > 0, "loader", "give one batch at least", "none")
    require(len(labels) in (0, len(scores)), "loader", "give labels with every batch or with none", len(labels))
    if kept:
        columns["features"] = np.concatenate(kept)
    make = Predictions.from_logits if kind == "logit" else Predictions.from_probabilities
    return make(np.concatenate(scores), np.concatenate(labels) if labels else None, **columns)


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put all modules of the model into evaluation mode, and each back into its own afterwards."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _watched(model: torch.nn.Module, features: str | torch.nn.Module | None, kept: list[Array]) -> Iterator[None]:
    """Append what the module ``features`` returns to ``kept``, a flat row a sample."""
    if features is None:
        yield
        return
    known = dict(model.named_modules())
    found = known.get(features) if isinstance(features, str) else features
    require(found is not None, "features", "name a module of the model", repr(features))
    assert found is not None
    handle = found.register_forward_hook(lambda part, inputs, given: kept.append(_array(given.flatten(1))))
    try:
        yield
    finally:
        handle.remove()


def _device_of(model: torch.nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _moved(batch: Any, device: str | torch.device) -> Any:
    """Return the batch with all its tensors on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: _moved(part, device) for name, part in batch.items()}
    return [_moved(part, device) for part in batch] if isinstance(batch, (list, tuple)) else batch


def _parts(batch: Any) -> tuple[list[Any], dict[str, Any], Any]:
    """Return what the model takes by position and by name, and the labels, None if there are none."""
    if isinstance(batch, Mapping):
        return [], {name: part for name, part in batch.items() if name != "labels"}, batch.get("labels")
    if isinstance(batch, list):
        return (batch[:-1], {}, batch[-1]) if len(batch) > 1 else (batch, {}, None)
    return [batch], {}, None


def _array(values: Tensor) -> Array:
    """Return the values on the host; bfloat16, which NumPy lacks, as float32."""
    wide = values.float() if values.dtype is torch.bfloat16 else values
    return np.asarray(wide.detach().cpu())
