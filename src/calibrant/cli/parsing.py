"""From the text of an option to the objects of the library: specs, gates and places, checked before any work."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from calibrant.cli.failures import GateFailed
from calibrant.errors import CalibrantError, UnknownMethod, require

if TYPE_CHECKING:
    from calibrant.calibrators import Calibrator
    from calibrant.evaluation import Evaluation, Method
    from calibrant.metrics import Metric

_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def listed(texts: Sequence[str], option: str) -> list[str]:
    """Split at the commas that no bracket encloses: ``"ece(bins=10, right=False),mce"`` is two specs."""
    items = [""]
    for text in texts:
        depth = 0
        for character in f"{text},":
            depth += _BRACKETS.get(character, 0)
            if character == "," and depth <= 0:
                items.append("")
            else:
                items[-1] += character
    found = [item.strip() for item in items if item.strip()]
    if not found:
        raise typer.BadParameter("must name at least one method", param_hint=f"'{option}'")
    return found


def built(kind: str, spec: str, option: str) -> Any:
    """Return the object of a spec; a wrong option value is an error of usage."""
    from calibrant import registry

    try:
        return registry.create(kind, spec)
    except UnknownMethod:
        raise
    except CalibrantError as error:
        raise typer.BadParameter(f"{spec}: {error}", param_hint=f"'{option}'") from None


def calibrators(texts: Sequence[str] | None) -> list[Calibrator] | None:
    """Return the calibrators of ``--calibrators``; None means all."""
    option = "--calibrators"
    return [built("calibrator", spec, option) for spec in listed(texts, option)] if texts else None


def measures(texts: Sequence[str] | None) -> list[Method]:
    """Return the measures and tests of ``--measures``: names of suites as they are, and what the specs describe."""
    from calibrant.evaluation import SUITES

    items = listed(texts or ["default"], "--measures")
    return [item if item in SUITES else _method(item) for item in items]


def _method(spec: str) -> Method:
    from calibrant.evaluation import SUITES, kind_of

    try:
        method: Method = built(kind_of(spec), spec, "--measures")
    except UnknownMethod as error:
        suites = f"; suites: {', '.join(SUITES)}" if str(error).startswith("unknown measure") else ""
        raise UnknownMethod(f"{error}{suites}") from None
    return method


@dataclass(frozen=True)
class Gate:
    """A limit that the value of a measure must keep; a value that is not a number keeps none."""

    metric: Metric
    limit: float
    above: bool

    @classmethod
    def of(cls, text: str, *, above: bool) -> Gate:
        """Return the gate of ``MEASURE=LIMIT``."""
        option = "--fail-above" if above else "--fail-below"
        spec, _, limit = text.rpartition("=")
        try:
            number = float(limit)
        except ValueError:
            number = math.nan
        if not spec or math.isnan(number):
            raise typer.BadParameter(f"must read MEASURE=LIMIT, got {text!r}", param_hint=f"'{option}'")
        return cls(built("measure", spec, option), number, above)

    def passes(self, value: float) -> bool:
        """Return whether the value keeps the limit."""
        return value <= self.limit if self.above else value >= self.limit

    def words(self, value: float) -> str:
        """Say the value and what it must be."""
        return f"{self.metric.spec} is {value:.6g}, must be at {'most' if self.above else 'least'} {self.limit:g}"


@dataclass(frozen=True)
class Gates:
    """All gates of a command."""

    gates: tuple[Gate, ...]

    @classmethod
    def of(cls, above: Sequence[str] | None, below: Sequence[str] | None) -> Gates:
        """Return the gates of ``--fail-above`` and ``--fail-below``."""
        upper = [Gate.of(text, above=True) for text in above or ()]
        return cls((*upper, *(Gate.of(text, above=False) for text in below or ())))

    def measured_with(self, methods: Sequence[Method]) -> list[Method]:
        """Return the methods and, after them, the measures that a gate asks for."""
        return [*methods, *(gate.metric for gate in self.gates)]

    def judged(self, evaluation: Evaluation) -> list[tuple[Gate, float]]:
        """Return each gate with the value that it is about."""
        values = {estimate.spec: estimate.value for estimate in evaluation.measures}
        return [(gate, values[gate.metric.spec]) for gate in self.gates]

    def check(self, evaluation: Evaluation) -> None:
        """Raise ``GateFailed`` if one does not hold."""
        failed = [gate.words(value) for gate, value in self.judged(evaluation) if not gate.passes(value)]
        if failed:
            raise GateFailed(f"gate failed: {'; '.join(failed)}")


def check_places(*paths: Path | None, inputs: Sequence[str | Path | None] = ()) -> None:
    """Refuse, before any work, a file that could not be written at the end; ``DataError``.

    Two results in one file, or a result over one of the ``inputs``, are an error of usage.
    """
    named = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in named}) < len(named):
        raise typer.BadParameter("must be another file than that of --output", param_hint="'--save'")
    read = {os.path.realpath(path) for path in inputs if path is not None}
    for path in named:
        if os.path.realpath(path) in read:
            raise typer.BadParameter(f"must be another file than the one that is read, got {str(path)!r}")
        folder, known = path.parent, path.is_dir()
        reason = "a folder" if known else "no such folder, or not writable"
        good = not known and folder.is_dir() and os.access(folder, os.W_OK)
        require(good, "output", "be a file in a folder that can be written", f"{str(path)!r} ({reason})")
