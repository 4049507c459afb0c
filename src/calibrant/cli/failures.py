"""Exit codes, and every failure as one line on stderr: ``calibrant: <sentence>``.

0 done, 1 a requested gate failed, 2 usage, 3 data or file, 130 interrupted or terminated; 70 is a fault of calibrant
itself, with its traceback.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import typer

from calibrant.cli.streams import one_line, talk
from calibrant.errors import CalibrantError, UnknownMethod

DONE, GATE, USAGE, DATA, FAULT, INTERRUPTED = 0, 1, 2, 3, 70, 130

# Every error of the parser is one of these; the class has no public name in all supported versions of typer.
_UsageError: Any = typer.BadParameter.__base__

# The library speaks of arguments; here they are options.
_AS_OPTIONS = (
    (re.compile(r"\bnormalize=True"), "--normalize"),
    (re.compile(r"\bin_sample=True"), "--in-sample"),
    (re.compile(r"\b(scores|rows)=(?=[\"'])"), r"--\1 "),
    (re.compile(r"\b(scores|rows)=(?=\W)"), r"--\1"),
    (re.compile(r"\bpass (labels|features|weights|ids)="), r"add an array or column \1 to the file"),
    (re.compile(r"\bpass classes="), "add class_names to the file"),
    (
        re.compile("one probability a row goes through Predictions.binary"),
        "write one column a class, also for two classes",
    ),
)


class GateFailed(Exception):
    """A gate that was asked for does not hold; the figures themselves were written."""


def exit_code(run: Callable[[], Any]) -> int:
    """Run a command and return its exit code; a failure says its one line."""
    try:
        return int(run() or DONE)
    except GateFailed as failure:
        return _failed(str(failure), GATE)
    except _UsageError as error:
        return _failed(_usage(error), USAGE)
    except UnknownMethod as error:
        return _failed(str(error), USAGE)
    except CalibrantError as error:
        return _failed(as_options(str(error)), DATA)
    except MemoryError as error:
        return _failed(f"the work must fit into memory ({error}); evaluate and apply take --batch-rows", DATA)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit:  # the parser's answer to a reader of the help that has gone away
        return DONE
    except Exception:
        traceback.print_exc()
        return FAULT


def as_options(text: str) -> str:
    """Return a sentence of the library with its arguments spelt as options of the command line."""
    for argument, option in _AS_OPTIONS:
        text = argument.sub(option, text)
    return one_line(text)


def _failed(text: str, code: int) -> int:
    talk(f"calibrant: {one_line(text)}")
    return code


def _usage(error: Any) -> str:
    """Return the sentence of the parser, with where to read on."""
    said = as_options(error.format_message()).rstrip(".").replace(". Did", "; did")
    command = error.ctx.command_path if error.ctx else "calibrant"
    return f"{said[:1].lower()}{said[1:]} (see {command} --help)"
