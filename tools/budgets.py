"""Check the budgets of the code base: short functions, short files. Exit 1 and say where one is broken.

Function lengths are without docstrings: median <= 10 lines, 95 % <= 40, none over 60 outside ``plot`` and ``cli``;
no file over 300 lines. Usage: python tools/budgets.py FOLDER
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

MEDIAN, MOST, LONGEST, FILE = 10, 40, 60, 300
EXEMPT = ("plot", "cli")


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (lines without docstring, place) of every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        first = node.body[0]
        if ast.get_docstring(node) is not None:
            lines -= (first.end_lineno or first.lineno) - first.lineno + 1
        yield lines, f"{path}:{node.lineno} {node.name}"


def broken(folder: Path) -> list[str]:
    """Return a sentence for every broken budget."""
    files = sorted(folder.rglob("*.py"))
    found = [(lines, place, path) for path in files for lines, place in functions(path)]
    lengths = sorted(lines for lines, _, _ in found)
    median, most = statistics.median(lengths), lengths[int(0.95 * (len(lengths) - 1))]
    print(
        f"{len(lengths)} functions in {len(files)} files: median {median:g} lines, 95 % {most}, longest {lengths[-1]}"
    )
    said = []
    if median > MEDIAN:
        said.append(f"the median function has {median} lines, more than {MEDIAN}")
    if most > MOST:
        said.append(f"5 % of the functions have over {most} lines, more than {MOST}")
    for lines, place, path in found:
        if lines > LONGEST and not set(EXEMPT) & set(path.relative_to(folder).parts):
            said.append(f"{place} has {lines} lines, more than {LONGEST}")
    for path in files:
        lines = path.read_text().count("\n")
        if lines > FILE:
            said.append(f"{path} has {lines} lines, more than {FILE}")
    return said


def main() -> int:
    """Print every broken budget; return 1 if there is one."""
    said = broken(Path(sys.argv[1]))
    print("\n".join(said) or "all budgets hold")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
