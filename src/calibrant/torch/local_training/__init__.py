"""Training of local nets: arrays in (`calibrators.local_nets.rows`), arrays out; torch in between alone.

A result depends on the seed and on nothing else: all random numbers come from one generator, and one thread computes.
"""

from calibrant.torch.local_training.corrections import cross_fitted
from calibrant.torch.local_training.distilling import distilled
from calibrant.torch.local_training.similarity import trained

__all__ = ["cross_fitted", "distilled", "trained"]
