"""The JSON documents of the commands: strict JSON with a ``schema``, the same keys wherever the step exists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from calibrant.calibrators.base import CalibrationMap
    from calibrant.catalogue import Catalogue
    from calibrant.cli.parsing import Gate, Gates
    from calibrant.evaluation import Comparison, Evaluation
    from calibrant.explanation import Explanation
    from calibrant.predictions import Predictions

Document = dict[str, Any]


def dumps(document: Document) -> str:
    """Return the text of a document; no NaN and no infinity may be left in it."""
    return json.dumps(document, indent=2, allow_nan=False)


def evaluated(evaluation: Evaluation, gates: Gates) -> Document:
    """Return what ``evaluate`` found."""
    judged = [_gate(gate, value) for gate, value in gates.judged(evaluation)]
    return {"schema": "calibrant.evaluate/1", **evaluation.to_dict(), "gates": judged}


def compared(predictions: Predictions, comparison: Comparison) -> Document:
    """Return what ``compare`` found."""
    from calibrant.evaluation.data_summary import DataSummary

    data = DataSummary.of(predictions).to_dict()
    return {"schema": "calibrant.compare/1", "data": data, **comparison.to_dict()}


def fitted(data: Document, learnt: CalibrationMap, path: Path) -> Document:
    """Return what ``fit`` made."""
    return {"schema": "calibrant.fit/1", "data": data, "map": described(learnt), "files": {"map": str(path)}}


def applied(data: Document, learnt: CalibrationMap, path: Path) -> Document:
    """Return what ``apply`` wrote."""
    return {"schema": "calibrant.apply/1", "data": data, "map": described(learnt), "files": {"output": str(path)}}


def listed(catalogue: Catalogue) -> Document:
    """Return what ``methods`` lists."""
    return {"schema": "calibrant.methods/1", "methods": catalogue.to_dict()}


def explained(explanation: Explanation) -> Document:
    """Return what ``explain`` tells."""
    return {"schema": "calibrant.explain/1", "methods": explanation.to_dict()}


def shape(predictions: Predictions) -> Document:
    """Return the figures of a batch that need no labels."""
    labels = None if predictions.labels is None else "soft" if predictions.soft else "hard"
    features = 0 if predictions.features is None else int(predictions.features.shape[1])
    classes = None if predictions.classes is None else list(predictions.classes)
    told = {"n": len(predictions), "k": predictions.k, "kind": predictions.kind, "classes": classes}
    return {**told, "labels": labels, "weighted": predictions.weights is not None, "features": features}


def described(learnt: CalibrationMap) -> Document:
    """Return how a map was learnt."""
    record = learnt.record
    told = {name: getattr(record, name) for name in ("spec", "k", "rows", "converged", "iterations", "message")}
    return {**told, "parameters": learnt.n_parameters}


def _gate(gate: Gate, value: float) -> Document:
    from calibrant.estimate import strict

    told = {"measure": gate.metric.spec, "fails": "above" if gate.above else "below"}
    return strict({**told, "limit": gate.limit, "value": value, "passed": gate.passes(value)})
