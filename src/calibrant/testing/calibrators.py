"""Every law of calibrators on every data set of a bank.

A law that does not concern a method (it says so in its declaration) or a batch that the method declines passes. Each
tolerance has its sentence in `tolerances`.
"""

from __future__ import annotations

from collections.abc import Callable

from calibrant.calibrators.base import Calibrator, calibrator
from calibrant.predictions import Predictions
from calibrant.testing import of_declarations, of_fits, of_formulas, of_maps
from calibrant.testing.bank import bank as shipped_bank

Law = Callable[[Calibrator, Predictions], None]

CALIBRATOR_LAWS: dict[str, Law] = {
    name: check
    for file in (of_maps, of_fits, of_declarations, of_formulas)
    for name, check in vars(file).items()
    if name.startswith("check_")
}


def check_calibrator(spec: str | Calibrator, bank: dict[str, Predictions] | None = None) -> None:
    """Check every law on every data set of the bank.

    Raises
    ------
    AssertionError : with the law, the data set and what was found.
    """
    method = calibrator(spec)
    for law, check in CALIBRATOR_LAWS.items():
        for name, predictions in (shipped_bank() if bank is None else bank).items():
            try:
                check(method, predictions)
            except AssertionError as error:
                raise AssertionError(f"{method.entry.name} breaks {law} on {name!r}: {error}") from None
