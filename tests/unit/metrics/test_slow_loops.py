"""Does every binned measure and mean score equal plain loops over rows, bins and classes?"""

import numpy as np
import pytest

from calibrant.metrics import measure
from measure_bank import make

ROUNDING = 1e-12  # sums in another order
SPECS = ["accuracy", "log_loss", "brier", "ece", "mce", "rmsce", "squared_ce", "sce", "ace", "tace"]
SPECS += ["ece(binning='mass')", "squared_ce(binning='width')", "sce(aggregate='sum')", "ace(shares='equal')"]
SPECS += ["mce(notion='class_wise', aggregate='max')", "ece(right=False)"]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", ["plain", "ties", "zeros", "weights", "binary", "missing_class"])
def test_equals_a_slow_loop(spec, name):
    batch = make(name)
    assert float(measure(spec)(batch)) == pytest.approx(slow(measure(spec), batch), abs=ROUNDING)


def slow(metric, batch):
    """Compute the measure with plain Python loops over rows, bins and classes."""
    w, labels, p = batch.row_weights, batch.labels, np.asarray(batch.probabilities, float)
    if metric.name in ("accuracy", "log_loss", "brier"):
        with np.errstate(divide="ignore"):
            rows = {
                "accuracy": [float(np.argmax(r) == y) for r, y in zip(p, labels, strict=True)],
                "log_loss": [-np.log(r[y]) for r, y in zip(p, labels, strict=True)],
                "brier": [((r - np.eye(len(r))[y]) ** 2).sum() for r, y in zip(p, labels, strict=True)],
            }[metric.name]
        there = w > 0
        return float(np.average(np.array(rows)[there], weights=w[there]))
    if metric.notion == "confidence":
        columns = [(p.max(1), (p.argmax(1) == labels).astype(float))]
    else:
        columns = [(p[:, c], (labels == c).astype(float)) for c in range(p.shape[1])]
    errors = [slow_column(metric, scores, hits, w) for scores, hits in columns]
    return float({"mean": np.mean, "sum": np.sum, "max": np.max}[metric.aggregate](errors))


def slow_column(metric, scores, hits, w):
    kept = (w > 0) & (scores >= metric.threshold)
    scores, hits, w = scores[kept], hits[kept], w[kept]
    groups = {}
    for i, b in enumerate(slow_bins(metric, scores, w)):
        groups.setdefault(b, []).append(i)
    masses, gaps = [], []
    for rows in groups.values():
        weight = w[rows].sum()
        rate, said = np.average(hits[rows], weights=w[rows]), np.average(scores[rows], weights=w[rows])
        power = abs(rate - said) ** (1 if metric.norm == np.inf else metric.norm)
        if metric.debiased:
            h = (w[rows] ** 2).sum() / weight**2
            if h == 1:
                continue
            power = power - rate * (1 - rate) * h / (1 - h)
        masses.append(1 if metric.shares == "equal" else weight)
        gaps.append(power)
    if not gaps:
        return 0.0
    if metric.norm == np.inf:
        return max(gaps)
    mean = float(np.average(gaps, weights=masses))
    return np.sqrt(mean) if metric.norm == 2 and metric.root else mean


def slow_bins(metric, scores, w):
    """Return the bin of each row."""
    if metric.binning == "width":
        edges = np.linspace(0, 1, metric.bins + 1)
        side = "left" if metric.right else "right"
        return np.clip(np.searchsorted(edges, scores, side=side) - 1, 0, metric.bins - 1)
    units = np.repeat(scores, w.astype(int))  # the bank has whole weights here
    first = {}
    for b, part in enumerate(np.array_split(np.sort(units), metric.bins)):
        for score in part:
            first.setdefault(score, b)
    return [first[score] for score in scores]
