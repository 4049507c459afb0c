"""One net in the place of several: it learns the mean of their logits, on the rows and between them.

Loss: KL(teacher || p). Half of each batch lies between two rows: features and scores are mixed alike, so that the net
learns what the teachers say where no row is, and repeats no label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibrant.calibrators.local_nets.rows import Net, NetRows, Training
from calibrant.torch._package import torch
from calibrant.torch.local_training.chance import batch_size, generator, one_thread, precision, shuffled, tensor
from calibrant.torch.local_training.correcting import Members

Tensor = torch.Tensor

_RATE, _EPOCHS, _MOST_STEPS = 5e-3, 2, 2000
_STREAM = 0x64697374  # keeps these random numbers apart from those of the folds' nets


def distilled(rows: NetRows, nets: Sequence[Net], share: float, training: Training) -> tuple[Net, float]:
    """Return one net of the size of each, and its mean KL divergence from the teachers on the rows, in nats."""
    with one_thread():
        dtype, chance = precision(rows.log_p.size), generator(training.seed ^ _STREAM)
        columns = (rows.inputs, rows.log_p, rows.trust, rows.weights)
        x, log_p, trust, weights = (tensor(one, dtype) for one in columns)
        teachers = _stacked(nets, dtype)
        sizes = x.shape[1], training.hidden, rows.k
        student = Members.started(1, 1, sizes, chance).to(dtype)
        epochs = _epochs(len(x), training.epochs)
        steps = torch.optim.Adam([*student], lr=_RATE)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(steps, epochs)
        for _ in range(epochs):
            for batch in shuffled(len(x), batch_size(len(x)), chance):
                given = _mixed((x[batch], log_p[batch], trust[batch], weights[batch]), chance)
                loss = _divergence(teachers, student, share, *given)
                steps.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                steps.step()
            rate.step()
        with torch.no_grad():
            left = float(_divergence(teachers, student, share, x, log_p, trust, weights))
        return student.net(), left


def _epochs(n: int, epochs: int) -> int:
    """Return twice the epochs of the teachers, unless that takes too many steps."""
    return max(1, min(_EPOCHS * epochs, _MOST_STEPS // -(-n // batch_size(n))))


def _mixed(columns: tuple[Tensor, ...], chance: torch.Generator) -> tuple[Tensor, ...]:
    """Return the rows of a batch and as many between them: a random share of the way to another row."""
    n = len(columns[0])
    other = torch.randperm(n, generator=chance)
    way = torch.rand(n, generator=chance, dtype=torch.float64).to(columns[0].dtype)

    def both(one: Tensor) -> Tensor:
        step = way.reshape(-1, *[1] * (one.ndim - 1))
        return torch.cat([one, one + step * (one[other] - one)])

    return tuple(both(one) for one in columns)


def _divergence(
    teachers: Members, student: Members, share: float, x: Tensor, log_p: Tensor, trust: Tensor, weights: Tensor
) -> Tensor:
    """Return the weighted mean of KL(teacher || student), in nats, times the trust in each row."""
    with torch.no_grad():
        wanted = torch.log_softmax(teachers.logits(x, log_p, share).mean(0), -1)
    found = torch.log_softmax(student.logits(x, log_p)[0], -1)
    each = trust * (wanted.exp() * (wanted - found)).sum(-1)
    return (each * weights).sum() / weights.sum()


def _stacked(nets: Sequence[Net], dtype: torch.dtype) -> Members:
    """Return nets as members."""

    def stack(name: str, *, row: bool = False) -> Tensor:
        found = tensor(np.stack([getattr(net, name) for net in nets]), dtype)
        return found[:, None] if row else found

    return Members(
        stack("hidden_weights"),
        stack("hidden_bias", row=True),
        stack("scale_weights"),
        stack("scale_bias", row=True),
        stack("shift_weights"),
        stack("shift_bias", row=True),
    )
