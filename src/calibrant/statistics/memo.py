"""What has been computed once is kept under a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


def kept(memo: dict[Hashable, Any], key: Hashable, make: Callable[[], T]) -> T:
    """Return what the memo holds under the key, made where it is missing."""
    if key not in memo:
        memo[key] = make()
    value: T = memo[key]
    return value
