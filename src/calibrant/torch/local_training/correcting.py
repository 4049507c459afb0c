"""Nets that correct a global map: softmax(exp(s(x)) L + r(x)), mixed with it where rows are not trusted, many at once.

Members (m, ...) are trained side by side, one product of stacked matrices for all of them. Heads start at zero, so that
every member starts at the global map.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.calibrators.local_nets.rows import Net
from calibrant.torch._package import torch
from calibrant.torch.local_training.chance import normal

Tensor = torch.Tensor

WIDEST = 3.0  # of the log scale: it stays between a twentieth and twenty


def log_mixed(logits: Tensor, log_p: Tensor, trust: Tensor) -> Tensor:
    """Return the log-probabilities (m, b, k) of corrected logits, mixed with the global ones (b, k) by trust (b,)."""
    p = log_p.exp()
    mixed = p + trust[:, None] * (torch.softmax(logits, -1) - p)
    return mixed.clamp_min(torch.finfo(mixed.dtype).tiny).log()


class Members(NamedTuple):
    """Stacked parameters: hidden (m, q, h) with bias (m, 1, h), scale (m, h, 1), shift (m, h, k), their biases."""

    hidden: Tensor
    hidden_bias: Tensor
    scale: Tensor
    scale_bias: Tensor
    shift: Tensor
    shift_bias: Tensor

    @classmethod
    def started(cls, count: int, repeats: int, sizes: tuple[int, int, int], chance: torch.Generator) -> Members:
        """Return ``repeats`` times the same ``count`` members, of sizes (q, h, k), float64, at the global map."""
        q, h, k = sizes
        hidden = normal((count, q, h), np.sqrt(2 / q), chance, torch.float64).repeat(repeats, 1, 1)
        m = count * repeats
        zeros = ((m, 1, h), (m, h, 1), (m, 1, 1), (m, h, k), (m, 1, k))
        return cls(hidden, *(torch.zeros(shape, dtype=torch.float64) for shape in zeros))

    def to(self, dtype: torch.dtype) -> Members:
        """Return parameters to train, in a precision."""
        return Members(*(one.to(dtype).requires_grad_() for one in self))

    def picked(self, which: Tensor | slice) -> Members:
        """Return some members."""
        return Members(*(one[which] for one in self))

    def copied(self) -> Members:
        """Return a copy that training does not change."""
        return Members(*(one.detach().clone() for one in self))

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return log scales (m, b, 1) and shifts (m, b, k) of inputs (b, q)."""
        h = torch.relu(torch.matmul(x, self.hidden) + self.hidden_bias)
        raw = torch.baddbmm(self.scale_bias, h, self.scale)
        return WIDEST * torch.tanh(raw / WIDEST), torch.baddbmm(self.shift_bias, h, self.shift)

    def logits(self, x: Tensor, log_p: Tensor, share: float = 1.0) -> Tensor:
        """Return the corrected logits (m, b, k) of log-probabilities (b, k); ``share`` of the correction is made."""
        scale, shift = self.heads(x)
        return torch.exp(share * scale) * log_p + share * shift

    def net(self, member: int = 0) -> Net:
        """Return one member as arrays."""
        one = [np.asarray(part[member].detach(), dtype=np.float64) for part in self]
        return Net(
            hidden_weights=one[0],
            hidden_bias=one[1][0],
            scale_weights=one[2],
            scale_bias=one[3][0],
            shift_weights=one[4],
            shift_bias=one[5][0],
            slopes=np.ones(one[5].shape[1]),
        )
