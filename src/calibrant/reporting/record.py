"""What a report holds: records of results, from which the page and the JSON are derived."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from calibrant.calibrators import CalibrationMap
from calibrant.evaluation import Comparison, Evaluation
from calibrant.plot import (
    ClassDiagrams,
    ConfusionDiagram,
    CorpDiagram,
    CumulativeDiagram,
    ReliabilityDiagram,
    RiskDiagram,
)
from calibrant.reporting.local import Local

SCHEMA = "calibrant.report/1"
_FRAME_HEIGHT = 820  # pixels of the report inside a notebook


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The choices that made the report; with the same rows they make it again.

    ``measures`` and ``calibrators`` are as asked for, None for all registered calibrators; ``made`` is the day in UTC.
    """

    measures: str | tuple[str, ...]
    calibrators: tuple[str, ...] | None
    level: float
    replicates: int
    folds: int
    repeats: int
    seed: int
    version: str
    made: str


@dataclass(frozen=True, kw_only=True)
class Files:
    """Paths of what was written, None for what was not."""

    report: str | None = None
    map: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Closer:
    """What is shown on request: the confidence without bins and in counts, predicted classes and pairs of classes."""

    corp: CorpDiagram
    cumulative: CumulativeDiagram
    risk: RiskDiagram
    labels: ClassDiagrams
    confusion: ConfusionDiagram


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """The diagrams of the scores as given, and of their out-of-fold repair where one is recommended."""

    before: ReliabilityDiagram
    classes: ClassDiagrams
    closer: Closer
    after: ReliabilityDiagram | None = None
    classes_after: ClassDiagrams | None = None
    closer_after: Closer | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Measures of the scores as given, repairs compared, and measures of the recommended one on rows it never saw.

    Attributes
    ----------
    evaluation, after : of the scores as given, and of the out-of-fold scores of the recommended calibrator; the same
        where the recommendation is to keep the scores.
    comparison : all calibrators, cross-fitted.
    map : the recommended calibrator fitted on all rows.
    pictures, settings, files : what is drawn, how it was made, where it was written.
    local : where in the space of the features it is wrong, or a sentence why that is not told; None without features.
    page : makes the page of a report.
    """

    title: str
    evaluation: Evaluation
    comparison: Comparison
    after: Evaluation
    map: CalibrationMap
    pictures: Pictures
    settings: Settings
    files: Files
    page: Callable[[Report], str]
    local: Local | str | None = None

    @property
    def repaired(self) -> bool:
        """Whether a repair is recommended."""
        return self.pictures.after is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the strict-JSON record."""
        return {
            "schema": SCHEMA,
            **self.evaluation.to_dict(),
            **self.comparison.to_dict(),
            "seed": self.settings.seed,
            "replicates": self.settings.replicates,
            "after": self.after.to_dict(),
            **self._local_record(),
            "files": {"report": self.files.report, "map": self.files.map},
        }

    def _local_record(self) -> dict[str, Any]:
        if self.local is None:
            return {}
        return {"local": {"reason": self.local} if isinstance(self.local, str) else self.local.to_dict()}

    def html(self) -> str:
        """Return the page: one self-contained HTML document."""
        return self.page(self)

    def __repr__(self) -> str:
        return f"{self.evaluation.verdict}\n{self.comparison.reason}"

    def _repr_html_(self) -> str:
        page = html.escape(self.html(), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:{_FRAME_HEIGHT}px;border:0" sandbox></iframe>'
