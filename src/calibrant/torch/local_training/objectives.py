"""The objectives of local nets: class frequencies within a batch, and how far the head is from them.

``z`` (b, q) embeds the rows, ``labels`` (b, k) are soft, ``weights`` (b,) have mean 1. "Released" functions follow the
code that came with the paper, its clips and floors included; the others do what they were meant to do.
"""

from __future__ import annotations

import math

from calibrant.torch._package import torch

Tensor = torch.Tensor

_EXPONENT, _SUM = 1e-6, 1e-6  # added to twice the variance, and to the sum of weights, as released
_FREQUENCY, _PROBABILITY, _LABEL = 1e-6, 1e-4, 1e-8  # clips of frequencies, of both sides of a distance, of a log
_FLOOR = 1e-4  # of a divergence before its root
_SMOOTH = 1e-6  # nats: within its square root the distance is a square, so that its slope is bounded
UNIFORM = 1e-3  # share of the uniform distribution in frequencies, so that an absent class has a finite log loss


def squared_distances(z: Tensor, other: Tensor) -> Tensor:
    """Return squared distances (b, c) of rows; equal rows have slope 0."""
    found = z.square().sum(1)[:, None] + other.square().sum(1) - 2 * z @ other.T
    return found.clamp_min(0.0)


def released_frequencies(z: Tensor, labels: Tensor, weights: Tensor, bandwidth: float) -> Tensor:
    """Return kernel-weighted frequencies (b, k) of the other rows, as released: rows far from all have none."""
    kernel = torch.exp(-squared_distances(z, z) / (2 * bandwidth**2 + _EXPONENT))
    kernel = kernel * (1 - torch.eye(len(z), dtype=z.dtype)) * weights
    found = kernel @ labels / (kernel.sum(1, keepdim=True) + _SUM)
    return found.clamp(_FREQUENCY, 1 - _FREQUENCY)


def released_distance(p: Tensor, theta: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over rows and classes of the root of the one-against-rest divergence, as released.

    For two classes it is the sum over the rows of class 0, not a mean.
    """
    p, theta = (one.clamp(_PROBABILITY, 1 - _PROBABILITY) for one in (p, theta))
    middle = (p + theta) / 2
    divergence = (_two_way(p, middle) + _two_way(theta, middle)) / 2
    distance = divergence.clamp_min(_FLOOR).sqrt() * weights[:, None]
    return distance[:, 0].sum() if p.shape[1] == 2 else distance.mean()


def _two_way(p: Tensor, q: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of two Bernoulli distributions, elementwise."""
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()


def released_loss(theta: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean cross-entropy of the frequencies to the labels, as released."""
    return -((labels * theta.clamp(_LABEL, 1 - _LABEL).log()).sum(1) * weights).mean()


def frequencies(z: Tensor, labels: Tensor, weights: Tensor, bandwidth: float, queries: Tensor | None = None) -> Tensor:
    """Return kernel-weighted frequencies of the other rows (b, k), or of all rows around ``queries``.

    Weights are a softmax of log-kernels: a row far from all has the frequencies of its nearest. A batch of one row has
    no other, and is told nothing.
    """
    logs = -squared_distances(z if queries is None else queries, z) / (2 * bandwidth**2) + weights.log()
    if queries is None:
        if len(z) == 1:
            return torch.full_like(labels, 1 / labels.shape[1])
        logs = logs.masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)
    return (1 - UNIFORM) * torch.softmax(logs, 1) @ labels + UNIFORM / labels.shape[1]


def distance(log_p: Tensor, theta: Tensor, weights: Tensor) -> Tensor:
    """Return the mean Jensen-Shannon distance of log-probabilities (b, k) to frequencies, in root nats, at most 0.8326.

    sqrt(JSD + e) - sqrt(e) with e = 1e-6: zero, and smooth, where both agree.
    """
    p = log_p.exp()
    middle = ((p + theta) / 2).log()
    divergence = ((p * (log_p - middle)).sum(1) + (theta * (theta.log() - middle)).sum(1)) / 2
    return (((divergence.clamp_min(0.0) + _SMOOTH).sqrt() - math.sqrt(_SMOOTH)) * weights).mean()


def loss(theta: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean cross-entropy of positive frequencies to the labels."""
    return -((labels * theta.log()).sum(1) * weights).mean()
