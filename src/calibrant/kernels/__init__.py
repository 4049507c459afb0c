"""Native kernels: arrays in, arrays out, no checks; the callers have validated everything at the door.

``scores`` are (n, k), C-contiguous, float32 or float64, probabilities or ``logits``; ``weights`` (n,) float64 or None.
"""

from calibrant.kernels.class_bins import ClassBins, bin_classes, label_bins
from calibrant.kernels.rows import RowScan, entropy, scan_rows
from calibrant.kernels.values import ValueBins, bin_values

__all__ = ["ClassBins", "RowScan", "ValueBins", "bin_classes", "bin_values", "entropy", "label_bins", "scan_rows"]
