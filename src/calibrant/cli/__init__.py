"""The command line: a command parses, calls one library function, writes.

Data go to stdout, talk goes to stderr. Nothing heavy is imported before a command runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``calibrant`` with these arguments (default: those of the process) and return its exit code."""
    _heed_termination()
    try:  # even the imports of the parser take long enough to be interrupted
        from calibrant.cli.app import app
        from calibrant.cli.failures import exit_code
    except KeyboardInterrupt:
        return 130
    return exit_code(lambda: app(arguments, prog_name="calibrant", standalone_mode=False))


def _heed_termination() -> None:
    """Let a request to terminate interrupt, so that files that are half written go away."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
