"""Scorers for scikit-learn's searches and validations: any registered measure, by its spec."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from calibrant.metrics import Metric, measure
from calibrant.sklearn.scores import Response, predictions


class MeasureScorer(BaseEstimator):  # type: ignore[misc]
    """A measure as a scorer: called with a fitted classifier, rows and labels, it gives a number to be maximised.

    Measures of which less is better are negated, as scikit-learn's own. The columns are those of ``classes_``. With
    metadata routing on, ``set_score_request(sample_weight=True)`` asks for weights.

    Parameters
    ----------
    measure : the spec of a registered measure, or the measure itself.
    response_method : as in `calibrant.sklearn.predictions`; by default the classifier's own probabilities.
    """

    __metadata_request__score: ClassVar[dict[str, str]] = {"estimator": UNUSED}  # metadata is what comes beside it

    def __init__(self, measure: str | Metric = "log_loss", *, response_method: Response = "predict_proba") -> None:
        self.measure = measure
        self.response_method = response_method

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Return the value on the rows, negated where less is better."""
        chosen = measure(self.measure)
        batch = predictions(estimator, X, y, response_method=self.response_method, sample_weight=sample_weight)
        value = float(chosen(batch))
        return -value if chosen.smaller_is_better else value

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Return `score`."""
        return self.score(estimator, X, y, sample_weight)


def scorer(spec: str | Metric, *, response_method: Response = "predict_proba") -> MeasureScorer:
    """Return the scorer of a measure: ``cross_val_score(model, X, y, scoring=scorer("ece"))``.

    Raises
    ------
    UnknownMethod : for a spec that is not registered, with a suggestion.
    """
    measure(spec)
    return MeasureScorer(spec, response_method=response_method)
