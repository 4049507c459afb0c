"""What to type: to apply the recommended map, and to make the report again."""

from __future__ import annotations

import shlex
from typing import Any

from calibrant.plot.words import count, exact_percent
from calibrant.reporting.record import Report, Settings

_MAP = "map.safetensors"


def steps(report: Report) -> list[dict[str, str]]:
    """Return title and code of the ways to repair other scores; none where the scores are best kept."""
    if not report.repaired:
        return []
    spec, saved = report.comparison.recommended, report.files.map
    place = shlex.quote(saved or _MAP)
    shell = f"calibrant apply {place} NEW-FILE --output repaired.npz"
    python = f"repair = calibrant.load({saved or _MAP!r})\nrepaired = repair(predictions)"
    if saved is None:
        shell = f"calibrant fit FILE --calibrator {shlex.quote(spec)} --output {place}\n{shell}"
        python = f"repair = calibrant.fit(labelled_predictions, {spec!r})\nrepaired = repair(predictions)"
    return [{"title": "On the command line", "code": shell}, {"title": "In Python", "code": python}]


def again(report: Report) -> list[dict[str, str]]:
    """Return title and code of the ways to make the report again."""
    chosen = report.settings
    return [
        {"title": "On the command line", "code": _command(chosen)},
        {"title": "In Python", "code": _call(chosen)},
    ]


def _call(chosen: Settings) -> str:
    choices = {name: list(value) if isinstance(value, tuple) else value for name, value in _choices(chosen).items()}
    told = "".join(f"    {name}={value!r},\n" for name, value in choices.items())
    return f"calibrant.report(\n    predictions,\n{told})"


def _command(chosen: Settings) -> str:
    parts = ["calibrant report FILE"]
    for name, value in _choices(chosen).items():
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        parts.append(f"--{name} {shlex.quote(text)}")
    return " ".join(parts)


def _choices(chosen: Settings) -> dict[str, Any]:
    """Return the arguments that make the report again, without those that ask for what is the default."""
    names = ["folds", "repeats", "seed", "level", "replicates"]
    if chosen.calibrators is not None:
        names.insert(0, "calibrators")
    if chosen.measures != "default":
        names.insert(0, "measures")
    return {name: getattr(chosen, name) for name in names}


def settings(report: Report) -> list[tuple[str, str]]:
    """Return name and value of each choice behind the figures."""
    data, chosen = report.evaluation.data, report.settings
    splits = f"{chosen.folds} folds, {count(chosen.repeats, 'split')}, stratified by label, keyed by row ids"
    shown = [
        ("rows", f"{data.n:,}"),
        ("classes", f"{data.k:,}"),
        ("scores", "logits" if data.kind == "logit" else "probabilities"),
        ("labels", data.labels),
        ("weights", "yes" if data.weighted else "none"),
        ("level of intervals and bands", exact_percent(chosen.level)),
        ("resampling", f"{chosen.replicates:,} bootstrap replicates and {chosen.replicates:,} redraws of the labels"),
        ("cross-fitting", splits),
        ("seed", str(chosen.seed)),
        ("made", f"{chosen.made} with calibrant {chosen.version}"),
    ]
    return shown
