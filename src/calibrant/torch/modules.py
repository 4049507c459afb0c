"""Maps as torch modules: scores, and features where a map needs them, in; repaired probabilities out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calibrant.calibrators.base import CalibrationMap
from calibrant.errors import require
from calibrant.predictions import Kind
from calibrant.programs import check_portable, log_probabilities, probabilities, recorded, stand_in
from calibrant.torch._package import torch
from calibrant.torch.operations import PLACE, Tensor

_PRECISIONS = ("float32", "float64")  # of the scores, as calibrant keeps them; half precision is widened


class MapModule(torch.nn.Module):
    """A map as a module: ``forward(scores)`` gives its probabilities; made by `module`.

    A map that needs features takes them as ``forward(scores, features)``.

    The steps of the map are recorded once; its numbers are float64 buffers. They move with the module, lie in its
    ``state_dict``, and keep their precision when the module is cast to another.
    """

    def __init__(self, learnt: CalibrationMap, *, kind: Kind) -> None:
        super().__init__()
        check_portable(learnt, kind)
        self.kind, self.k, self.classes, self.spec = kind, learnt.record.k, learnt.record.classes, learnt.record.spec
        self.dimensions = learnt.dimensions
        self.program = recorded(lambda ops, *given: probabilities(ops, learnt, *given), beside=int(self.dimensions > 0))
        for i, constant in enumerate(self.program.constants):
            self.register_buffer(f"constant_{i}", torch.tensor(constant))
        for dtype in _PRECISIONS:
            zero = stand_in(learnt, dtype)
            self.register_buffer(f"zero_{dtype}", torch.tensor(zero, dtype=torch.float64))

    def forward(self, scores: Tensor, features: Tensor | None = None) -> Tensor:
        """Return the repaired probabilities (..., k) of scores (..., k), in their precision, float32 at least.

        ``features`` (..., d) are needed where the map needs them, and are not read elsewhere.
        """
        require(scores.shape[-1] == self.k, "scores", f"have {self.k} classes", f"shape {tuple(scores.shape)}")
        require(scores.is_floating_point(), "scores", "be floating-point numbers", scores.dtype)
        given = scores if scores.dtype == torch.float64 else scores.float()
        zero = getattr(self, f"zero_{str(given.dtype).removeprefix('torch.')}")
        rows = given.reshape(-1, self.k).double()
        log_p = log_probabilities(PLACE, rows, zero, logits=self.kind == "logit")
        found: Tensor = self.program.run(PLACE, log_p, self._constants(), self._beside(features))
        return found.clamp_min(torch.finfo(given.dtype).tiny).to(given.dtype).reshape(scores.shape)

    def _beside(self, features: Tensor | None) -> list[Tensor]:
        """Return the features as the program takes them, if it takes any."""
        if not self.dimensions:
            return []
        require(features is not None, "module", f"be given the {self.dimensions} features of its map")
        assert features is not None
        fits = features.shape[-1] == self.dimensions
        require(fits, "features", f"have {self.dimensions} columns", f"shape {tuple(features.shape)}")
        return [features.reshape(-1, self.dimensions).double()]

    def _constants(self) -> list[Tensor]:
        return [getattr(self, f"constant_{i}") for i in range(len(self.program.constants))]

    def extra_repr(self) -> str:
        """Return what a printed module tells."""
        return f"{self.spec!r}, k={self.k}, kind={self.kind!r}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> MapModule:
        """Move the buffers as asked, but leave them in float64."""
        super()._apply(lambda buffer: buffer.to(fn(buffer).device), recurse)  # type: ignore[no-untyped-call]
        return self


class CalibratedModule(torch.nn.Module):
    """A classifier and the map behind it: ``forward`` takes what the model takes and gives repaired probabilities.

    Parameters
    ----------
    model : the classifier.
    learnt : the map, fitted to its scores (see `collect`).
    kind : what the scores are, "logit" or "probability".
    output : takes the scores (..., k) out of what the model returns; None: the model returns them.
    features : takes the features (..., d) out of what the model returns, for a map that needs them.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        learnt: CalibrationMap,
        *,
        kind: Kind = "logit",
        output: Callable[[Any], Tensor] | None = None,
        features: Callable[[Any], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.calibration, self.output, self.features = model, MapModule(learnt, kind=kind), output, features

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        """Return the repaired probabilities (..., k)."""
        given = self.model(*inputs, **named)
        scores = given if self.output is None else self.output(given)
        found: Tensor = self.calibration(scores, None if self.features is None else self.features(given))
        return found


def module(learnt: CalibrationMap, *, kind: Kind = "logit") -> MapModule:
    """Return the map as a torch module: scores (..., k) in, repaired probabilities (..., k) out.

    All arithmetic is in float64; the answer has the precision of the scores, float32 at least. Exact zeros are replaced
    by the map's ``floor``, as the map does. Gradients flow to the scores wherever the map has them.

    Parameters
    ----------
    learnt : the map.
    kind : what the scores are, "logit" or "probability".

    Raises
    ------
    CapabilityError : if the map needs more than scores, and has no formula of features.
    """
    return MapModule(learnt, kind=kind)
