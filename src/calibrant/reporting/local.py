"""The local section as records: the map, calibration by local support, the regions, and local measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from calibrant.estimate import Estimate, strict
from calibrant.plot import LocalMap, SupportDiagram


class Gap(NamedTuple):
    """Confidence and accuracy of a region, accuracy minus confidence, and its simultaneous interval or None."""

    confidence: float
    accuracy: float
    gap: float
    low: float | None
    high: float | None

    @property
    def beyond(self) -> bool:
        """Whether the interval does not hold 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


class Example(NamedTuple):
    """A typical row: its id or else its number, what is predicted, how surely, and its label or None if it is soft."""

    row: str
    predicted: str
    confidence: float
    label: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalRegion:
    """One region, numbered by badness.

    Attributes
    ----------
    kind, name : ``"cluster"`` and its number in `local_gaps`, or ``"group"`` and its value.
    rows, share : how many of the rows looked at, and their share of the weight.
    before, after : its gap in the scores as given and, where there is a repair, out of fold.
    predicted : (class, share) of the most predicted classes.
    marks : (feature, difference) of the features that stand out, in standard deviations of all rows.
    examples : rows near its centre.
    """

    number: int
    kind: str
    name: str
    rows: int
    share: float
    before: Gap
    after: Gap | None
    predicted: tuple[tuple[str, float], ...]
    marks: tuple[tuple[int, float], ...]
    examples: tuple[Example, ...]


class Look(NamedTuple):
    """The map, the support and the measures of one set of scores."""

    map: LocalMap
    support: SupportDiagram
    measures: tuple[Estimate, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Local:
    """What the local section shows.

    ``n`` rows of ``of`` were looked at, and ``measured`` of them for the measures; ``regions`` hold together at
    ``level``; ``left_out`` says which measures would have taken too long.
    """

    n: int
    of: int
    measured: int
    level: float
    bandwidth: float
    dimensions: int
    regions: tuple[LocalRegion, ...]
    before: Look
    after: Look | None
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the strict-JSON record; gaps are accuracy minus confidence."""
        names = ("n", "of", "measured", "level", "bandwidth", "dimensions", "left_out")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        told["regions"] = [_region_record(region) for region in self.regions]
        told |= _look_record(self.before)
        if self.after is not None:
            told["after"] = _look_record(self.after)
        return strict(told)


def _region_record(region: LocalRegion) -> dict[str, Any]:
    told = dict(vars(region))
    for name in ("before", "after"):
        gap = told.pop(name)
        told[name] = None if gap is None else {**gap._asdict(), "beyond": gap.beyond}
    told["predicted"] = [{"class": name, "share": share} for name, share in region.predicted]
    told["marks"] = [{"feature": feature, "difference": off} for feature, off in region.marks]
    told["examples"] = [example._asdict() for example in region.examples]
    return told


def _look_record(look: Look) -> dict[str, Any]:
    """Return measures and pictures as numbers; outlines by the number of their region."""
    cells = {name: getattr(look.map, name) for name in ("x", "y", "gaps", "rows", "effective_size", "beyond")}
    drawn = {**cells, "side": look.map.side, "explained": look.map.explained}
    support = {name: value for name, value in vars(look.support).items() if name not in ("n", "level")}
    support |= {"beyond": look.support.beyond, "error_beyond": look.support.error_beyond}
    return {"measures": [one.to_dict() for one in look.measures], "map": drawn, "support": support}
