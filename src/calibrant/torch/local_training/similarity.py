"""The LoCal net: one hidden layer with a head that embeds rows and one that predicts; both learn to agree.

Embedding z = h Ws + bs + a u + c of the principal components u, logits h Wc + bc + a l + c of the scores l. The
frequencies of the labels around each row of a batch, in z, learn from the labels; the prediction learns from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.local_nets.rows import Curves, Net, NetRows, Trained, Training
from calibrant.torch._package import torch
from calibrant.torch.local_training import objectives
from calibrant.torch.local_training.chance import generator, normal, one_thread, shuffled, tensor, uniform

Tensor = torch.Tensor
Objective = Literal["released", "paper"]

BATCH, _RATE, _DROPOUT, _PATIENCE = 1024, 1e-3, 0.3, 10
_SCALE = 0.01  # standard deviation of the first weights
_SHARED = 10  # classes up to which all classes and components share one slope and one intercept
_NAMES = ("agreement", "frequency loss", "held-out agreement", "held-out log loss")


class SimilarityNet(NamedTuple):
    """The parameters, float64: both heads, and the slopes and intercepts of what they start from."""

    hidden: Tensor
    hidden_bias: Tensor
    embed: Tensor
    embed_bias: Tensor
    predict: Tensor
    predict_bias: Tensor
    embed_slope: Tensor
    embed_intercept: Tensor
    slope: Tensor
    intercept: Tensor

    @classmethod
    def started(cls, d: int, h: int, q: int, k: int, chance: torch.Generator) -> SimilarityNet:
        """Return the net at its start: nearly the scores that it is given."""
        wide = torch.float64
        parts = []
        for rows, columns in ((d, h), (h, q), (h, k)):
            parts.append(normal((rows, columns), _SCALE, chance, wide))
            parts.append(uniform((columns,), 1 / math.sqrt(rows), chance, wide))
        for columns in (q, k):
            shape = (columns if k > _SHARED else 1,)
            parts.extend([torch.ones(shape, dtype=wide), normal(shape, _SCALE, chance, wide)])
        return cls(*(part.requires_grad_() for part in parts))

    def heads(self, x: Tensor, u: Tensor, log_p: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the embedding (b, q) and the logits (b, k); ``kept`` (b, h) are the units that were not dropped."""
        h = torch.relu(x @ self.hidden + self.hidden_bias)
        h = h if kept is None else h * kept
        z = h @ self.embed + self.embed_bias + self.embed_slope * u + self.embed_intercept
        return z, h @ self.predict + self.predict_bias + self.slope * log_p + self.intercept

    def net(self) -> Net:
        """Return what predicts, as arrays."""
        h, k = self.predict.shape
        parts = [np.asarray(one.detach()) for one in self]
        return Net(
            hidden_weights=parts[0],
            hidden_bias=parts[1],
            scale_weights=np.zeros((h, 1)),
            scale_bias=np.zeros(1),
            shift_weights=parts[4],
            shift_bias=parts[5] + parts[9],
            slopes=np.broadcast_to(parts[8], (k,)).copy(),
        )


class Data(NamedTuple):
    """Rows as float64 tensors: inputs (n, d), components (n, q), log-probabilities and labels (n, k), weights (n,)."""

    x: Tensor
    u: Tensor
    log_p: Tensor
    labels: Tensor
    weights: Tensor

    @classmethod
    def of(cls, rows: NetRows, which: NDArray[np.bool_]) -> Data:
        """Return some of the rows, their weights with mean 1."""
        columns = (rows.inputs, rows.coordinates, rows.log_p, rows.label_mass, rows.weights)
        x, u, log_p, labels, weights = (tensor(one[which].astype(np.float64), torch.float64) for one in columns)
        return cls(x, u, log_p, labels, weights / weights.mean())

    def at(self, rows: Tensor) -> Data:
        """Return some of the rows."""
        return Data(*(one[rows] for one in self))


def released(z: Tensor, logits: Tensor, data: Data, bandwidth: float) -> tuple[Tensor, Tensor]:
    """Return both terms of the objective as released: the distance and the loss of the frequencies."""
    theta = objectives.released_frequencies(z, data.labels, data.weights, bandwidth)
    apart = objectives.released_distance(torch.softmax(logits, 1), theta, data.weights)
    return apart, objectives.released_loss(theta, data.labels, data.weights)


