"""The tables of docs/theory/tests.md, from the p-values of size_study.py and the record of peer_powers.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import page_tables
import size_study as study
from numpy.typing import NDArray
from page_tables import markdown
from power_picture import picture
from size_study import Cell

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "theory" / "tests.md"
PEERS = ROOT / "tools" / "peer_powers.json"
LEVEL = 0.05
LOOKS_AT = {
    "spiegelhalter": "the mean Brier score",
    "spiegelhalter(rule='log_loss')": "the mean log loss",
    "spiegelhalter(notion='confidence')": "the mean binary Brier score of the top class",
    "spiegelhalter(rule='log_loss', notion='confidence')": "the mean binary log loss of the top class",
    "hosmer_lemeshow(replicates=99)": "counts by group of confidence and rank of the label",
    "hosmer_lemeshow(outcomes='class', replicates=99)": "counts by group of confidence and class",
    "skce_test(estimator='block')": "residuals of neighbouring rows, by a kernel",
    "skce_test(replicates=99)": "residuals of all pairs of rows, by a kernel",
    "t_cal(replicates=99)": "residuals of rows in a common cube, at every scale",
    "t_cal(notion='confidence', replicates=99)": "the same of the confidence",
    "consistency(replicates=99)": "any measure; here `ece`",
}

Values = Mapping[Cell, NDArray[np.float64]]


def plain(spec: str) -> str:
    """Return the spec without the number of redrawn label vectors."""
    return spec.replace(", replicates=99", "").replace("(replicates=99)", "")


def size_table(values: Values, specs: Sequence[str], rows: Sequence[int]) -> str:
    """Return the sizes in per cent; a star marks one outside its band, brackets one that is not claimed."""
    out = study.outside(values)
    lines = [
        [f"`{plain(spec)}`", str(k), *(_size(Cell(spec, k, n), values, out) for n in rows)]
        for spec in specs
        for k in study.CLASSES
    ]
    sets = max(map(len, values.values()))
    return markdown([f"test, {sets:,} sets", "k", *(f"n = {n:,}" for n in rows)], lines)


def _size(cell: Cell, values: Values, out: Mapping[Cell, Sequence[float]]) -> str:
    if cell not in values:
        return "–"
    shares = [100 * study.rejections(values[cell], level) / len(values[cell]) for level in study.LEVELS]
    marks = ["\\*" * (level in out[cell]) for level in study.LEVELS]
    text = " / ".join(f"{share:.1f}{mark}" for share, mark in zip(shares, marks, strict=True))
    return text if study.claimed(cell) else f"({text})"


def level_words(spec: str) -> str:
    """Return in words from where the level of a test holds."""
    if spec in study.REDRAWN:
        return "redrawn: every n"
    if spec in study.MIXED:
        return "chi-square where counts are large, else redrawn: every n"
    by_rows: dict[int, list[int]] = {}
    for k, n in study.LIMIT[spec].items():
        by_rows.setdefault(n, []).append(k)
    words = [f"{n:,}" + f" (k = {', '.join(map(str, ks))})" * (len(by_rows) > 1) for n, ks in by_rows.items()]
    return "normal limit: from n = " + "; ".join(words)


def overview(powers: Values) -> str:
    """Return what each test looks at, its null, its level and its power, one row a test."""
    head = ["test", "looks at", "its null", "level", *(f"power, k = {k}" for k in study.CLASSES)]
    lines = [
        [
            f"`{plain(spec)}`",
            looks,
            study.test(spec).null,
            level_words(spec),
            *(_power(Cell(spec, k, study.POWER_ROWS, study.POWER_TEMPERATURE), powers) for k in study.CLASSES),
        ]
        for spec, looks in LOOKS_AT.items()
    ]
    return markdown(head, lines, left=4)


def _power(cell: Cell, powers: Values) -> str:
    if cell not in powers:
        return "–"
    return f"{100 * study.rejections(powers[cell], LEVEL) / len(powers[cell]):.0f}"


def peers() -> tuple[str, dict[Cell, tuple[float, ...]]]:
    """Return what is said of other packages, and their shares of rejections at the three levels, in per cent."""
    record = json.loads(PEERS.read_text())
    null, other = (
        {one["sets"] for one in record["found"] if (one["temperature"] == 1) is is_null} for is_null in (True, False)
    )
    found = {
        Cell(one["test"], one["k"], one["n"], one["temperature"]): tuple(100 * c / one["sets"] for c in one["rejected"])
        for one in record["found"]
    }
    versions = " and ".join(f"{name} {record['versions'][name]}" for name in ("scipy", "statsmodels"))
    return f"{versions}; {max(null):,} null sets, {max(other):,} of each alternative", found


def curve_table(powers: Values, others: Mapping[Cell, Sequence[float]], over: str) -> str:
    """Return the power over the temperature or over n, ours and the peers'."""
    t, n = study.POWER_TEMPERATURE, study.POWER_ROWS
    at = [(n, each) for each in study.CURVE_TEMPERATURES] if over == "T" else [(each, t) for each in study.CURVE_ROWS]
    names = [f"T = {temperature}" if over == "T" else f"n = {rows:,}" for rows, temperature in at]
    shown = {cell: f"{shares[study.LEVELS.index(LEVEL)]:.0f}" for cell, shares in others.items()}
    shown |= {cell: _power(cell, powers) for cell in powers}
    lines = []
    for k in study.CURVE_CLASSES:
        for name in (*LOOKS_AT, *dict.fromkeys(cell.spec for cell in others)):
            row = [shown.get(Cell(name, k, rows, temperature), "–") for rows, temperature in at]
            lines += [[_named(name), str(k), *row]] if set(row) != {"–"} else []
    return markdown([f"test, {max(map(len, powers.values())):,} sets of ours", "k", *names], lines)


