"""A calibrator added as one new file is known everywhere, with no other edit."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SOURCE = '''"""Mixing with the uniform distribution: (1 - epsilon) p + epsilon / k. A calibrator made for this test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.formulas import Ops
from calibrant.predictions import Predictions
from calibrant.registry import register


@dataclass(frozen=True, kw_only=True, eq=False)
class UniformMixtureMap(CalibrationMap):
    """A fixed mixture with the uniform distribution."""

    epsilon: float

    def __post_init__(self) -> None:
        require(0 <= self.epsilon <= 1, "epsilon", "lie in [0, 1]", self.epsilon)

    @property
    def n_parameters(self) -> int:
        """One."""
        return 1

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the mixed probabilities."""
        return ops.exp(log_p) * ops.constant(1 - self.epsilon) + ops.constant(self.epsilon / self.record.k)


@register("calibrator", "uniform_mixture", preserves_argmax=True, parameters="1", cost="O(n k)")
@dataclass(frozen=True, kw_only=True)
class UniformMixture(Calibrator):
    """Mix the probabilities with the uniform distribution, by how improbable the labels were."""

    def learn(self, predictions: Predictions) -> UniformMixtureMap:
        """Return the mixture."""
        wrong = 1 - np.average(predictions.summary.label_probability, weights=predictions.row_weights)
        return UniformMixtureMap(record=self.fit_record(predictions), epsilon=0.5 * float(np.clip(wrong, 0, 1)))
'''

CHECKS = """
import calibrant.calibrators, json, sys
calibrant.calibrators.__path__.append(sys.argv[1])
import calibrant
from calibrant.testing import check_calibrator
assert "uniform_mixture" in [e.name for e in calibrant.methods()]
example = calibrant.data.example().take(slice(0, 300))
assert calibrant.compare(example, repeats=1)["uniform_mixture"].log_loss > 0
check_calibrator("uniform_mixture")
sys.argv = ["make_docs.py", "--no-pictures", "--methods", sys.argv[2]]
"""


def test_one_new_file(tmp_path):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "uniform_mixture.py").write_text(SOURCE)
    code = CHECKS + f"import runpy; sys.path.insert(0, {str(ROOT / 'tools')!r}); "
    code += f"runpy.run_path({str(ROOT / 'tools' / 'make_docs.py')!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "methods"), str(tmp_path / "pages")],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Mix the probabilities" in (tmp_path / "pages" / "uniform_mixture.md").read_text()
