"""What other packages compute under the names of our measures: ``ece(like="netcal")`` gives netcal's own number.

One file a package, each with the records of its measures; nothing is imported from the packages themselves. The
numbers are compared with recorded output of the packages on fourteen inputs.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from calibrant import registry
from calibrant.errors import UnknownMethod
from calibrant.metrics.peers.base import PeerDefinition, PeerMeasure

__all__ = ["PeerDefinition", "PeerMeasure", "definitions", "measure_like", "variant"]

# Names under which people know a package beside its own.
_ALIASES = {"sklearn": "scikit-learn", "verified-calibration": "uncertainty-calibration", "gpleiss": "guo"}


@cache
def definitions() -> tuple[PeerDefinition, ...]:
    """Return what is known of all packages, by measure and package."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    found = [record for module in modules for record in getattr(module, "DEFINITIONS", ())]
    return tuple(sorted(found, key=lambda record: (record.measure, record.package)))


def measure_like(measure: str, package: str, *, bins: int | None = None) -> PeerMeasure:
    """Return the measure that computes what ``package`` computes under our name ``measure``.

    ``bins`` is the number of bins, by default the package's own; ``UnknownMethod`` with a suggestion for a package that
    does not compute it.
    """
    name = str(package).lower().replace("_", "-")
    known = {record.package: record for record in definitions() if record.measure == measure}
    found = known.get(_ALIASES.get(name, name))
    if found is None:
        raise registry.unknown(f"package for {measure}", str(package), list(known))
    return PeerMeasure(definition=found, bins=bins)


def variant(measure: str, options: dict[str, Any]) -> PeerMeasure:
    """Return the measure of the options of a spec with ``like``; no other than ``bins`` may stand beside it."""
    others = [name for name in options if name not in ("like", "bins")]
    if others:
        raise UnknownMethod(
            f"{measure}(like={options['like']!r}) takes no other option than bins, got {', '.join(others)}; "
            "the choices are those of the package"
        )
    return measure_like(measure, options["like"], bins=options.get("bins"))
