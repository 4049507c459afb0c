"""A neighbourhood as JSON values and plain arrays, for the one file of a map that holds it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from calibrant.neighbourhood.neighbourhood import Neighbourhood
from calibrant.neighbourhood.space import Space

_VALUES = ("kernel", "bandwidth", "k", "share", "backend", "neighbours", "block_bytes")
_ARRAYS = ("rows", "labels", "weights", "curve")
_OF_SPACE = ("mean", "projection", "variances")


def packed(neighbourhood: Neighbourhood) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return all that there is as JSON values and as arrays, by name; `unpacked` takes them back."""
    values = {name: getattr(neighbourhood, name) for name in _VALUES} | {"total": neighbourhood.space.total}
    arrays = {name: getattr(neighbourhood, name) for name in _ARRAYS}
    return values, arrays | {name: getattr(neighbourhood.space, name) for name in _OF_SPACE}


def unpacked(values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Neighbourhood:
    """Return the neighbourhood of what `packed` gave.

    Raises
    ------
    ValueError : for names, shapes, kinds or values that do not make one.
    """
    wanted = {*_VALUES, "total"}, {*_ARRAYS, *_OF_SPACE}
    if (set(values), set(arrays)) != wanted:
        raise ValueError(f"fields {sorted((set(values) ^ wanted[0]) | (set(arrays) ^ wanted[1]))} do not fit")
    space = Space(total=float(values["total"]), **{name: arrays[name] for name in _OF_SPACE})
    known = {name: values[name] for name in _VALUES} | {name: arrays[name] for name in _ARRAYS}
    return Neighbourhood(space=space, **known)
