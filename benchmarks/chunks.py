"""A temperature for scores that are larger than memory: passes, peak memory, and time beside reading the file.

    python chunks.py --folder SCORES [--rows 20000] [--classes 128000]

The folder gets logits.npy in half precision (5 GB at the default size) and labels.npy, unless it has them. Peak memory
is `VmHWM` of Linux, of a fresh process that does nothing else. The fit of a tenth of the rows is made from chunks and
in memory, if that takes less than 4 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import calibrant
from calibrant import io

TEMPERATURE = 1.5  # what a correct fit finds
AT_ONCE = 1 << 22  # entries of a batch
PIECE = 1 << 24  # bytes read at a time
MOST_HELD = 1e9  # entries of the fit in memory


def make(folder: Path, n: int, k: int) -> None:
    """Write logits of an over-confident model of tokens, a few frequent ones, and labels drawn from softmax(z / T)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    out = np.lib.format.open_memmap(folder / "logits.npy", "w+", np.float16, (n, k))
    common, labels = 3 * rng.standard_normal(k, dtype=np.float32), np.empty(n, np.int64)
    for row in range(n):
        z = common + 2 * rng.standard_normal(k, dtype=np.float32)
        z[rng.integers(k, size=8)] += rng.gamma(9.0, 2.0)  # what the context suggests
        out[row] = z
        chances = np.cumsum(np.exp((out[row].astype(np.float64) - float(out[row].max())) / TEMPERATURE))
        labels[row] = np.searchsorted(chances, rng.random() * chances[-1])
    out.flush()
    np.save(folder / "labels.npy", labels)


def read(file: Path, *, cached: bool) -> tuple[float, float]:
    """Return the seconds, and those of the processor, that reading a file and nothing else takes."""
    buffer = bytearray(PIECE)
    with file.open("rb", buffering=0) as handle:
        if not cached:
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start, worked = time.perf_counter(), time.process_time()
        while handle.readinto(buffer):
            pass
    return time.perf_counter() - start, time.process_time() - worked


def fit(folder: Path, k: int) -> dict[str, float]:
    """Return what a fit from chunks found and took; for a process of its own."""
    start, worked = time.perf_counter(), time.process_time()
    learnt = calibrant.fit(io.batches(folder, batch_rows=max(1, AT_ONCE // k)), "temperature")
    taken = time.perf_counter() - start, time.process_time() - worked
    with Path("/proc/self/status").open() as status:
        peak = next(float(line.split()[1]) for line in status if line.startswith("VmHWM"))
    passes = 1 + learnt.record.iterations
    return {"temperature": learnt.temperature, "passes": passes, "s": taken[0], "cpu": taken[1], "MB": peak / 1024}


def agreement(folder: Path, n: int, k: int) -> float:
    """Return the relative difference of beta, chunks against memory, on some of the rows."""
    rows = f"0:{min(n // 10, int(MOST_HELD // k))}"
    whole = calibrant.fit(io.read(folder, rows=rows), "temperature").beta
    chunks = calibrant.fit(io.batches(folder, rows=rows, batch_rows=max(1, AT_ONCE // k)), "temperature").beta
    return abs(chunks / whole - 1)


def main() -> None:
    """Make the file, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=128_000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    folder, n, k = chosen.folder, chosen.rows, chosen.classes
    if chosen.child:
        print(json.dumps(fit(folder, k)))
        return
    if not (folder / "labels.npy").exists():
        make(folder, n, k)
    disk, _ = read(folder / "logits.npy", cached=False)
    memory, worked = read(folder / "logits.npy", cached=True)
    command = [sys.executable, __file__, "--child", "--folder", str(folder), "--rows", str(n), "--classes", str(k)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    passes = found["passes"]
    print(f"| {n:,} x {k:,} logits in half precision | load {os.getloadavg()[0]:.1f} |\n|---|---|")
    print(f"| temperature, passes over the file | {found['temperature']:.3f}, {passes} |")
    print(f"| peak memory of the process | {found['MB']:.0f} MB |")
    print(f"| seconds of a pass (of the processor) | {found['s'] / passes:.1f} ({found['cpu'] / passes:.1f}) |")
    reading = f"{disk:.1f}, {memory:.1f} ({worked:.1f})"
    print(f"| seconds of reading, from disk and from memory (of the processor) | {reading} |")
    print(f"| a pass against reading from disk, from memory | {found['s'] / passes / disk:.1f}, "
          f"{found['s'] / passes / memory:.1f} |")  # fmt: skip
    print(f"| beta of a tenth of the rows, chunks against memory | {agreement(folder, n, k):.0e} apart |")


if __name__ == "__main__":
    main()
