"""The two streams: data on stdout in one piece at the end, talk on stderr a line at a time."""

from __future__ import annotations

import os
import sys


def data(text: str) -> None:
    """Write a result to stdout; a reader that has gone away (``| head``) is no failure."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(f"{text}\n".encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes stdout once more at its end: let it flush to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def talk(line: str) -> None:
    """Write one line to stderr."""
    print(line, file=sys.stderr)


def one_line(text: str) -> str:
    """Return the text on one line, with what cannot be printed escaped: names and paths are anybody's input."""
    return "".join(c if c.isprintable() else _escaped(c) for c in " ".join(text.split()))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
