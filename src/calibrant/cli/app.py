"""The commands: each parses, calls one library function, and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calibrant.cli import document, options, parsing, sources, streams
from calibrant.cli.progress import working

_PAGE = Path("calibrant-report.html")

app = typer.Typer(
    name="calibrant",
    rich_markup_mode=None,  # plain help: the same everywhere, and rich is not imported for it
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        from calibrant import __version__

        streams.data(f"calibrant {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def calibrant(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Measure and repair the class probabilities of a classifier.

    FILE holds probabilities or logits and labels: .npz or a folder of .npy arrays, .csv or .parquet columns.

    Exit codes: 0 done, 1 a requested gate failed, 2 usage, 3 data or file.
    """
    del version  # its callback has answered
    if context.invoked_subcommand is None:
        streams.data(context.get_help())


@app.command()
def report(
    file: options.OptionalFile = None,
    example: options.Example = None,
    output: options.Page = None,
    save: options.SaveMap = None,
    calibrators: options.Calibrators = None,
    measures: options.Measures = None,
    folds: options.Folds = 5,
    repeats: options.Repeats = None,
    level: options.Level = 0.95,
    replicates: options.Replicates = 200,
    seed: options.Seed = 0,
    scores: options.Scores = None,
    rows: options.Rows = None,
    normalize: options.Normalize = False,
    as_json: options.Json = False,
) -> None:
    """Measure, repair, and write a page about it.

    Compares repairs on rows that their maps have not seen, recommends one, and shows it before and after.
    """
    from calibrant import reporting
    from calibrant.cli import show

    page = output or (None if as_json else _PAGE)
    parsing.check_places(page, save, inputs=[file])
    with working() as work:
        made = reporting.report(
            sources.either(work, file, example, scores=scores, rows=rows, normalize=normalize),
            calibrators=parsing.calibrators(calibrators),
            measures=parsing.measures(measures) if measures else "default",
            output=page,
            save=save,
            folds=folds,
            repeats=repeats,
            level=level,
            replicates=replicates,
            seed=seed,
            progress=work.progress,
        )
    streams.data(document.dumps(made.to_dict()) if as_json else show.report(made))


@app.command()
def evaluate(
    file: options.File,
    measures: options.Measures = None,
    level: options.Level = 0.95,
    replicates: options.Replicates = 200,
    no_uncertainty: options.NoUncertainty = False,
    fail_above: options.FailAbove = None,
    fail_below: options.FailBelow = None,
    map_file: options.MapOption = None,
    in_sample: options.InSample = False,
    seed: options.Seed = 0,
    scores: options.Scores = None,
    rows: options.Rows = None,
    normalize: options.Normalize = False,
    batch_rows: options.BatchRows = None,
    as_json: options.Json = False,
) -> None:
    """Measure, with intervals and null levels.

    The null level is what the same measure shows for a perfectly calibrated model with the same scores.
    """
    from calibrant import evaluation
    from calibrant.cli import show

    gates = parsing.Gates.of(fail_above, fail_below)
    metrics = gates.measured_with(parsing.measures(measures))
    with working() as work:
        found = evaluation.evaluate(
            sources.repaired(work, file, map_file, batch_rows, scores=scores, rows=rows, normalize=normalize),
            metrics,
            level=level,
            replicates=replicates,
            uncertainty=not no_uncertainty,
            seed=seed,
            in_sample=in_sample,
            progress=work.progress,
        )
    streams.data(document.dumps(document.evaluated(found, gates)) if as_json else show.evaluation(found, gates))
    gates.check(found)


@app.command()
def compare(
    file: options.File,
    calibrators: options.Calibrators = None,
    folds: options.Folds = 5,
    repeats: options.Repeats = None,
    level: options.Level = 0.95,
    seed: options.Seed = 0,
    scores: options.Scores = None,
    rows: options.Rows = None,
    normalize: options.Normalize = False,
    as_json: options.Json = False,
) -> None:
    """Compare repairs and recommend one.

    Every method predicts every row from maps that have not seen it.
    """
    from calibrant import evaluation
    from calibrant.cli import show

    methods = parsing.calibrators(calibrators)
    with working() as work:
        predictions = sources.whole(work, file, scores=scores, rows=rows, normalize=normalize)
        found = evaluation.compare(
            predictions, methods, folds=folds, repeats=repeats, level=level, seed=seed, progress=work.progress
        )
    told = document.compared(predictions, found)
    streams.data(document.dumps(told) if as_json else show.comparison(told["data"], found))


@app.command()
def fit(
    file: options.File,
    calibrator: options.Calibrator,
    output: options.MapOutput,
    scores: options.Scores = None,
    rows: options.Rows = None,
    normalize: options.Normalize = False,
    batch_rows: options.BatchRows = None,
    as_json: options.Json = False,
) -> None:
    """Learn a map and save it.

    With --batch-rows the file is read once for each pass and never held; methods that can, such as temperature, say so.
    """
    from calibrant import calibrators
    from calibrant.cli import counting, show

    parsing.check_places(output, inputs=[file])
    method = parsing.built("calibrator", calibrator, "--calibrator")
    with working() as work:
        read = counting.Counted(sources.opened(work, file, batch_rows, scores=scores, rows=rows, normalize=normalize))
        learnt = calibrators.fit(read if batch_rows else next(iter(read)), method)
        learnt.save(output)
    told = document.fitted(read.data, learnt, output)
    streams.data(document.dumps(told) if as_json else show.fitted(told))


@app.command()
def apply(
    map_file: options.MapFile,
    file: options.File,
    output: options.ArchiveOutput,
    scores: options.Scores = None,
    rows: options.Rows = None,
    normalize: options.Normalize = False,
    batch_rows: options.BatchRows = None,
    as_json: options.Json = False,
) -> None:
    """Repair predictions with a saved map.

    The archive holds probabilities and what came with the rows: labels, weights, features, groups, ids, class_names.
    """
    from calibrant import calibrators, io
    from calibrant.cli import show

    parsing.check_places(output, inputs=[file, map_file])
    with working() as work:
        learnt = calibrators.load(map_file)
        read = sources.opened(work, file, batch_rows, scores=scores, rows=rows, normalize=normalize)
        repaired = sources.Repaired(read, learnt)
        io.write_batches(output, repaired)
    told = document.applied(repaired.data, learnt, output)
    streams.data(document.dumps(told) if as_json else show.applied(told))


@app.command()
def methods(name: options.Name = None, as_json: options.Json = False) -> None:
    """List all methods, or tell all about one.

    Calibrators repair, measures measure; a spec is a name with options: histogram(bins=10).
    """
    from calibrant import catalogue
    from calibrant.cli import show

    found = catalogue.methods(name)
    shown = show.catalogue if name is None else show.entries
    streams.data(document.dumps(document.listed(found)) if as_json else shown(found))


@app.command()
def explain(name: options.Method, as_json: options.Json = False) -> None:
    """Explain one method, and how other packages differ.

    What is computed, its estimand, bias and cost; a spec with like= explains what that package computes.
    """
    from calibrant import explanation
    from calibrant.cli import show

    found = explanation.explain(name)
    streams.data(document.dumps(document.explained(found)) if as_json else show.explanation(found))
