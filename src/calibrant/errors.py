"""Errors and warnings of calibrant, and the one sentence they are made of.

Every message reads: *argument* must *condition*, got *value* at *where*; then the way out.
"""

from __future__ import annotations

import numbers


class CalibrantError(Exception):
    """Base of every error that calibrant raises on purpose."""


class DataError(CalibrantError, ValueError):
    """The data or a value is not what the argument needs."""


class CapabilityError(CalibrantError, TypeError):
    """A method was asked for something it does not do."""


class UnknownMethod(CalibrantError, LookupError):
    """A spec names a method or an option that is not registered."""


class MissingExtra(CalibrantError, ImportError):
    """An optional package is missing; the message names the extra that brings it."""


class ConvergenceWarning(UserWarning):
    """An iterative fit stopped before its optimum was certified."""


def sentence(argument: str, condition: str, got: object = None, *, where: str = "", way_out: str = "") -> str:
    """Return the one sentence of an error: what must hold, what was found, where, and the way out."""
    text = f"{argument} must {condition}"
    if got is not None:
        text += f", got {got}"
    if where:
        text += f" {where}"
    return f"{text}; {way_out}" if way_out else text


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, of Python or NumPy, and not a truth value."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def require(holds: bool, argument: str, condition: str, got: object = None, *, way_out: str = "") -> None:
    """Raise ``DataError`` with the one sentence unless ``holds``."""
    if not holds:
        raise DataError(sentence(argument, condition, got, way_out=way_out))
