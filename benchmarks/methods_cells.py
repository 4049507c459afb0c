"""The cells of the table of methods: each is computed in a process of its own within a limit, and kept as it comes."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import resource
import signal
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from harness import sentence
from methods_peers import Method
from methods_sets import Floats, Set, losses, measured
from numpy.typing import NDArray

_MEMORY = 8 << 30  # bytes that a cell may hold
_WALL = 4  # times the limit of processor seconds, after which a cell that waits is stopped
_TOLD = ("converge", "not updating")  # words of a warning that belongs beside the figures


class Cache:
    """Cells by set and method, one line of JSON each, the later one of two counts; the losses of their rows beside."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "cells.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        found = [cell for cell in map(_parsed, text.splitlines()) if cell is not None]
        self.cells = {(cell["set"], cell["method"]): cell for cell in found}
        if text and not text.endswith("\n"):
            self._write("\n")

    def put(self, cell: dict[str, Any], rows: Floats | None) -> None:
        """Keep a cell."""
        if rows is not None:
            np.save(self._rows(cell["set"], cell["method"]), rows.astype(np.float32))
        self._write(json.dumps(cell) + "\n")
        self.cells[cell["set"], cell["method"]] = cell

    def rows(self, name: str, method: str) -> Floats:
        """Return the loss of each test row (n,)."""
        found: NDArray[np.float32] = np.load(self._rows(name, method))
        return found.astype(np.float64)

    def over(self, method: str, stamp: str, one: Set, limit: int) -> str:
        """Return a set, no larger in classes and in scores, on which the method took too long, or the empty string."""
        for cell in self.cells.values():
            slow = (cell["method"], cell["stamp"]) == (method, stamp) and cell.get("over", 0) >= limit
            smaller = all(a <= b for a, b in zip(cell["size"], one.size, strict=True))
            if slow and smaller and cell["set"] != one.name and not cell["instead"]:
                return str(cell["set"])
        return ""

    def _write(self, text: str) -> None:
        with self.file.open("a", encoding="utf-8") as out:
            out.write(text)

    def _rows(self, name: str, method: str) -> Path:
        return self.folder / (re.sub(r"[^a-z0-9.=]+", "-", f"{name} {method}".lower()).strip("-") + ".npy")


def _parsed(line: str) -> dict[str, Any] | None:
    """Return a cell; None for the last line of a run that was cut off."""
    try:
        found: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found


def too_slow(limit: int, instead: str = "") -> tuple[dict[str, Any], None]:
    words = f"over {limit} s" + (f" on {instead} already" if instead else "")
    return {"failure": words, "over": limit, "instead": instead}, None


def in_process(method: Method, one: Set, limit: int) -> tuple[dict[str, Any], Floats | None]:
    """Return what a process of its own finds, or why it finds nothing, and the loss of each test row."""
    context = multiprocessing.get_context("fork")  # what is imported already need not be again
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(there, method, one, limit), daemon=True)
    worker.start()
    there.close()
    told, rows = _received(here, _WALL * limit) or ({}, None)
    if told and not told.get("failure"):
        told["fit_nll"] = _received(here, _WALL * limit)  # None where the time was over before that
    worker.join(1)
    if worker.is_alive():
        worker.kill()
        worker.join()
    if told:
        return told, rows
    if worker.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
        return too_slow(limit)
    return {"failure": f"its process ended with {worker.exitcode}"}, None


def _received(pipe: Any, seconds: float) -> Any:
    """Return what comes within the time, or None."""
    try:
        return pipe.recv() if pipe.poll(seconds) else None
    except EOFError:
        return None


def _work(pipe: Any, method: Method, one: Set, limit: int) -> None:
    """Send what is measured on the test rows, then the log loss of the rows of the fit, which is not timed."""
    _alone(limit)
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            start = time.process_time()
            apply = method.learn(one.fit)
            log_p = apply(one.test)
            spent = time.process_time() - start
        _check(log_p, one.test.scores.shape)
        told = {"s": spent, "warned": _told(heard), **measured(log_p, one.test.labels)}
        pipe.send((told, losses(log_p, one.test.labels)))
    except Exception as error:
        pipe.send(({"failure": sentence(error)}, None))
        return
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        pipe.send(float(losses(apply(one.fit), one.fit.labels).mean()))


def _check(log_p: Floats, shape: tuple[int, ...]) -> None:
    """Raise an error if a method has left out columns, as some do of classes without rows of the fit."""
    if log_p.shape != shape:
        raise ValueError(f"gives {log_p.shape[1]} columns for {shape[1]} classes")


def _alone(limit: int) -> None:
    """Limit this process, and send what peers print nowhere."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _told(heard: Sequence[warnings.WarningMessage]) -> str:
    """Return the first warning that says that a fit stopped early."""
    lines = (" ".join(str(one.message).split()) for one in heard)
    return next((line[:160] for line in lines if any(word in line.lower() for word in _TOLD)), "")
