"""What to type: to apply the recommended map, and to make the report again."""

from __future__ import annotations

import shlex

from calibrant.plot.words import count, percent
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
    settings = report.settings
    ways = [{"title": "In Python", "code": _call(settings)}]
    plain = (settings.measures, settings.level, settings.replicates) == ("default", 0.95, 200)
    if plain:  # the command has no options for these
        ways.insert(0, {"title": "On the command line", "code": _command(settings)})
    return ways


def _call(settings: Settings) -> str:
    measures = settings.measures if isinstance(settings.measures, str) else list(settings.measures)
    choices: dict[str, object] = {"measures": measures}
    if settings.calibrators is not None:
        choices["calibrators"] = list(settings.calibrators)
    for name in ("folds", "repeats", "seed", "level", "replicates"):
        choices[name] = getattr(settings, name)
    told = "".join(f"    {name}={value!r},\n" for name, value in choices.items())
    return f"calibrant.report(\n    predictions,\n{told})"


def _command(settings: Settings) -> str:
    parts = ["calibrant", "report", "FILE"]
    if settings.calibrators is not None:
        parts += ["--calibrators", shlex.quote(",".join(settings.calibrators))]
    for name in ("folds", "repeats", "seed"):
        parts += [f"--{name}", str(getattr(settings, name))]
    return " ".join(parts)


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
        ("level of intervals and bands", percent(chosen.level, 0)),
        ("resampling", f"{chosen.replicates:,} bootstrap replicates and {chosen.replicates:,} redraws of the labels"),
        ("cross-fitting", splits),
        ("seed", str(chosen.seed)),
        ("made", f"{chosen.made} with calibrant {chosen.version}"),
    ]
    return shown
