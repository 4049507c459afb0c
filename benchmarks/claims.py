"""What is claimed about speed, memory and start, and whether this run bears it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import measurement
import ours
import repairs
from harness import Timing

AS_RIGHT = 1e-3  # of the value: within it a peer has computed the same number, up to float32 sums and closed ends
_MEMORY_MB = 50.0
_SUITE_MEMORY_MB = 100.0
_OF_CONFIDENCE_SECONDS = 0.2  # beyond the row summary
_TWICE = 2.2  # times the seconds for twice the work, if they are linear in it
_IMPORT_SECONDS = 0.2
_HELP_SECONDS = 0.5


@dataclass(frozen=True)
class Claim:
    """One claim in words, its bound, the figures that this run measured, and whether all of them keep it."""

    words: str
    bound: str
    measured: str
    holds: bool | None  # None where the run could not measure it


@dataclass(frozen=True)
class Races:
    """The timings of one run, by race."""

    measures: Sequence[Timing]
    fits: Sequence[Timing]
    stream: Sequence[Timing]
    measurement: Sequence[Timing]
    resampled: Sequence[Timing] = ()
    repairs: Sequence[Timing] = ()
    every_fit: Sequence[Timing] = ()


def find(timings: Sequence[Timing], number: str, how: str) -> Timing:
    """Return our timing of a number computed in one way, or a yardstick."""
    return next(t for t in timings if t.case.number == number and t.case.how == how)


def largest(timings: Sequence[Timing]) -> Timing:
    """Return the yardstick of the largest probability of each row."""
    return find(timings, "yardstick", "P.max(axis=1)")


def own(timings: Sequence[Timing], number: str) -> Timing:
    """Return our first timing of a number."""
    return next(t for t in timings if t.case.number == number and t.case.who == ours.WHO)


def is_right(timing: Timing, reference: Timing) -> bool:
    """Return whether a peer has computed our number."""
    if timing.value is None or reference.value is None:
        return False
    return abs(timing.value - reference.value) <= AS_RIGHT * abs(reference.value)


def fastest(timings: Sequence[Timing], number: str) -> Timing | None:
    """Return the fastest peer that has computed our number, or None."""
    reference = own(timings, number)
    peers = [t for t in timings if t.case.number == number and t.case.who != ours.WHO and not t.failure]
    return min((t for t in peers if is_right(t, reference)), key=lambda t: t.median, default=None)


def claims(races: Races, memory: Mapping[str, float | None], start: Mapping[str, float]) -> list[Claim]:
    """Return every claim with what was measured."""
    return [
        *_reading(races),
        *_peers(races),
        *_measurement(races.measurement),
        *_resampled(races.resampled),
        *_repairs(races.repairs),
        *_every_fit(races.every_fit),
        *[_under(f"memory beyond the input: {name}", mb, _megabytes(name), "MB") for name, mb in memory.items()],
        _under("`import calibrant`, median of warm starts", start.get("import calibrant"), _IMPORT_SECONDS, "s"),
        _under("`calibrant --help`, whole process", start.get("calibrant --help"), _HELP_SECONDS, "s"),
    ]


def _reading(races: Races) -> list[Claim]:
    m, f, s = races.measures, races.fits, races.stream
    words = "seven numbers together, {} x `P.max(axis=1)`"
    return [
        _at_most(words.format("probabilities with their checks,"), m, ours.ALL, ours.FROM_PROBABILITIES, 1.5),
        _at_most(words.format("checked probabilities, nothing computed,"), m, ours.ALL, ours.COLD_PROBABILITIES, 1.5),
        _at_most(words.format("logits with their checks,"), m, ours.ALL, ours.FROM_LOGITS, 2.0),
        _at_most(words.format("checked logits, nothing computed,"), m, ours.ALL, ours.COLD_LOGITS, 2.0),
        _at_most("temperature fit to the optimum, x `P.max(axis=1)`", f, "temperature", ours.FIT, 3.0),
        _at_most("ECE of a stream of pairs, x summing both arrays", s, ours.STREAM, ours.CHUNKS, 10.0),
    ]


def _peers(races: Races) -> list[Claim]:
    together = find(races.measures, ours.ALL, ours.FROM_PROBABILITIES)
    best = [fastest(races.measures, number) for number in ours.NUMBERS]
    seconds = sum(t.median for t in best if t is not None)
    lacking = [number for number, t in zip(ours.NUMBERS, best, strict=True) if t is None]
    words = "seven numbers together, faster than the fastest peers' times summed"
    all_seven = Claim(words, "at least 5 x", "no right peer for " + ", ".join(lacking), None)
    if not lacking and not together.failure:
        ratio = seconds / together.median
        all_seven = Claim(words, "at least 5 x", f"{ratio:.0f} x", ratio >= 5)
    return [
        all_seven,
        _faster("class-wise ECE, faster than the fastest right peer", races.measures, "class-wise ECE"),
        _faster("temperature fit, faster than the fastest right peer", races.fits, "temperature"),
    ]


def _measurement(timings: Sequence[Timing]) -> list[Claim]:
    suite = "default suite without class-wise equal mass, checks included, x `P.max(axis=1)`"
    return [
        _at_most(suite, timings, measurement.DEFAULT, measurement.SUITE, 4.0),
        *_equal_mass(timings),
        *[
            _under(
                f"{name} of the confidence, beyond the row summary",
                _seconds(timings, name),
                _OF_CONFIDENCE_SECONDS,
                "s",
            )
            for name in measurement.OF_CONFIDENCE
        ],
        _linear("SKCE in blocks is linear in the rows: twice as many", timings, measurement.HALF_ROWS),
        _linear("SKCE in blocks is linear in the classes: twice as many", timings, measurement.HALF_CLASSES),
    ]


def _equal_mass(timings: Sequence[Timing]) -> list[Claim]:
    """Return the claims against numpy by hand, and against every package whatever number it gives."""
    words, bound = f"{measurement.ACE}, faster than ", 4.0
    packages = [t for t in timings if t.case.number == measurement.ACE and t.case.who not in (ours.WHO, "numpy")]
    quickest = min((t for t in packages if not t.failure), key=lambda t: t.median, default=None)
    by_hand = [t for t in timings if t.case.number == measurement.ACE and t.case.who == "numpy" and not t.failure]
    mine = own(timings, measurement.ACE)
    return [
        _times_faster(
            words + "numpy's sort and cumulative sums by class", mine, by_hand[0] if by_hand else None, bound
        ),
        _times_faster(words + "every peer", mine, quickest, bound),
    ]


def _resampled(timings: Sequence[Timing]) -> list[Claim]:
    found = {t.case.number: None if t.failure else t.median for t in timings}
    words = "{} suite with {} replicates at 10,000 x 10"
    return [
        _under(words.format(name, measurement.REPLICATES), found.get(f"{name} suite"), bound, "s")
        for name, bound in measurement.RESAMPLED.items()
    ]


def _repairs(timings: Sequence[Timing]) -> list[Claim]:
    if not timings:
        return []
    fits = [(spec, repairs.FIT, bound) for spec, bound in repairs.FIT_SECONDS.items()]
    fits.append((repairs.MATRIX, repairs.HALF, repairs.MATRIX_SECONDS))
    return [
        *[_under(f"{spec}: {how}", _median(find(timings, spec, how)), bound, "s") for spec, how, bound in fits],
        *[
            _at_most(f"{spec}: {repairs.APPLY}, x `P.max(axis=1)`", timings, spec, repairs.APPLY, bound)
            for spec, bound in repairs.APPLY_READS.items()
        ],
    ]


def _every_fit(timings: Sequence[Timing]) -> list[Claim]:
    """Return one claim for each bound: the slowest fit that has it."""
    by_bound: dict[float, list[Timing]] = {}
    for timing in timings:
        if timing.case.how == repairs.FIT and not timing.failure:
            by_bound.setdefault(repairs.small_bound(timing.case.number), []).append(timing)
    slowest = {bound: max(several, key=lambda t: t.median) for bound, several in by_bound.items()}
    words = "fit at {:,} x {:,}, the slowest of {}: {}"
    return [
        _under(words.format(*repairs.SMALL, len(by_bound[bound]), t.case.number), t.median, bound, "s")
        for bound, t in slowest.items()
    ]


def _median(timing: Timing) -> float | None:
    return None if timing.failure else timing.median


def _megabytes(name: str) -> float:
    if name.startswith(f"{repairs.MATRIX}:"):
        return repairs.MATRIX_MB
    return _SUITE_MEMORY_MB if name.startswith(measurement.DEFAULT) else _MEMORY_MB


def _seconds(timings: Sequence[Timing], number: str) -> float | None:
    mine = own(timings, number)
    return None if mine.failure else mine.median


def _linear(words: str, timings: Sequence[Timing], part: str) -> Claim:
    whole, half = (find(timings, measurement.SKCE, how) for how in (measurement.ALL, part))
    limit = f"at most {_TWICE:g} x the time"
    if whole.failure or half.failure:
        return Claim(words, limit, whole.failure or half.failure, None)
    ratio = whole.over(half)
    return Claim(words, limit, f"{ratio:.2f} x", ratio <= _TWICE)


def _at_most(words: str, timings: Sequence[Timing], number: str, how: str, bound: float) -> Claim:
    timing, base = find(timings, number, how), timings[0]
    limit = f"at most {bound:g}"
    if timing.failure:
        return Claim(words, limit, timing.failure, None)
    of_medians, paired = timing.over(base), timing.paired(base)
    return Claim(words, limit, f"{of_medians:.2f} (paired {paired:.2f})", max(of_medians, paired) <= bound)


def _faster(words: str, timings: Sequence[Timing], number: str) -> Claim:
    return _times_faster(words, own(timings, number), fastest(timings, number), 50.0)


def _times_faster(words: str, mine: Timing, peer: Timing | None, bound: float) -> Claim:
    limit = f"at least {bound:g} x"
    if peer is None or mine.failure:
        return Claim(words, limit, mine.failure or "no peer gave it", None)
    ratio = peer.over(mine)
    return Claim(words, limit, f"{ratio:.0f} x ({peer.case.who})", ratio >= bound)


def _under(words: str, measured: float | None, bound: float, unit: str) -> Claim:
    limit = f"under {bound:g} {unit}"
    if measured is None:
        return Claim(words, limit, "not measured", None)
    return Claim(words, limit, f"{measured:.3g} {unit}", measured < bound)
