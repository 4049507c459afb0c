"""Named lists of measures and tests."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from calibrant import registry
from calibrant.errors import UnknownMethod
from calibrant.metrics import Metric, measure
from calibrant.metrics.tests import CalibrationTest, test

Method = str | Metric | CalibrationTest

_QUICK = ("accuracy", "log_loss", "brier", "ece", "mce", "rmsce", "sce")
_DEFAULT = (
    *_QUICK,
    *("squared_ce", "ace", "tace", "ece_sweep", "tl_ece", "smece", "ks", "kuiper"),
    *("corp_miscalibration", "corp_miscalibration(rule='log_loss')", "murphy_reliability", "spiegelhalter"),
)
# What "full" asks of methods whose own defaults take minutes on 10,000 rows.
_THRIFTY = {
    "skce_test": "skce_test(replicates=99)",
    "t_cal": "t_cal(replicates=99)",
    "consistency": "consistency(replicates=199)",
    "klce_test": "klce_test(replicates=99)",
    "lce_test": "lce_test(replicates=99)",
}
# What one pass gives; with orders and decompositions; and, where None, everything that is registered.
SUITES: dict[str, tuple[str, ...] | None] = {"quick": _QUICK, "default": _DEFAULT, "full": None}


@dataclass(frozen=True)
class Suite:
    """Measures and tests; ``optional`` are the specs of a named suite, left out where they do not suit the data."""

    measures: tuple[Metric, ...]
    tests: tuple[CalibrationTest, ...]
    optional: frozenset[str]


def suite(methods: Method | Sequence[Method]) -> Suite:
    """Return the suite of names of suites, spec strings and objects, each method once."""
    wanted: dict[str, Metric | CalibrationTest] = {}
    asked = set()
    for item in [methods] if isinstance(methods, (str, Metric, CalibrationTest)) else methods:
        for found in _of(item):
            wanted.setdefault(found.spec, found)
            if item not in SUITES:
                asked.add(found.spec)
    return Suite(
        tuple(m for m in wanted.values() if isinstance(m, Metric)),
        tuple(m for m in wanted.values() if isinstance(m, CalibrationTest)),
        frozenset(wanted) - asked,
    )


def kind_of(spec: str) -> str:
    """Return whether the spec names a ``"test"`` or a ``"measure"``."""
    name, _ = registry.parse(spec)
    return "test" if name in {entry.name for entry in registry.entries("test")} else "measure"


def _of(item: Method) -> Iterator[Metric | CalibrationTest]:
    if not isinstance(item, str):
        yield item
    elif item in SUITES:
        listed = SUITES[item]
        yield from (_built(spec) for spec in (_everything() if listed is None else listed))
    else:
        try:
            yield _built(item)
        except UnknownMethod as error:
            raise UnknownMethod(f"{error}; suites: {', '.join(SUITES)}") from None


@functools.lru_cache(maxsize=256)  # they are frozen records, and the same few are asked for again and again
def _built(spec: str) -> Metric | CalibrationTest:
    return test(spec) if kind_of(spec) == "test" else measure(spec)


def _everything() -> tuple[str, ...]:
    """Return the default suite and whatever else is registered."""
    others = [entry.name for kind in ("measure", "test") for entry in registry.entries(kind)]
    return (*_DEFAULT, *(_THRIFTY.get(name, name) for name in others if name not in _DEFAULT))
