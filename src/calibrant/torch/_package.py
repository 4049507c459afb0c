"""The package torch, or one sentence that names the extra which brings it."""

from __future__ import annotations

from calibrant.errors import MissingExtra, sentence

try:
    import torch
except ImportError:
    condition, way_out = "be installed to train local nets and to calibrate modules", "pip install 'calibrant[torch]'"
    raise MissingExtra(sentence("torch", condition, way_out=way_out)) from None

__all__ = ["torch"]
