"""The operations of formulas on torch tensors, float64; gradients flow wherever the formula has them."""

from __future__ import annotations

from typing import Any

from calibrant.programs import Infix
from calibrant.torch._package import torch

Tensor = torch.Tensor


class TorchPlace(Infix):
    """Torch as a place where a program runs; constants are tensors on the device of the scores."""

    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    maximum = staticmethod(torch.maximum)
    minimum = staticmethod(torch.minimum)
    where = staticmethod(torch.where)
    product = staticmethod(torch.matmul)

    def constant(self, values: Any) -> Tensor:
        """Return a tensor."""
        return torch.as_tensor(values, dtype=torch.float64)

    def sum(self, x: Tensor) -> Tensor:
        """Return the sum of each row (n, 1)."""
        return x.sum(1, keepdim=True)

    def largest(self, x: Tensor) -> Tensor:
        """Return the maximum of each row (n, 1)."""
        return x.amax(1, keepdim=True)

    def descending(self, x: Tensor) -> Tensor:
        """Return each row sorted, the largest first."""
        return x.sort(1, descending=True).values

    def top(self, x: Tensor) -> Tensor:
        """Return, as 1.0 and 0.0, which entry is the first maximum of its row (n, k)."""
        return (torch.arange(x.shape[1], device=x.device) == x.argmax(1, keepdim=True)).double()

    def stacked(self, columns: list[Tensor]) -> Tensor:
        """Return columns side by side."""
        return torch.cat(columns, 1)

    def column(self, x: Tensor, c: int) -> Tensor:
        """Return one column (n, 1)."""
        return x[:, c : c + 1]

    def place(self, x: Tensor, knots: Tensor, *, right: bool) -> Tensor:
        """Return how many knots (k, m) lie below."""
        return torch.searchsorted(knots, x.detach().T.contiguous(), right=right).T

    def pick(self, table: Tensor, place: Tensor) -> Tensor:
        """Return table[c, place[i, c]]."""
        return table[torch.arange(len(table), device=table.device), place]


PLACE: Any = TorchPlace()
