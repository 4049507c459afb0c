"""What one pass over the scores leaves per row; after it, the number of classes is gone.

Source of the layout: every measure of confidence and every proper score is a function of these columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels

Floats = NDArray[np.float64]
# The class-wise histogram that the door makes from the same read, and the most classes that are worth its memory.
DOOR_EDGES = np.linspace(0.0, 1.0, 16)
DOOR_CLASSES = 4096
_BLOCK = 1 << 20  # entries per block of the soft-label sums: 8 MB of temporaries at most


@dataclass(frozen=True, kw_only=True, eq=False)
class RowSummary:
    """Per-row columns, each (n,); label columns are None without labels.

    ``top`` predicted class (first on ties) · ``confidence`` its probability · ``total`` row sum of probabilities, or
    log-sum-exp of logits · ``sum_of_squares`` of the probabilities · ``lowest`` score · ``correct`` 1.0 if the label is
    ``top`` (for soft labels the label mass on it) · ``label_log_probability`` (may be -inf) · ``label_probability`` ·
    ``label_rank`` 1 for the top class (None for soft labels). Soft labels enter as expectations over the label.
    """

    scores: NDArray[np.floating]  # (n, k), for the columns that are computed on first use
    logits: bool
    top: NDArray[np.int32]
    confidence: Floats
    total: Floats
    sum_of_squares: Floats
    lowest: Floats
    correct: Floats | None = None
    label_log_probability: Floats | None = None
    label_probability: Floats | None = None
    label_rank: NDArray[np.int32] | None = None

    @cached_property
    def entropy(self) -> Floats:
        """Shannon entropy of each row in nats (n,), with 0 log 0 = 0; one more pass, on first use."""
        return kernels.entropy(self.scores, logits=self.logits, total=self.total)

    @cached_property
    def log_sum_exp(self) -> Floats:
        """Log of the sum of exponentials of the logits, or of the log-probabilities (n,)."""
        return self.total if self.logits else np.log(self.total)

    def relabelled(self, labels: NDArray[np.integer]) -> RowSummary:
        """Return the summary with other hard labels (n,): a gather, no pass over the scores; ranks are dropped."""
        picked = self.scores[np.arange(len(labels)), labels].astype(np.float64)  # (n,)
        with np.errstate(divide="ignore"):
            log_p = picked - self.total if self.logits else np.log(picked)
        return replace(
            self,
            correct=(labels == self.top).astype(np.float64),
            label_log_probability=log_p,
            label_probability=np.exp(log_p) if self.logits else picked,
            label_rank=None,
        )

    def soft_labelled(self, labels: Floats) -> RowSummary:
        """Return the summary with soft labels (n, k), each column the expectation over the label."""
        n, k = labels.shape
        log_p, p = np.empty(n), np.empty(n)
        step = max(1, _BLOCK // k)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            log_p[rows], p[rows] = _soft_sums(self.scores[rows], self.total[rows], labels[rows], self.logits)
        return replace(
            self,
            correct=labels[np.arange(n), self.top],
            label_log_probability=log_p,
            label_probability=p,
            label_rank=None,
        )


def _soft_sums(scores: NDArray[np.floating], total: Floats, q: Floats, logits: bool) -> tuple[Floats, Floats]:
    """Return (sum_c q log p, sum_c q p) of one block, with 0 log 0 = 0."""
    s = scores.astype(np.float64)  # (block, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = s - total[:, None] if logits else np.log(s)
        weighted = np.where(q > 0, q * log_p, 0.0)
    p = np.exp(log_p) if logits else s
    return weighted.sum(1), (q * p).sum(1)


class Scan(NamedTuple):
    """What the first read leaves: summary, weighted class totals (k,), histograms and bins of the labels or None."""

    summary: RowSummary
    class_totals: Floats
    class_bins: kernels.ClassBins | None
    label_bins: NDArray[np.int32] | None
    fault: tuple[str, int, int] | None


def scan(
    scores: NDArray[np.floating],
    logits: bool,
    labels: NDArray[np.int64] | None,
    weights: Floats | None,
    *,
    bins: bool = False,
) -> Scan:
    """Read the scores once; ``fault`` is the first bad entry (kind, row, column), or None."""
    edges = DOOR_EDGES if bins and scores.shape[1] <= DOOR_CLASSES else None
    rows = kernels.scan_rows(scores, logits=logits, labels=labels, weights=weights, edges=edges)
    summary = RowSummary(
        scores=scores,
        logits=logits,
        top=rows.top,
        confidence=rows.confidence,
        total=rows.total,
        sum_of_squares=rows.sum_of_squares,
        lowest=rows.lowest,
        correct=None if rows.label_rank is None else (rows.label_rank == 1).astype(np.float64),
        label_log_probability=rows.label_log_probability,
        label_probability=rows.label_probability,
        label_rank=rows.label_rank,
    )
    return Scan(summary, rows.class_totals, rows.bins, rows.label_bins, rows.fault)
