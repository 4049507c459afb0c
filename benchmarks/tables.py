"""The results as Markdown. Nothing here names the machine, its folders or its user."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata

import ours
from claims import Claim, is_right, own
from harness import Timing

_PACKAGES = (
    "calibrant numpy scipy scikit-learn torch torchmetrics netcal probmetrics relplot pycalib uncertainty-calibration"
)


def setting(load: Sequence[float]) -> str:
    """Return what ran where: processors, versions, and how busy the machine was at the start and at the end."""
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES.split())
    return (
        f"{len(os.sched_getaffinity(0))} processors ({platform.machine()}), {platform.system()}, "
        f"Python {platform.python_version()}. Load average {load[0]:.1f} at the start, {load[1]:.1f} at the end "
        f"(1 or less before the start is an idle machine). {versions}."
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are aligned as text too."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def claim_table(claims: Sequence[Claim]) -> str:
    """Return the claims with their verdicts."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    return table(
        ("claim", "bound", "measured", "holds"), [(c.words, c.bound, c.measured, words[c.holds]) for c in claims]
    )


def timing_table(timings: Sequence[Timing], bases: int) -> str:
    """Return one row a case, by number; the first ``bases`` timings are the yardsticks."""
    yardsticks = list(timings[:bases])
    head = ["number", "who", "how", "value", "minus ours", "ms", "n"]
    head += [f"x {base.case.how}" for base in yardsticks] + ["x ours"]
    order = list(dict.fromkeys(t.case.number for t in timings))
    rows = sorted(timings, key=lambda t: order.index(t.case.number))
    return table(head, [_row(t, yardsticks, timings) for t in rows])


def _row(timing: Timing, yardsticks: Sequence[Timing], timings: Sequence[Timing]) -> list[str]:
    case = timing.case
    if timing.failure:
        return [case.number, case.who, case.how, timing.failure, *["–"] * (4 + len(yardsticks))]
    value = "–" if timing.value is None else f"{timing.value:.6g}"
    count = "first call" if timing.first_call else str(len(timing.seconds))
    ratios = [f"{timing.over(base):.2f} (paired {timing.paired(base):.2f})" for base in yardsticks]
    if timing.over(yardsticks[0]) >= 100:
        ratios = [f"{timing.over(base):.0f}" for base in yardsticks]
    difference, against = "–", "–"
    if case.number != "yardstick":
        mine = own(timings, case.number)
        against = "–" if mine.failure else f"{timing.over(mine):.3g}"
        difference = _difference(timing, mine)
    return [case.number, case.who, case.how, value, difference, f"{1e3 * timing.median:.3g}", count, *ratios, against]


def _difference(timing: Timing, mine: Timing) -> str:
    if timing is mine or timing.value is None or mine.value is None:
        return "–"
    mark = "" if is_right(timing, mine) else " (!)"
    return f"{timing.value - mine.value:+.1e}{mark}"


def summed_peers(best: Mapping[str, Timing | None]) -> str:
    """Return the fastest right peer of each number."""
    rows = [
        (number, "none" if t is None else f"{t.case.who}, {t.case.how}", "–" if t is None else f"{1e3 * t.median:.3g}")
        for number, t in best.items()
    ]
    return table(("number", "fastest right peer", "ms"), rows)


def figures(measured: Mapping[str, float | None], head: Sequence[str], scale: float) -> str:
    """Return named figures."""
    return table(head, [(name, "failed" if v is None else f"{scale * v:.3g}") for name, v in measured.items()])


def title(work_shape: tuple[int, int], temperature: float) -> str:
    """Return the first lines of the page."""
    n, k = work_shape
    return (
        f"# Results\n\nWritten by `make bench`; README.md says how everything is measured. {n:,} rows x {k:,} classes "
        f"of float32, {ours.BINS} bins; the temperature that made the data is {temperature:g}."
    )
