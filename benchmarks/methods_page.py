"""The page of all methods as Markdown: a table for each set, one for all sets, and pairs of the same name."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from statistics import geometric_mean, mean, median
from typing import Any

import numpy as np
from methods_peers import OURS, Method
from methods_sets import BINS, Set
from methods_why import WHY
from tables import table

SAME = 1e-4  # nats within which two log losses count as one
_REFERENCE = f"{OURS} temperature"
_PACKAGES = (
    "calibrant numpy scipy scikit-learn torch probmetrics netcal dirichletcal jax venn-abers betacal splinecalib "
    "cir-model uncertainty-calibration"
)
_HEAD = """# Methods

Written by `make -C benchmarks methods`; README.md says how. Every registered calibrator of calibrant with its defaults
beside the peers' methods, fitted on the same rows and measured on the same test rows. Ours come first, by log loss,
then the peers'. NLL in nats, Brier summed over classes, ECE of the top label in {bins} bins of equal width, closed on
the right; s: seconds of one processor for fitting and for applying the map to the test rows. Nothing is clipped: a
label to which a method gives probability 0 makes its NLL ∞, with the number of such rows. "over {limit} s": stopped
then; "already": not tried, for it was stopped on a set with no more classes and no more scores. † marks a fit that
told of an early stop.

{setting}
"""


@dataclass(frozen=True)
class Line:
    """What became of a method in one table: figures, or the sentence why there are none."""

    method: Method
    figures: dict[str, float]
    failure: str = ""
    warned: str = ""

    @property
    def nll(self) -> float:
        return np.inf if self.failure else self.figures["nll"]

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        name = f"{'**calibrant**' if self.method.who == OURS else self.method.who} {self.method.how}"
        if self.failure:
            return [name, self.failure, *"––––"]
        f, mark = self.figures, " †" if self.warned else ""
        nll = f"{f['nll']:.5f}" if np.isfinite(f["nll"]) else f"∞ ({f['lost']:.0f} rows)"
        rest = [f"{f[key]:.5f}" if np.isfinite(f[key]) else "–" for key in ("brier", "ece", "accuracy")]
        return [name, nll + mark, *rest, f"{f['s']:.2f}"]


def page(cache: Any, sets: Sequence[Set], methods: Sequence[Method], limit: int, missing: Sequence[str]) -> str:
    """Return the whole page."""
    tables = {name: [one for one in sets if one.table == name] for name in dict.fromkeys(one.table for one in sets)}
    lines = {name: [_line(cache, several, method) for method in methods] for name, several in tables.items()}
    parts = [
        _HEAD.format(bins=BINS, limit=limit, setting=_setting(missing)).strip(),
        "## All sets\n\n" + _summary(lines),
        pairs(cache, sets, methods),
        *(f"## {name}\n\n{_described(tables[name])}\n\n{_table(lines[name])}" for name in tables),
    ]
    return "\n\n".join(parts) + "\n"


def _setting(missing: Sequence[str]) -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES.split())
    absent = f" Not in the folder, and therefore not here: {', '.join(missing)}." if missing else ""
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}. {versions}.{absent}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _described(sets: Sequence[Set]) -> str:
    one = sets[0]
    kind = "logits" if one.fit.logits else "probabilities"
    zeros = "" if one.fit.logits or one.fit.scores.all() else ", some of them exactly 0"
    several = f"; means over {len(sets)} prompts" if len(sets) > 1 else ""
    fit, test = len(one.fit.labels), len(one.test.labels)
    return f"{fit:,} rows to fit, {test:,} to test, {one.fit.k} classes, {kind}{zeros}{several}."


def _line(cache: Any, sets: Sequence[Set], method: Method) -> Line:
    """Return the figures of one cell, or their means over several."""
    cells = [cache.cells.get((one.name, method.name), {"failure": "not run"}) for one in sets]
    failed = [cell["failure"] for cell in cells if cell.get("failure")]
    if failed:
        share = f" (on {len(failed)} of {len(cells)})" if 0 < len(failed) < len(cells) else ""
        return Line(method, {}, failed[0] + share)
    figures = {key: mean(cell[key] for cell in cells) for key in ("nll", "brier", "ece", "accuracy", "s")}
    figures["lost"] = sum(cell["lost"] for cell in cells)
    return Line(method, figures, warned=next((cell["warned"] for cell in cells if cell["warned"]), ""))


def _table(lines: Sequence[Line]) -> str:
    """Return the table of a set, and what fits told of themselves."""
    rows = sorted(lines, key=lambda line: (line.method.who != OURS, bool(line.failure), line.nll))
    notes = [f"† {line.method.name}: {line.warned}" for line in rows if line.warned and not line.failure]
    shown = table(("method", "NLL", "Brier", f"ECE-{BINS}", "accuracy", "s"), [line.cells for line in rows])
    return "\n\n".join([shown, *notes])


def _summary(lines: dict[str, list[Line]]) -> str:
    """Return each method's mean rank and the geometric mean of its log loss over the temperature map's."""
    ranks = [_ranks([line.nll for line in of_set]) for of_set in lines.values()]
    several = list(zip(*lines.values(), strict=True))
    reference = next((of for of in several if of[0].method.name == _REFERENCE), None)
    rows = []
    for of, rank in zip(several, zip(*ranks, strict=True), strict=True):
        name = f"{'**calibrant**' if of[0].method.who == OURS else of[0].method.who} {of[0].method.how}"
        ratios = [] if reference is None else _ratios(of, reference)
        ratio = f"{geometric_mean(ratios):.4f}" if ratios else "–"
        rows.append((mean(rank), (name, f"{mean(rank):.1f}", ratio, f"{len(ratios)} of {len(of)}")))
    told = (
        "Ranks by NLL among all methods, ours and the peers'; those without a finite NLL on a set share its last "
        "ranks. NLL against temperature: the geometric mean over the sets on which the method has a finite NLL, of "
        "which there are as many as the last column says; methods that fail on hard sets are therefore flattered by "
        "it, not by the rank."
    )
    head = ("method", "mean rank", "NLL / that of temperature", "sets with a finite NLL")
    return f"{told}\n\n{table(head, [row for _, row in sorted(rows, key=lambda pair: pair[0])])}"


def _ratios(of: Sequence[Line], reference: Sequence[Line]) -> list[float]:
    both = zip(of, reference, strict=True)
    return [line.nll / base.nll for line, base in both if np.isfinite(line.nll) and np.isfinite(base.nll)]


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 1; ties share the mean of theirs."""
    v = np.asarray(values)
    return [float((v < one).sum() + ((v == one).sum() + 1) / 2) for one in v]


