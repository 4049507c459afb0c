"""Times competing calls side by side: the same inputs, one process, repetitions interleaved (A B C A B C ...)."""

from __future__ import annotations

import gc
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from types import FrameType

# Repetitions by the seconds of the first call; a call slower than all of these is timed by its first call alone.
REPETITIONS = ((1.0, 21), (6.0, 9), (20.0, 3))
_PAUSE = 0.02  # seconds before each timed call, in which idle workers of other libraries stop spinning
_LONGEST_SENTENCE = 160


class TooSlow(BaseException):
    """Raised in a call that exceeds its limit; not an Exception, so that no library swallows it."""


@dataclass(frozen=True, eq=False)
class Case:
    """One way to compute one number. ``make`` imports and converts, untimed, and returns the call that is timed.

    ``make`` runs before every repetition, so that a call finds nothing that an earlier one has computed. ``value``
    turns the result of the call into the number, untimed; None where the call gives several numbers.
    """

    number: str
    who: str
    how: str
    make: Callable[[], Callable[[], object]]
    value: Callable[[object], float] | None = float  # type: ignore[assignment]


@dataclass(eq=False)
class Timing:
    """What became of a case: warm ``seconds`` of each repetition, the value, or the sentence why there is none."""

    case: Case
    seconds: list[float] = field(default_factory=list)
    value: float | None = None
    failure: str = ""
    wanted: int = 0
    first_call: bool = False

    @property
    def median(self) -> float:
        return median(self.seconds)

    def over(self, other: Timing) -> float:
        """Return the ratio of the medians."""
        return self.median / other.median

    def paired(self, other: Timing) -> float:
        """Return the median of the ratios within rounds; of the medians where only the first call was timed."""
        if self.first_call or other.first_call:
            return self.over(other)
        return median(a / b for a, b in zip(self.seconds, other.seconds, strict=False))


def race(cases: Sequence[Case], limit: float, told: Callable[[str], None]) -> list[Timing]:
    """Return the timings of all cases; a case that fails or takes longer than ``limit`` seconds says so."""
    timings = []
    for case in cases:
        timing = _first(case, limit)
        timings.append(timing)
        told(f"  {case.number} · {case.who}, {case.how}: {timing.failure or f'{timing.median:.3g} s at first'}")
    for timing in timings:
        if timing.wanted:
            timing.seconds.clear()
    for turn in range(max((timing.wanted for timing in timings), default=0)):
        for timing in timings:
            if timing.wanted > turn and not timing.failure:
                _repeat(timing, limit)
                if timing.failure and timing.seconds:  # the machine was busy for once: the rounds before it stand
                    timing.wanted, timing.failure = 0, ""
    return timings


def _first(case: Case, limit: float) -> Timing:
    """Run the call once: the value, and how often it can be repeated."""
    timing = Timing(case)
    result = _repeat(timing, limit)
    if timing.failure:
        return timing
    try:
        timing.value = None if case.value is None else float(case.value(result))
    except Exception as error:  # a result that is no valid number, said by whatever reads it
        timing.failure = f"gives no usable result: {sentence(error)}"
        return timing
    timing.wanted = next((count for most, count in REPETITIONS if timing.median < most), 0)
    timing.first_call = not timing.wanted
    return timing


def _repeat(timing: Timing, limit: float) -> object:
    """Add one repetition, made anew so that nothing is kept from the last one; return its result."""
    try:
        with _limited(limit):
            call = timing.case.make()
            gc.collect()
            time.sleep(_PAUSE)
            start = time.perf_counter()
            result = call()
            timing.seconds.append(time.perf_counter() - start)
            return result
    except (Exception, TooSlow) as error:
        timing.failure = sentence(error)
        return None


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the main thread when the time is over, at the next line of Python that runs."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"no result within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def sentence(error: BaseException) -> str:
    """Return the first line of an error, without the folders of this machine."""
    if isinstance(error, ModuleNotFoundError):
        return f"is not installed or misses {error.name}"
    if isinstance(error, TooSlow):
        return str(error)
    told = str(error).strip().splitlines()
    line = re.sub(r"\S*/(?=\S)", "", told[0]) if told else ""
    return f"{type(error).__name__}: {line}"[:_LONGEST_SENTENCE]
