"""Measure calibrant against its peers and against a plain read of the same memory; write RESULTS.md."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import fit_peers
import measure_peers
import measurement
import memory
import ours
import repairs
import startup
import tables
from claims import Races, claims, fastest, find
from harness import Case, Timing, race
from workload import TEMPERATURE, Workload, classifier, pairs

_SMALL = (10_000, 10)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything and write the page."""
    options = _options(arguments)
    warnings.simplefilter("ignore")  # of the peers, about their own dependencies
    load = [os.getloadavg()[0]]
    work = classifier(options.rows, options.classes)
    races = Races(
        _measures(work, options),
        _fits(work, options),
        _stream(options),
        _measurement(work, options),
        _resampled(options),
        _repairs(work, options),
        _every_fit(options),
    )
    mine = memory.extra_megabytes(work, _claimed(races), 3 * options.limit)
    theirs = memory.extra_megabytes(work, _best_peers(races), 3 * options.limit)
    start = startup.seconds(options.starts)
    small = _small(options, races)
    load.append(os.getloadavg()[0])
    told = claims(races, mine, start)
    page = [
        tables.title(work.shape, TEMPERATURE),
        tables.setting(load),
        "## Claims\n\n" + tables.claim_table(told),
        "## Measures\n\n" + tables.timing_table(races.measures, 2),
        "## Fastest right peers\n\n" + tables.summed_peers({n: fastest(races.measures, n) for n in ours.NUMBERS}),
        "## Measurement\n\n" + tables.timing_table(races.measurement, 2),
        "## Fits\n\n" + tables.timing_table(races.fits, 2),
        "## Repairs\n\n" + tables.timing_table(races.repairs, 2),
        f"## Stream of {options.pairs:,} pairs\n\n" + tables.timing_table(races.stream, 1),
        "## Peak memory beyond the input\n\n" + tables.figures(mine | theirs, ("call", "MB"), 1.0),
        "## Start\n\n" + tables.figures(start, ("what", "ms"), 1e3),
        *small,
    ]
    options.output.write_text("\n\n".join(page) + "\n", encoding="utf-8")
    _say(f"wrote {options.output.name}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=1_000)
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--starts", type=int, default=20, help="warm starts a median")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that one call may take")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-small", action="store_true", help="leave out the races at 10,000 x 10")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    return parser.parse_args(arguments)


def _measures(work: Workload, options: argparse.Namespace) -> list[Timing]:
    _say(f"measures, {work.shape[0]:,} x {work.shape[1]:,}")
    peers = [] if options.no_peers else measure_peers.measures(work)
    return race([*ours.bases(work), *ours.measures(work), *peers], options.limit, _say)


def _fits(work: Workload, options: argparse.Namespace) -> list[Timing]:
    _say(f"fits, {work.shape[0]:,} x {work.shape[1]:,}")
    peers = [] if options.no_peers else fit_peers.fits(work)
    return race([*ours.bases(work), *ours.fits(work), *peers], options.limit, _say)


def _stream(options: argparse.Namespace) -> list[Timing]:
    _say(f"stream, {options.pairs:,} pairs")
    stream = pairs(options.pairs)
    peers = [] if options.no_peers else measure_peers.stream(stream)
    return race([*ours.stream(stream), *peers], options.limit, _say)


def _measurement(work: Workload, options: argparse.Namespace) -> list[Timing]:
    _say(f"measurement, {work.shape[0]:,} x {work.shape[1]:,}")
    peers = [] if options.no_peers else measurement.peers(work)
    return race([*ours.bases(work), *measurement.cases(work), *peers], options.limit, _say)


def _resampled(options: argparse.Namespace) -> list[Timing]:
    if options.no_small:
        return []
    work = classifier(*_SMALL)
    _say(f"suites with replicates, {work.shape[0]:,} x {work.shape[1]:,}")
    return race([*ours.bases(work), *measurement.resampled(work)], options.limit, _say)


def _repairs(work: Workload, options: argparse.Namespace) -> list[Timing]:
    _say(f"repairs, {work.shape[0]:,} x {work.shape[1]:,}")
    peers = [] if options.no_peers else repairs.peers(work)
    return race([*ours.bases(work), *repairs.cases(work), *repairs.matrix(work), *peers], options.limit, _say)


def _every_fit(options: argparse.Namespace) -> list[Timing]:
    if options.no_small:
        return []
    work = classifier(*repairs.SMALL)
    _say(f"the fit of every method, {work.shape[0]:,} x {work.shape[1]:,}")
    return race([*ours.bases(work), *repairs.small(work)], options.limit, _say)


def _small(options: argparse.Namespace, races: Races) -> list[str]:
    if options.no_small:
        return []
    work = classifier(*_SMALL)
    heads = [f"## {what}, {_SMALL[0]:,} x {_SMALL[1]:,}\n\n" for what in ("Measures", "Fits", "Suites with replicates")]
    heads.append("## Fit of every method, {:,} x {:,}\n\n".format(*repairs.SMALL))
    timings = _measures(work, options), _fits(work, options), races.resampled, races.every_fit
    return [head + tables.timing_table(t, 2) for head, t in zip(heads, timings, strict=True)]


def _claimed(races: Races) -> list[Case]:
    """Return the cases whose memory we claim."""
    together = [find(races.measures, ours.ALL, how) for how in (ours.FROM_PROBABILITIES, ours.FROM_LOGITS)]
    suite = find(races.measurement, measurement.DEFAULT, measurement.SUITE)
    matrix = find(races.repairs, repairs.MATRIX, repairs.HALF)
    return [t.case for t in (*together, find(races.fits, "temperature", ours.FIT), suite, matrix)]


def _best_peers(races: Races) -> list[Case]:
    """Return the fastest right peer of each number."""
    best = [fastest(races.measures, number) for number in ours.NUMBERS]
    return [t.case for t in (*best, fastest(races.fits, "temperature")) if t is not None]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
