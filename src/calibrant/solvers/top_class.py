"""The likeliest class against the rest: its share of each row, and rows with another confidence.

Classes that tie for the top share the row, so that the names of the classes do not matter.
"""

from __future__ import annotations

from typing import Any

from calibrant.formulas import TINY, Ops, normalized


def top_shares(ops: Ops, log_p: Any) -> Any:
    """Return 1 for the likeliest class of each row and 0 for the others (n, k); classes that tie have equal shares."""
    first = ops.where(log_p < ops.largest(log_p), ops.constant(0.0), ops.constant(1.0))
    return first / ops.sum(first)


def with_confidence(ops: Ops, log_p: Any, shares: Any, confidence: Any) -> Any:
    """Return rows whose top class has the ``confidence``, the others the rest in proportion to their scores (n, k).

    ``confidence`` (n, k) is read where ``shares``, of `top_shares`, are positive. Where classes tie, the rows of each
    of them as the only top are averaged.
    """
    p, one, least = ops.exp(log_p), ops.constant(1.0), ops.constant(TINY)
    others = ops.maximum(ops.sum(p * (one - ops.top(log_p))), least)  # (n, 1), 1 - p of any class at the top
    to_others = shares * (one - confidence) / others  # per unit of their score
    return normalized(ops, shares * confidence + p * (ops.sum(to_others) - to_others), p)