def paper(z: Tensor, logits: Tensor, data: Data, bandwidth: float) -> tuple[Tensor, Tensor]:
    """Return both terms of the objective as meant."""
    theta = objectives.frequencies(z, data.labels, data.weights, bandwidth)
    apart = objectives.distance(torch.log_softmax(logits, 1), theta, data.weights)
    return apart, objectives.loss(theta, data.labels, data.weights)


_TERMS: dict[str, Callable[[Tensor, Tensor, Data, float], tuple[Tensor, Tensor]]] = {
    "released": released,
    "paper": paper,
}


def trained(rows: NetRows, objective: Objective, agreement: float, bandwidth: float, training: Training) -> Trained:
    """Return the net of the epoch that was best on fold 0, learnt from the other folds.

    As released, best is the smallest distance of prediction and frequencies within batches of the held-out rows; as
    meant, the smallest sum of that distance, to the frequencies of the training rows, and the log loss.
    """
    with one_thread():
        train, held, chance = Data.of(rows, rows.fold != 0), Data.of(rows, rows.fold == 0), generator(training.seed)
        net = SimilarityNet.started(train.x.shape[1], training.hidden, train.u.shape[1], rows.k, chance)
        steps = torch.optim.Adam([*net], lr=_RATE)
        best, least, kept, curves = net.net(), math.inf, 0, list[list[float]]()
        for epoch in range(1, training.epochs + 1):
            told = _epoch(net, train, _TERMS[objective], agreement, bandwidth, steps, chance)
            with torch.no_grad():
                apart, log_loss = _judged(net, train, held, objective, bandwidth)
            curves.append([*told, apart, log_loss])
            now = apart if objective == "released" else apart + log_loss
            if now < least:
                best, least, kept = net.net(), now, epoch
            if epoch - kept >= _PATIENCE:
                break
        return Trained(best, Curves(_NAMES, np.array(curves)), kept, len(curves) < training.epochs)


def _epoch(
    net: SimilarityNet,
    train: Data,
    terms: Callable[[Tensor, Tensor, Data, float], tuple[Tensor, Tensor]],
    agreement: float,
    bandwidth: float,
    steps: torch.optim.Optimizer,
    chance: torch.Generator,
) -> list[float]:
    """Take one step a batch; return the means of both terms."""
    total = [0.0, 0.0]
    for batch in shuffled(len(train.x), BATCH, chance):
        some = train.at(batch)
        z, logits = net.heads(some.x, some.u, some.log_p, _not_dropped(len(batch), net.hidden.shape[1], chance))
        apart, loss = terms(z, logits, some, bandwidth)
        steps.zero_grad()
        (agreement * apart + loss).backward()  # type: ignore[no-untyped-call]
        steps.step()
        total = [t + float(one.detach()) * len(batch) for t, one in zip(total, (apart, loss), strict=True)]
    return [one / len(train.x) for one in total]


def _not_dropped(b: int, h: int, chance: torch.Generator) -> Tensor:
    """Return a mask (b, h) of units, scaled so that sums keep their mean."""
    return (torch.rand((b, h), generator=chance, dtype=torch.float64) >= _DROPOUT) / (1 - _DROPOUT)


def _judged(net: SimilarityNet, train: Data, held: Data, objective: Objective, bandwidth: float) -> tuple[float, float]:
    """Return the distance of prediction and frequencies on the held-out rows, and their log loss."""
    z, logits = net.heads(held.x, held.u, held.log_p)
    log_p = torch.log_softmax(logits, 1)
    log_loss = float(-((held.labels * log_p).sum(1) * held.weights).mean())
    parts, references = torch.split(torch.arange(len(z)), BATCH), net.heads(train.x, train.u, train.log_p)[0]
    total = 0.0
    for part in parts:
        some = held.at(part)
        if objective == "released":
            apart = released(z[part], logits[part], some, bandwidth)[0]
        else:
            theta = objectives.frequencies(references, train.labels, train.weights, bandwidth, z[part])
            apart = objectives.distance(log_p[part], theta, some.weights)
        total += float(apart) * len(part)
    return total / len(z), log_loss
