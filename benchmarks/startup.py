"""How long it takes to start: warm medians over fresh processes, interleaved."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

_IMPORTS = {
    "import calibrant": "import calibrant",
    "from calibrant import Predictions, evaluate, fit": "from calibrant import Predictions, evaluate, fit",
    "import numpy": "import numpy",
}
_TIMED = "import time; start = time.perf_counter()\n{}\nprint(time.perf_counter() - start)"


def seconds(repetitions: int) -> dict[str, float]:
    """Return the median seconds of each import, timed inside the process, and of whole processes."""
    whole = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "calibrant --help": [str(Path(sys.executable).with_name("calibrant")), "--help"],
    }
    taken: dict[str, list[float]] = {}
    for turn in range(repetitions + 1):
        for name, statement in _IMPORTS.items():
            told = subprocess.run([sys.executable, "-c", _TIMED.format(statement)], capture_output=True, text=True)
            _note(taken, name, turn, told.returncode, float(told.stdout or 0))
        for name, command in whole.items():
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True)
            _note(taken, name, turn, done.returncode, time.perf_counter() - start)
    return {name: median(times) for name, times in taken.items()}


def _note(taken: dict[str, list[float]], name: str, turn: int, code: int, duration: float) -> None:
    """Keep a duration, unless it failed or comes from the first turn, which reads files that are not yet cached."""
    if turn and not code:
        taken.setdefault(name, []).append(duration)
