"""The package onnx, or one sentence that names the extra which brings it."""

from __future__ import annotations

from calibrant.errors import MissingExtra, sentence

try:
    import onnx
except ImportError:
    condition, way_out = "be installed to write ONNX graphs", "pip install 'calibrant[onnx]'"
    raise MissingExtra(sentence("onnx", condition, way_out=way_out)) from None

__all__ = ["onnx"]
