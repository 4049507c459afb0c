"""Markdown tables in marked places of a page: ``<!-- table: NAME -->`` ... ``<!-- end -->``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a table whose first ``left`` columns are text, the others figures."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure(value: float, digits: int = 4) -> str:
    """Return a number without a zero before the point; a minus sign only where a digit is not zero."""
    text = f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"
    return text.replace("-", "−") if float(f"{value:.{digits}f}") else text.replace("-", "")


def place(page: Path, name: str) -> str:
    """Return the table that stands on a page."""
    return _found(page, name)[1]


def write(page: Path, tables: dict[str, Callable[[], str]], only: str) -> None:
    """Make the tables (one of them if ``only`` is not empty) and put each in its place as soon as it is made."""
    for name, make in tables.items():
        if only in ("", name):
            new, old = make(), _found(page, name)
            page.write_text(f"{old.string[: old.start(1)]}{new}{old.string[old.end(1) :]}")
            print(f"{name}\n{new}\n", flush=True)


def _found(page: Path, name: str) -> re.Match[str]:
    found = re.search(rf"<!-- table: {re.escape(name)} -->\n(.*?)\n<!-- end -->", page.read_text(), re.S)
    if found is None:
        raise LookupError(f"{page.name} has no place for {name}")
    return found
