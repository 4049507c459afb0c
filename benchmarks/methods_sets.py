"""Real prediction sets, split into rows of the fit and of the test, and what is measured of a method on the latter.

The image sets are fitted on their first 5,000 rows; the others have a split of their own, and one prompt of the
language model makes a set. Where a classifier gave logits, a method may have them; probabilities are divided by their
row sums once, before any method sees them. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 15
_FIT = 5000
_IMAGES = (
    *("wideresnet-cifar10", "lenet-cifar10", "crossval-cifar10", "crossval-mnist"),
    *("wideresnet-cifar100", "densenet-cifar100"),
)
_SPLIT = {
    "clinc150": ("clinc150_minilm", "logits"),
    "letter, network": ("letter_tab", "logits"),
    "letter, naive Bayes": ("letter_tab", "nb_logits"),
    "letter, forest": ("letter_tab", "rf_probabilities"),
    "satellite, network": ("satellite_tab", "logits"),
    "satellite, naive Bayes": ("satellite_tab", "nb_logits"),
    "satellite, forest": ("satellite_tab", "rf_probabilities"),
    "hpc": ("hpc_cv", "probabilities"),
    "wordnet1000": ("wordnet1000_minilm", "logits"),
}
_PROMPTS = ("mmlu_llama13b", 10)


@dataclass(frozen=True, eq=False)
class Rows:
    """Scores (n, k) float64, logits or probabilities that sum to 1, and labels (n,)."""

    scores: Floats
    labels: NDArray[np.int64]
    logits: bool

    @classmethod
    def of(cls, scores: Any, labels: Any, kept: Any, *, logits: bool) -> Rows:
        """Return the kept rows."""
        found = np.asarray(scores[kept], np.float64)
        if not logits:
            found = found / found.sum(1, keepdims=True)
        return cls(np.ascontiguousarray(found), np.asarray(labels[kept], np.int64), logits)

    @property
    def k(self) -> int:
        return self.scores.shape[1]

    @property
    def log_p(self) -> Floats:
        """The log-probabilities (n, k), -inf for an exact zero."""
        return log_normalized(self.scores if self.logits else log(self.scores))

    @property
    def probabilities(self) -> Floats:
        """The probabilities (n, k)."""
        return np.exp(self.log_p) if self.logits else self.scores


@dataclass(frozen=True, eq=False)
class Set:
    """One set; ``table`` is the name of the table in which it is shown, the same for all prompts."""

    name: str
    table: str
    fit: Rows
    test: Rows

    @property
    def size(self) -> tuple[int, int]:
        """The number of classes, and of scores of the fit."""
        return self.fit.k, self.fit.scores.size


def load(folder: Path) -> list[Set]:
    """Return all sets that are in the folder, those of few classes first."""
    return sorted((*_images(folder), *_own_splits(folder), *_prompts(folder)), key=lambda one: one.size)


def missing(folder: Path) -> list[str]:
    """Return the files that are not in the folder."""
    wanted = dict.fromkeys((*_IMAGES, *(file for file, _ in _SPLIT.values()), _PROMPTS[0]))
    return [file for file in wanted if not (folder / f"{file}.npz").exists()]


def _arrays(folder: Path, file: str) -> Mapping[str, Any] | None:
    path = folder / f"{file}.npz"
    return np.load(path) if path.exists() else None


def _images(folder: Path) -> Iterator[Set]:
    for name in _IMAGES:
        if (file := _arrays(folder, name)) is not None:
            first = np.arange(len(file["labels"])) < _FIT
            yield _set(name, name, file["probabilities"], file["labels"], (first, ~first), logits=False)


def _own_splits(folder: Path) -> Iterator[Set]:
    for name, (source, array) in _SPLIT.items():
        if (file := _arrays(folder, source)) is not None:
            halves = tuple((file["split"] == half) & (file["labels"] >= 0) for half in (0, 1))
            yield _set(name, name, file[array], file["labels"], halves, logits="logits" in array)


def _prompts(folder: Path) -> Iterator[Set]:
    if (file := _arrays(folder, _PROMPTS[0])) is None:
        return
    scores, labels = file["probabilities"], file["labels"]
    halves = tuple((file["split"] == half) & (labels >= 0) for half in (0, 1))
    for prompt in range(_PROMPTS[1]):
        yield _set(f"mmlu, prompt {prompt}", "mmlu", scores[:, prompt], labels, halves, logits=False)


def _set(name: str, table: str, scores: Any, labels: Any, halves: tuple[Any, ...], *, logits: bool) -> Set:
    return Set(name, table, *(Rows.of(scores, labels, half, logits=logits) for half in halves))


def log(probabilities: Floats) -> Floats:
    """Return the logarithm, -inf of an exact zero and nan of what is no probability."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(probabilities)


def log_normalized(log_p: Floats) -> Floats:
    """Return the rows less their log-sum-exp; a row without a finite entry becomes nan."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = log_p - log_p.max(1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def losses(log_p: Floats, labels: NDArray[np.int64]) -> Floats:
    """Return the log loss of each row (n,): nothing is clipped, and inf or nan is what the method gives."""
    return -log_p[np.arange(len(labels)), labels]


def measured(log_p: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    """Return log loss, Brier score summed over classes, ECE of the top label and accuracy; ``lost`` rows are infinite.

    The bins of the ECE have equal width and are closed on the right.
    """
    p, found, n = np.exp(log_p), losses(log_p, labels), len(labels)
    lost = int((~np.isfinite(found)).sum())
    if np.isnan(p).any():
        return {"nll": np.inf, "brier": np.nan, "ece": np.nan, "accuracy": np.nan, "lost": lost}
    confidence, right = p.max(1), p.argmax(1) == labels
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    gaps = np.bincount(place, right, BINS) - np.bincount(place, confidence, BINS)
    brier = (p**2).sum() / n + 1 - 2 * p[np.arange(n), labels].mean()
    return {
        "nll": np.inf if lost else float(found.mean()),
        "brier": float(brier),
        "ece": float(np.abs(gaps).sum() / n),
        "accuracy": float(right.mean()),
        "lost": lost,
    }
