"""What a command says while it works: bars where stderr is a terminal, and its notes once the work has succeeded."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from calibrant.cli.streams import one_line, talk
from calibrant.errors import ConvergenceWarning

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Work:
    """The callback for long work (None where nobody watches) and the notes to be told at the end."""

    progress: Progress | None
    notes: list[str] = field(default_factory=list)


@contextmanager
def working() -> Iterator[Work]:
    """Show the progress of the block; tell its notes if it succeeds, so that a failure stays one line."""
    with _bars() as progress, warnings.catch_warnings():
        work = Work(progress)
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.showwarning = _noting(work.notes, warnings.showwarning)
        yield work
    for note in dict.fromkeys(work.notes):
        talk(f"note: {one_line(note)}")


def _noting(notes: list[str], otherwise: Callable[..., None]) -> Callable[..., None]:
    """Return a hook that keeps warnings of calibrant as notes and leaves others to ``otherwise``."""

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, ConvergenceWarning):
            notes.append(str(message))
        else:
            otherwise(message, category, *where)

    return show


@contextmanager
def _bars() -> Iterator[Progress | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn())
    console = Console(stderr=True)
    with rich.Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bars:
        tasks: dict[str, rich.TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield told
