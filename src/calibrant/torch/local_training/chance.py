"""Random numbers of one generator, one thread, and the precision: what makes a training repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.torch._package import torch

Tensor = torch.Tensor

_WIDENED = 1 << 20  # entries (n k) up to which double precision is used, in which rounding decides nothing


def tensor(values: NDArray[Any], dtype: torch.dtype) -> Tensor:
    """Return a copy as a tensor, numbers in the precision and whole numbers as they are."""
    found = torch.tensor(np.ascontiguousarray(values))
    return found.to(dtype) if found.is_floating_point() else found


def generator(seed: int) -> torch.Generator:
    """Return a generator of its own."""
    return torch.Generator().manual_seed(seed)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, whose sums have one order; afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def precision(entries: int) -> torch.dtype:
    """Return float64 for few entries, float32 for many."""
    return torch.float64 if entries <= _WIDENED else torch.float32


def batch_size(n: int) -> int:
    """Return how many of n rows make a batch: a tenth of them, from 16 to 256."""
    return min(max(n // 10, 16), 256)


def shuffled(n: int, batch: int, chance: torch.Generator) -> list[Tensor]:
    """Return the rows 0..n-1 in random order, in batches."""
    order = torch.randperm(n, generator=chance)
    return list(torch.split(order, batch))


def uniform(shape: tuple[int, ...], bound: float, chance: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Return numbers uniform in [-bound, bound]."""
    return (2 * torch.rand(shape, generator=chance, dtype=torch.float64) - 1).mul(bound).to(dtype)


def normal(shape: tuple[int, ...], scale: float, chance: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Return normal numbers of mean 0."""
    return torch.randn(shape, generator=chance, dtype=torch.float64).mul(scale).to(dtype)
