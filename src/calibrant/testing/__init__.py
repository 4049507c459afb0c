"""The contracts, shipped: every law that the library's own methods are held to, for anyone's methods.

    from calibrant.testing import check_calibrator
    check_calibrator(MyCalibrator())

``CALIBRATOR_LAWS`` holds the laws by name, each a function of a calibrator and a batch; ``bank()`` the batches by name.
No test framework is needed: a broken law is an ``AssertionError`` with a sentence.
"""

from calibrant.testing.bank import bank
from calibrant.testing.calibrators import CALIBRATOR_LAWS, check_calibrator

__all__ = ["CALIBRATOR_LAWS", "bank", "check_calibrator"]