@dataclass(frozen=True)
class Pair:
    """Ours less the peer's log loss on one set, its standard error, and that on the rows of the fit.

    ``few``: the first without the three rows that differ most. ``like``: the same of our spec of the peer's definition,
    on the test rows and on those of the fit.
    """

    name: str
    test: float
    error: float
    few: float
    fit: float
    like: tuple[float, float] | None

    @property
    def cells(self) -> list[str]:
        """The row of an exception."""
        noise = "within twice the error" if self.test <= 2 * self.error else "beyond twice the error"
        closer = "peer" if self.fit > SAME else "ours" if self.fit < -SAME else "both alike"
        like = "–" if self.like is None else "{:+.5f}, {:+.5f}".format(*self.like)
        test, few, fit = f"{self.test:+.5f} ± {self.error:.5f}", f"{self.few:+.5f}", f"{self.fit:+.5f} ({closer})"
        return [self.name, test, noise, few, fit, like]


def _pair(cache: Any, one: Set, peer: Method) -> Pair | str:
    """Return the pair on a set, or why the peer has no figure there; the empty string where ours has none."""
    theirs, name = cache.cells.get((one.name, peer.name)), f"{OURS} {peer.of}"
    mine, like = cache.cells.get((one.name, name)), cache.cells.get((one.name, f"{OURS} {peer.like}"))
    if mine is None or theirs is None or mine.get("failure") or not np.isfinite(mine["nll"]):
        return ""
    if theirs.get("failure") or not np.isfinite(theirs["nll"]):
        return str(theirs.get("failure") or "an infinite NLL")
    rows = cache.rows(one.name, name) - cache.rows(one.name, peer.name)
    error, fit = float(rows.std(ddof=1) / np.sqrt(len(rows))), _on_fit(mine, theirs)
    same = None if like is None or like.get("failure") else (like["nll"] - theirs["nll"], _on_fit(like, theirs))
    few = float(rows[np.argsort(-np.abs(rows))[3:]].sum())
    return Pair(one.name, mine["nll"] - theirs["nll"], error, few / len(rows), fit, same)


def _on_fit(mine: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Return the difference on the rows of the fit, nan where one of them was stopped before that."""
    ours, peer = mine.get("fit_nll"), theirs.get("fit_nll")
    return np.nan if ours is None or peer is None else ours - peer


def pairs(cache: Any, sets: Sequence[Set], methods: Sequence[Method]) -> str:
    """Return the section of methods of the same name: how often ours is worse, where, and why."""
    found = {peer: [_pair(cache, one, peer) for one in sets] for peer in methods if peer.of}
    counted = [_counts(peer, several) for peer, several in found.items()]
    head = ("peer", "ours", "sets", "ours better by > 1e-4", "alike", "worse", "median difference", "peer without")
    told = [
        "## Ours of the same name, against the peer",
        "Ours with its defaults less the peer, in NLL on the test rows; each prompt counts as a set. Same names are "
        "not always the same definition: below the table is what is not. \"Peer without\": sets on which ours has a "
        "finite NLL and the peer has none.",
        table(head, counted),
        "### Where ours is worse by more than 1e-4",
        "± is the standard error of the mean of the paired differences. On the rows of the fit: ours less the peer, "
        "and who lies closer to them. But for three rows: without the three test rows that differ most. Where the "
        "definitions differ and ours has the peer's too, the last column is our spec of it less the peer.",
    ]  # fmt: skip
    told += [_exceptions(peer, [p for p in of if isinstance(p, Pair) and p.test > SAME]) for peer, of in found.items()]
    return "\n\n".join(part for part in told if part)


def _counts(peer: Method, several: Sequence[Pair | str]) -> list[str]:
    both = [pair.test for pair in several if isinstance(pair, Pair)]
    without = [pair for pair in several if pair and not isinstance(pair, Pair)]
    better, worse = sum(d < -SAME for d in both), sum(d > SAME for d in both)
    middle = f"{median(both):+.5f}" if both else "–"
    alike = len(both) - better - worse
    return [peer.name, peer.of, *map(str, (len(both), better, alike, worse)), middle, str(len(without))]


def _exceptions(peer: Method, worse: Sequence[Pair]) -> str:
    """Return what explains the sets on which ours is worse, and these sets."""
    if not worse:
        return ""
    like = f"{peer.like} - peer, on the test, on the fit" if peer.like else "same definition"
    head = ("set", "ours - peer", "noise", "but for three rows", "on the rows of the fit", like)
    why = WHY.get(peer.name, "")
    parts = [f"#### {peer.of}, against {peer.name}", why, table(head, [pair.cells for pair in worse])]
    return "\n\n".join(part for part in parts if part)
