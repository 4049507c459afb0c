"""Values out of a file as the fields of a dataclass want them."""

from __future__ import annotations

import types
import typing
from typing import Any

import numpy as np


def typed(name: str, value: Any, hint: Any) -> Any:
    """Return the value of a field, lists as tuples and whole numbers as the floats that they stand for.

    Raises
    ------
    ValueError : if it is not of the type of the annotation; an array must have its dtype too.
    """
    if isinstance(value, list):
        value = tuple(value)
    allowed = [typing.get_origin(h) or h for h in _alternatives(hint)]
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, tuple(allowed)) or (isinstance(value, bool) and bool not in allowed):
        raise ValueError(f"{name} has the wrong type")
    if isinstance(value, np.ndarray) and value.dtype not in [_dtype(h) for h in _alternatives(hint)]:
        raise ValueError(f"{name} has the wrong dtype {value.dtype}")
    if isinstance(value, tuple):
        item = next(typing.get_args(h)[0] for h in _alternatives(hint) if typing.get_origin(h) is tuple)
        return tuple(typed(f"an item of {name}", one, item) for one in value)
    return value


def _dtype(hint: Any) -> Any:
    """Return the scalar type of an array annotation, None of any other."""
    parts = typing.get_args(hint)
    return typing.get_args(parts[1])[0] if len(parts) == 2 and typing.get_args(parts[1]) else None


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
