"""Write the help of every command into docs/cli.md, between its marks; --check only compares.

Exit codes: 0 written, or equal; 1 --check found a difference; 2 a command has no place on the page.
Usage: python tools/cli_docs.py [--check]
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path

from calibrant.cli import main
from calibrant.cli.app import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
BLOCK = re.compile(r"(<!-- help: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
WIDTH = 100


def help_text(command: str) -> str:
    """Return what ``calibrant COMMAND --help`` prints; the command ``calibrant`` is the program itself."""
    os.environ["COLUMNS"] = str(WIDTH)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main([*([] if command == "calibrant" else [command]), "--help"])
    return said.getvalue().rstrip()


def filled(page: str) -> str:
    """Return the page with every block of help written anew."""
    return BLOCK.sub(lambda block: f"{block[1]}```text\n{help_text(block[2])}\n```\n{block[3]}", page)


def missing(page: str) -> list[str]:
    """Return the commands that have no block on the page."""
    names = ["calibrant", *(str(getattr(command.callback, "__name__", "")) for command in app.registered_commands)]
    return sorted(set(names) - {block[2] for block in BLOCK.finditer(page)})


def run(check: bool) -> int:
    """Write or check the page; return the exit code."""
    page = PAGE.read_text(encoding="utf-8")
    if missing(page):
        print(f"{PAGE.name} has no place for the help of {', '.join(missing(page))}", file=sys.stderr)
        return 2
    new = filled(page)
    if check and new != page:
        print(f"{PAGE.name} is not what the commands say: run python tools/cli_docs.py", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run("--check" in sys.argv[1:]))
