"""The report: measure, repair, and show both on one page that needs nothing but a browser."""

from calibrant.reporting.build import report
from calibrant.reporting.record import Closer, Files, Pictures, Report, Settings

__all__ = ["Closer", "Files", "Pictures", "Report", "Settings", "report"]
