"""Classifiers that are wrong by region, with features that tell the region, shared by the tests of local methods."""

import numpy as np

from calibrant import Predictions


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def regional(n, wrong="scale", k=3, seed=0, far=0.0, **columns):
    """Return predictions and the truth (n, k): the first feature tells how the scores are wrong.

    ``scale``: too sure on the right, too unsure on the left. ``shift``: a class is preferred on the right. ``global``:
    too sure everywhere. ``blind``: right for what they know, but the first feature tells a class apart. ``far`` moves
    all features away.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    z = 2 * rng.normal(size=(n, k))
    side = np.tanh(3 * x[:, :1])
    preferred = np.eye(k)[0]
    truth = softmax(z + 3 * side * preferred) if wrong == "blind" else softmax(z)
    scores = {"scale": z * np.exp(side), "shift": z + 1.5 * side * preferred, "global": 2 * z, "blind": z}[wrong]
    labels = (truth.cumsum(1) < rng.random((n, 1))).sum(1).clip(max=k - 1)
    return Predictions.from_logits(scores, labels, features=x + far, **columns), truth


def off(predictions, truth):
    """The mean total variation from the truth."""
    return 0.5 * np.abs(predictions.probabilities - truth).sum(1).mean()


def log_loss(predictions):
    return -float(predictions.summary.label_log_probability.mean())
