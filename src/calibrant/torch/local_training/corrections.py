"""Cross-fitted correcting nets: one a fold and a weight of the teacher, all trained at once, judged on their own fold.

Loss: the cross-entropy of p to the labels plus lambda times that to the teacher, which is KL(theta || p) up to a
constant; its minimiser is the mean of both, weighted 1 to lambda.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.local_nets.rows import Curves, Net, NetRows, Training
from calibrant.torch._package import torch
from calibrant.torch.local_training.chance import batch_size, generator, one_thread, precision, shuffled, tensor
from calibrant.torch.local_training.correcting import Members, log_mixed

Tensor = torch.Tensor
Floats = NDArray[np.float64]

_RATE, _DECAY = 3e-3, 1e-2
_PATIENCE = 12  # epochs without a smaller held-out loss of any weight
_BLOCK = 1 << 22  # entries (m n k) of one evaluation


class CrossFit(NamedTuple):
    """The nets of the chosen weight of the teacher, what they say of the rows of their own fold, and how it went.

    ``log_scale`` (n,) and ``shift`` (n, k) are out of fold; ``losses`` (a,) are the held-out log losses by weight.
    """

    nets: tuple[Net, ...]
    agreement: float
    log_scale: Floats
    shift: Floats
    losses: Floats
    curves: Curves
    epoch: int
    settled: bool


class _Data(NamedTuple):
    """The rows as tensors; ``lessons`` (f, n, k)."""

    x: Tensor
    log_p: Tensor
    labels: Tensor
    weights: Tensor
    fold: Tensor
    trust: Tensor
    lessons: Tensor

    @classmethod
    def of(cls, rows: NetRows, lessons: NDArray[np.floating]) -> _Data:
        dtype = precision(rows.log_p.size)
        columns = (rows.inputs, rows.log_p, rows.labels, rows.weights, rows.fold, rows.trust, lessons)
        return cls(*(tensor(one, dtype) for one in columns))

    def inside(self, rows: Tensor) -> Tensor:
        """Return the weights (f, b) of some rows in the nets of each fold: none in that of their own."""
        folds = torch.arange(len(self.lessons))[:, None]
        return self.weights[rows] * (self.fold[rows] != folds)

    def predicted(self, members: Members, rows: Tensor) -> Tensor:
        """Return the log-probabilities (m, b, k) of some rows."""
        log_p = self.log_p[rows]
        return log_mixed(members.logits(self.x[rows], log_p), log_p, self.trust[rows])

    def cross_entropy(self, log_p: Tensor, rows: Tensor) -> Tensor:
        """Return minus the expected log-probability (..., b) of the labels of some rows, from (..., b, k)."""
        if self.labels.ndim == 2:
            return -(self.labels[rows] * log_p).sum(-1)
        at = self.labels[rows][:, None].expand(*log_p.shape[:-1], 1)
        return -log_p.gather(-1, at)[..., 0]


def cross_fitted(
    rows: NetRows, lessons: NDArray[np.floating], agreements: Sequence[float], training: Training
) -> CrossFit:
    """Return nets for each fold that never saw it, of the weight with the best held-out log loss.

    ``lessons`` (folds, n, k) are the teacher's probabilities, for the rows outside each fold; ``agreements`` (a,) the
    weights that are tried.
    """
    with one_thread():
        data, chance = _Data.of(rows, lessons), generator(training.seed)
        sizes = rows.inputs.shape[1], training.hidden, rows.k
        members = Members.started(rows.folds, len(agreements), sizes, chance).to(data.x.dtype)
        found = _descended(data, members, torch.tensor(agreements, dtype=data.x.dtype), training.epochs, chance)
        best = int(np.argmin(found.losses))
        mine = found.members.picked(slice(best * rows.folds, (best + 1) * rows.folds))
        log_scale, shift = _out_of_fold(data, mine)
        names = tuple(f"{what} at agreement {a:g}" for what in ("training loss", "held-out loss") for a in agreements)
        return CrossFit(
            nets=tuple(mine.net(fold) for fold in range(rows.folds)),
            agreement=agreements[best],
            log_scale=log_scale,
            shift=shift,
            losses=found.losses,
            curves=Curves(names, found.curves),
            epoch=int(found.epochs[best]),
            settled=len(found.curves) < training.epochs,
        )


class _Descended(NamedTuple):
    """The best members of each weight, their held-out losses and epochs (a,), and all losses by epoch (e, 2 a)."""

    members: Members
    losses: Floats
    epochs: NDArray[np.int64]
    curves: Floats


def _descended(data: _Data, members: Members, agreements: Tensor, epochs: int, chance: torch.Generator) -> _Descended:
    steps = torch.optim.AdamW([*members], lr=_RATE, weight_decay=_DECAY)
    best, losses = members.copied(), _held_out(data, members, len(agreements))
    at, curves, waited = np.zeros(len(agreements), dtype=np.int64), list[Floats](), 0
    for epoch in range(1, epochs + 1):
        told = _epoch(data, members, agreements, steps, chance)
        now = _held_out(data, members, len(agreements))
        curves.append(np.concatenate([told, now]))
        better = now < losses
        losses, at = np.where(better, now, losses), np.where(better, epoch, at)
        _kept(best, members, better)
        waited = 0 if better.any() else waited + 1
        if waited >= _PATIENCE:
            break
    return _Descended(best, losses, at, np.array(curves))


def _epoch(
    data: _Data, members: Members, agreements: Tensor, steps: torch.optim.Optimizer, chance: torch.Generator
) -> Floats:
    """Take one step a batch; return the mean training loss of each weight (a,)."""
    total, mass = torch.zeros(len(agreements), dtype=torch.float64), 0.0
    for rows in shuffled(len(data.x), batch_size(len(data.x)), chance):
        inside = data.inside(rows)  # (f, b)
        log_p = data.predicted(members, rows)  # (a f, b, k)
        log_p = log_p.view(len(agreements), len(inside), *log_p.shape[1:])
        taught = -(data.lessons[:, rows] * log_p).sum(-1)
        weight = agreements[:, None, None]
        loss = (data.cross_entropy(log_p, rows) + weight * taught) / (1 + weight)  # (a, f, b)
        by_member = (loss * inside).sum(-1) / inside.sum(-1).clamp_min(1e-12)  # (a, f)
        steps.zero_grad()
        by_member.sum().backward()  # type: ignore[no-untyped-call]
        steps.step()
        total += by_member.detach().double().mean(1) * len(rows)
        mass += len(rows)
    return np.asarray(total / mass)


@torch.no_grad()
def _held_out(data: _Data, members: Members, agreements: int) -> Floats:
    """Return the log loss (a,) on the rows of each fold by the members that never saw them, over all folds."""
    total, folds = torch.zeros(agreements, dtype=torch.float64), len(data.lessons)
    for fold in range(folds):
        mine = members.picked(slice(fold, None, folds))
        for rows in _blocks(torch.nonzero(data.fold == fold)[:, 0], agreements * data.log_p.shape[1]):
            losses = data.cross_entropy(data.predicted(mine, rows), rows)  # (a, b)
            total += (losses * data.weights[rows]).sum(-1).double()
    return np.asarray(total / data.weights.sum().double())


@torch.no_grad()
def _out_of_fold(data: _Data, members: Members) -> tuple[Floats, Floats]:
    """Return log scales (n,) and shifts (n, k) of the rows of each fold by its member."""
    log_scale, shift = torch.empty(len(data.x), dtype=data.x.dtype), torch.empty_like(data.log_p)
    for fold in range(len(data.lessons)):
        rows = torch.nonzero(data.fold == fold)[:, 0]
        scales, shifts = members.picked(slice(fold, fold + 1)).heads(data.x[rows])
        log_scale[rows], shift[rows] = scales[0, :, 0], shifts[0]
    return np.asarray(log_scale, dtype=np.float64), np.asarray(shift, dtype=np.float64)


@torch.no_grad()
def _kept(best: Members, members: Members, better: NDArray[np.bool_]) -> None:
    """Copy the members of the weights that are better now."""
    folds = len(members.hidden) // len(better)
    which = torch.as_tensor(np.repeat(better, folds))
    for old, new in zip(best, members, strict=True):
        old[which] = new[which]


def _blocks(rows: Tensor, width: int) -> list[Tensor]:
    return list(torch.split(rows, max(1, _BLOCK // width)))
