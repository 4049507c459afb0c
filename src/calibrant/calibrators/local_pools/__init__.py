"""The pools of a global map with the class frequencies around a row: what each computes, and how it is fitted."""

from calibrant.calibrators.local_pools.kinds import KINDS, Around, Kind, Support

__all__ = ["KINDS", "Around", "Kind", "Support"]
