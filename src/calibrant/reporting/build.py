"""`report`: evaluate, compare, repair, and show, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from calibrant import persistence, registry
from calibrant.calibrators import Calibrator, calibrator
from calibrant.errors import require
from calibrant.evaluation import Comparison, Evaluation, Method, compare, evaluate
from calibrant.evaluation.recommend import IDENTITY
from calibrant.metrics import Metric
from calibrant.metrics.tests import CalibrationTest
from calibrant.plot import classwise, confusion, corp, cumulative, reliability, risk
from calibrant.predictions import Predictions
from calibrant.reporting import looking
from calibrant.reporting.draws import Draws
from calibrant.reporting.record import Closer, Files, Pictures, Report, Settings
from calibrant.reporting.repaired import out_of_fold

Progress = Callable[[str, int, int], None]
Place = str | os.PathLike[str]
TITLE = "Calibration report"
_LABELS = 8  # predicted classes that are drawn one by one


def report(
    predictions: Predictions,
    *,
    calibrators: Sequence[str | Calibrator] | None = None,
    measures: Method | Sequence[Method] = "default",
    output: Place | None = None,
    save: Place | None = None,
    level: float = 0.95,
    replicates: int = 200,
    folds: int = 5,
    repeats: int | None = None,
    seed: int = 0,
    title: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure labelled predictions, compare repairs, and return everything as one record with a page.

    Parameters
    ----------
    predictions : labelled rows that the classifier was not trained on.
    calibrators : specs or objects to compare; all registered ones by default.
    measures : a suite, a spec string, a measure or test, or a list of these.
    output : where to write the page, one HTML file that loads nothing; not written by default.
    save : where to save the recommended map, fitted on all rows; not saved by default.
    level, replicates : of intervals, null levels and consistency bands.
    folds, repeats, seed : of the cross-fitting and of the resampling.
    title : of the page.
    progress : called with (what, done, total).

    Returns
    -------
    Report : ``to_dict()`` is strict JSON, ``html()`` the page.

    Raises
    ------
    DataError : without labels, for rows that the map behind the scores was fitted on, or if a file cannot be written.

    Notes
    -----
    All figures and pictures of the repaired scores are out of fold: no row is repaired by a map that has seen it.
    Predictions with features are also looked at by where they lie, at most 10,000 rows, which their keys choose.
    """
    _check_places(output, save)
    told = progress or _silent
    draws = Draws(level=level, replicates=replicates, seed=seed)
    before = evaluate(predictions, measures, **vars(draws), progress=told)
    comparison = compare(predictions, calibrators, folds=folds, repeats=repeats, level=level, seed=seed, progress=told)
    best = calibrator(comparison.recommended)
    keep = comparison.recommended == IDENTITY
    repaired = None if keep else out_of_fold(best, predictions, folds=folds, seed=seed)
    made = Report(
        title=title or TITLE,
        evaluation=before,
        comparison=comparison,
        after=before if repaired is None else _again(repaired, measures, draws, told),
        map=best.fit(predictions),
        pictures=_pictures(predictions, repaired, draws, told),
        local=looking.prepare(predictions, repaired, draws, told),
        settings=_settings(comparison, measures, calibrators, draws),
        files=Files(report=_path(output), map=_path(save)),
        page=_page,
    )
    return _written(made, output, save)


def _settings(
    comparison: Comparison,
    measures: Method | Sequence[Method],
    calibrators: Sequence[str | Calibrator] | None,
    draws: Draws,
) -> Settings:
    """Return the record of the choices."""
    return Settings(
        measures=_specs(measures),
        calibrators=None if calibrators is None else tuple(_spec(c) for c in calibrators),
        folds=comparison.folds,
        repeats=comparison.repeats,
        version=metadata.version("calibrant"),
        made=datetime.now(UTC).date().isoformat(),
        **vars(draws),
    )


def _again(repaired: Predictions, measures: Method | Sequence[Method], draws: Draws, told: Progress) -> Evaluation:
    """Return the evaluation of the repaired scores."""

    def after(what: str, done: int, total: int) -> None:
        told(f"{what} after repair", done, total)

    return evaluate(repaired, measures, **vars(draws), progress=after)


def _pictures(before: Predictions, after: Predictions | None, draws: Draws, told: Progress) -> Pictures:
    """Return the diagrams before, and after where there is a repair, of the same classes."""
    total = 1 if after is None else 2
    told("pictures", 0, total)
    diagram = reliability.prepare(before, level=draws.level)
    classes = classwise.prepare(before, **vars(draws))
    closer = _closer(before, draws)
    told("pictures", 1, total)
    if after is None:
        return Pictures(before=diagram, classes=classes, closer=closer)
    made = Pictures(
        before=diagram,
        classes=classes,
        closer=closer,
        after=reliability.prepare(after, level=draws.level),
        classes_after=classwise.prepare(after, classes=classes.shown, **vars(draws)),
        closer_after=_closer(after, draws),
    )
    told("pictures", 2, total)
    return made


def _closer(predictions: Predictions, draws: Draws) -> Closer:
    """Return the pictures that are shown on request."""
    return Closer(
        corp=corp.prepare(predictions, **vars(draws)),
        cumulative=cumulative.prepare(predictions, level=draws.level, seed=draws.seed),
        risk=risk.prepare(predictions, level=draws.level),
        labels=classwise.prepare(predictions, notion="top_label", most=_LABELS, **vars(draws)),
        confusion=confusion.prepare(predictions, level=draws.level),
    )


def _written(made: Report, output: Place | None, save: Place | None) -> Report:
    """Write the files asked for; the page is rendered before anything is written."""
    page = b"" if output is None else made.html().encode()
    if save is not None:
        made.map.save(save)
    if output is not None:
        persistence.write_atomically(output, page)
    return made


def _check_places(*places: Place | None) -> None:
    """Raise ``DataError`` for a folder that is not there, before the work and not after it."""
    for place in places:
        if place is not None:
            path = Path(place)
            require(path.parent.is_dir(), "output", "be a file in a folder that exists", repr(str(path)))
            require(not path.is_dir(), "output", "be a file", f"the folder {str(path)!r}")


def _path(place: Place | None) -> str | None:
    return None if place is None else os.fspath(place)


def _spec(method: str | Calibrator | Metric | CalibrationTest) -> str:
    if isinstance(method, str):
        return method
    return method.spec if isinstance(method, (Metric, CalibrationTest)) else registry.spec_of(method)


def _specs(measures: Method | Sequence[Method]) -> str | tuple[str, ...]:
    if isinstance(measures, (str, Metric, CalibrationTest)):
        return _spec(measures)
    return tuple(_spec(m) for m in measures)


def _page(made: Report) -> str:
    from calibrant.reporting.page import render  # the template engine is needed for a page only

    return render(made)


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
