"""From the options of a command to the predictions it works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from calibrant.cli import document
from calibrant.cli.progress import Work

if TYPE_CHECKING:
    from calibrant.calibrators.base import CalibrationMap
    from calibrant.predictions import Predictions


def opened(work: Work, file: Path, batch_rows: int | None = None, **choices: Any) -> Iterable[Predictions]:
    """Return a file as batches that can be read again, or as one batch; ``choices`` are those of `io.batches`."""
    from calibrant import io

    batches = io.batches(file, **choices) if batch_rows is None else io.batches(file, batch_rows=batch_rows, **choices)
    work.notes.extend(batches.notes)
    return batches if batch_rows else (batches.whole(),)


def whole(work: Work, file: Path, **choices: Any) -> Predictions:
    """Return a file as one batch."""
    (batch,) = opened(work, file, **choices)
    return batch


def either(work: Work, file: Path | None, example: str | None, **choices: Any) -> Predictions:
    """Return the predictions of a file or of an embedded example: one of the two must be named."""
    if (file is None) == (example is None):
        raise typer.BadParameter("name either a file or --example", param_hint="'FILE'")
    if file is not None:
        return whole(work, file, **choices)
    if any(choices.values()):
        raise typer.BadParameter("goes without --scores, --rows and --normalize", param_hint="'--example'")
    from calibrant import data

    return data.example(str(example))


def repaired(
    work: Work, file: Path, map_file: Path | None, batch_rows: int | None, **choices: Any
) -> Iterable[Predictions]:
    """Return a file as `opened` does, as a map repairs it where one is named."""
    if map_file is None:
        return opened(work, file, batch_rows, **choices)
    from calibrant import calibrators

    learnt = calibrators.load(map_file)
    return Repaired(opened(work, file, batch_rows, **choices), learnt)


class Repaired:
    """Batches as a map repairs them, repaired anew by every iteration; ``data`` tells the shape of the last one."""

    def __init__(self, batches: Iterable[Predictions], learnt: CalibrationMap) -> None:
        self.batches, self.learnt = batches, learnt
        self.data: document.Document = {}

    def __iter__(self) -> Iterator[Predictions]:
        rows = 0
        for batch in self.batches:
            rows += len(batch)
            self.data = {**document.shape(batch), "n": rows}
            yield self.learnt(batch)
