"""Arguments and options, each declared once and shared by all commands that take it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from calibrant.errors import DataError

T = TypeVar("T")


def usage(check: Callable[[], T]) -> T:
    """Return what ``check`` gives; what it finds wrong with a value is an error of usage, not of the data."""
    try:
        return check()
    except DataError as error:
        raise typer.BadParameter(str(error)) from None


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise typer.BadParameter(f"must lie between 0 and 1, got {value:g}")
    return value


def _selection(value: str | None) -> str | None:
    if value is not None:
        from calibrant.io.rows import selection

        usage(lambda: selection(value))
    return value


def _archive(value: Path) -> Path:
    if value.suffix.lower() != ".npz":
        raise typer.BadParameter(f"must end in .npz, got {value.name!r}")
    return value


# ---- what is read --------------------------------------------------------------------------------------------
File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Predictions: .npz, .csv, .parquet, or a folder of .npy.", show_default=False),
]
OptionalFile = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Predictions: .npz, .csv, .parquet, or a folder of .npy.", show_default=False),
]
MapFile = Annotated[Path, typer.Argument(metavar="MAP", help="A map that fit or report has saved.", show_default=False)]
Example = Annotated[
    str | None,
    typer.Option("--example", metavar="NAME", help="An embedded example instead of a file, such as satellite."),
]
Scores = Annotated[
    str | None,
    typer.Option("--scores", metavar="NAME", help="Array or columns with the scores; its name says logit or prob."),
]
Rows = Annotated[
    str | None,
    typer.Option("--rows", metavar="ROWS", callback=_selection, help="COLUMN=VALUE or START:STOP, counted from 0."),
]
Normalize = Annotated[bool, typer.Option("--normalize", help="Divide each row of probabilities by its sum.")]
BatchRows = Annotated[
    int | None,
    typer.Option("--batch-rows", metavar="N", min=1, help="Read N rows at a time: for a file larger than memory."),
]

# ---- what is measured ----------------------------------------------------------------------------------------
Measures = Annotated[
    list[str] | None,
    typer.Option(
        "--measures",
        metavar="LIST",
        help="A suite, such as quick, or specs with commas between them: ece(bins=10),mce.",
        show_default="the suite default",
    ),
]
Level = Annotated[
    float,
    typer.Option("--level", metavar="SHARE", callback=_share, help="Confidence level of intervals and null bands."),
]
Replicates = Annotated[
    int, typer.Option("--replicates", metavar="N", min=2, help="Replicates of the bootstrap and of redrawn labels.")
]
NoUncertainty = Annotated[
    bool, typer.Option("--no-uncertainty", help="Values alone: one pass, no intervals, no null levels.")
]
MapOption = Annotated[
    Path | None, typer.Option("--map", metavar="MAP", help="Measure the scores as this map repairs them.")
]
InSample = Annotated[bool, typer.Option("--in-sample", help="With --map: allow rows that the map was fitted on.")]
FailAbove = Annotated[
    list[str] | None,
    typer.Option("--fail-above", metavar="MEASURE=LIMIT", help="Exit 1 if the value is above; may be repeated."),
]
FailBelow = Annotated[
    list[str] | None,
    typer.Option("--fail-below", metavar="MEASURE=LIMIT", help="Exit 1 if the value is below; may be repeated."),
]

# ---- how to repair -------------------------------------------------------------------------------------------
Calibrators = Annotated[
    list[str] | None,
    typer.Option(
        "--calibrators",
        metavar="LIST",
        help="Specs with commas between them: temperature,histogram(bins=10).",
        show_default="all that suit",
    ),
]
Calibrator = Annotated[
    str, typer.Option("--calibrator", metavar="SPEC", help="How to repair: see calibrant methods.", show_default=False)
]
Folds = Annotated[int, typer.Option("--folds", metavar="N", min=2, help="Folds of the cross-fitting.")]
Repeats = Annotated[
    int | None,
    typer.Option("--repeats", metavar="N", min=1, help="Splits anew.", show_default="by the number of rows"),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of everything that is drawn.")]

# ---- what is written -----------------------------------------------------------------------------------------
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout and nothing else.")]
Page = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="HTML",
        help="Where the page goes.",
        show_default="calibrant-report.html; with --json: no page",
    ),
]
SaveMap = Annotated[
    Path | None, typer.Option("--save", metavar="MAP", help="Save the map of the recommended calibrator here.")
]
MapOutput = Annotated[Path, typer.Option("--output", metavar="MAP", help="Where the map goes.", show_default=False)]
ArchiveOutput = Annotated[
    Path,
    typer.Option("--output", metavar="NPZ", callback=_archive, help="Where the archive goes.", show_default=False),
]
Method = Annotated[
    str, typer.Argument(metavar="NAME", help="A name, or a spec such as \"ece(like='netcal')\".", show_default=False)
]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="All about one method.", show_default=False)]
