"""How many threads a kernel may use: its argument, then the environment, then the processors we may run on."""

from __future__ import annotations

import os


def thread_count(threads: int | None) -> int:
    """Return ``threads``, ``CALIBRANT_NUM_THREADS``, ``OMP_NUM_THREADS`` or the usable processors; at least 1."""
    if threads is not None:
        return max(1, threads)
    for name in ("CALIBRANT_NUM_THREADS", "OMP_NUM_THREADS"):
        wish = os.environ.get(name, "").split(",")[0].strip()  # OpenMP allows a list, one number a level
        if wish.isdigit() and int(wish) > 0:
            return int(wish)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
