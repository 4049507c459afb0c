"""What scikit-learn demands of every classifier, for each way to calibrate one."""

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from calibrant.sklearn import CalibratedClassifier


class PrefitClassifier(CalibratedClassifier):
    """Fits the estimator and then calibrates it as one that came fitted: the checks bring rows of many shapes."""

    def fit(self, X, y, sample_weight=None):  # noqa: N803
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._frozen = FrozenEstimator(clone(super()._base()).fit(X, y, **weights))
        return super().fit(X, y, sample_weight)

    def _base(self):
        return getattr(self, "_frozen", None) or super()._base()


# Ridge so strong that the rows are not separable: where all are ranked right, the temperature needs its prior, which
# counts Kish's effective rows, and a weight of 2 is then not a row seen twice.
WEAK = LogisticRegression(C=0.01)


@parametrize_with_checks(
    [
        CalibratedClassifier(WEAK, cv=3),
        CalibratedClassifier(WEAK, cv=3, ensemble=True),
        PrefitClassifier(WEAK),
        CalibratedClassifier(LinearSVC(C=0.001, tol=1e-9, max_iter=10_000), cv=3),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