def _named(test: str) -> str:
    return f"`{plain(test)}`" if test in LOOKS_AT else test


def power_picture(powers: Values, others: Mapping[Cell, Sequence[float]]) -> str:
    """Return the picture of the powers over n."""
    shares = {cell: 100 * study.rejections(p, LEVEL) / len(p) for cell, p in powers.items()}
    shares |= {cell: found[study.LEVELS.index(LEVEL)] for cell, found in others.items()}
    curves: dict[tuple[str, int], dict[int, float]] = {}
    for cell, share in sorted(shares.items(), key=lambda item: item[0].n):
        if cell.temperature == study.POWER_TEMPERATURE and cell.n in study.CURVE_ROWS:
            curves.setdefault((plain(cell.spec), cell.k), {})[cell.n] = share
    return picture(curves, study.CURVE_CLASSES)


def peer_size_table(others: Mapping[Cell, Sequence[float]]) -> str:
    """Return the sizes of the peers' tests in per cent."""
    null = {cell: " / ".join(f"{s:.1f}" for s in shares) for cell, shares in others.items() if cell.temperature == 1}
    rows = sorted({cell.n for cell in null})
    lines = [
        [name, str(k), *(null[Cell(name, k, n)] for n in rows)]
        for name, k in dict.fromkeys((c.spec, c.k) for c in null)
    ]
    return markdown(["test", "k", *(f"n = {n:,}" for n in rows)], lines)


def write(sizes: Values, powers: Values) -> None:
    """Put the tables in their places on the page."""
    told, others = peers()
    figures = len(study.LEVELS) * sum(study.claimed(cell) for cell in sizes)
    tables = {
        "overview": overview(powers),
        "bands": f"The bands, of {figures} claimed figures: {bands(max(map(len, sizes.values())), figures)}.",
        "redrawn sizes": size_table(sizes, [*study.MIXED, *study.REDRAWN], study.REDRAWN_ROWS),
        "limit sizes": size_table(sizes, [*study.LIMIT], study.LIMIT_ROWS),
        "power over T": curve_table(powers, others, "T"),
        "power over n": curve_table(powers, others, "n"),
        "peers": f"Sizes of the peers ({told}):\n\n{peer_size_table(others)}",
    }
    page_tables.write(PAGE, {name: partial(str, text) for name, text in tables.items()}, "")
    PAGE.with_name("power.svg").write_text(power_picture(powers, others))


def bands(sets: int, figures: int) -> str:
    """Return in words which shares are inside their bands."""
    words = []
    for level in study.LEVELS:
        good = [count for count in range(sets + 1) if study.inside(count, sets, level, figures)]
        words.append(f"{100 * good[0] / sets:.2f} to {100 * good[-1] / sets:.2f} % at {100 * level:.0f} %")
    return ", ".join(words)
