"""The scikit-learn door: a calibrated classifier, scorers, and the predictions of any classifier.

It needs ``pip install 'calibrant[sklearn]'``; nothing below imports it. Inside, ``sklearn`` is the library: all imports
are absolute.
"""

from __future__ import annotations

from calibrant.errors import MissingExtra, sentence

try:
    import sklearn  # noqa: F401
except ModuleNotFoundError:
    way_out = "pip install 'calibrant[sklearn]'"
    raise MissingExtra(sentence("scikit-learn", "be installed for calibrant.sklearn", way_out=way_out)) from None

from calibrant.sklearn.classifier import CalibratedClassifier
from calibrant.sklearn.scorers import MeasureScorer, scorer
from calibrant.sklearn.scores import predictions

__all__ = ["CalibratedClassifier", "MeasureScorer", "predictions", "scorer"]
