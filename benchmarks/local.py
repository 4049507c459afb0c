"""What local calibration costs: exact and approximate neighbours, local measures, and a local net; writes LOCAL.md.

    python local.py [--output LOCAL.md] [--only WORD]

Every figure comes from a fresh process, which makes the same call on a toy batch first: seconds by the clock, processor
seconds, and peak memory beyond what was loaded (`VmHWM` of Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import calibrant
from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.neighbourhood import Neighbourhood

D, K = 128, 100
BANDWIDTH = 6.0  # of standardised features: near the choice by log loss at 50,000 rows, where that is asked for
TOY, NET_ROWS, AGAIN = 400, 10_000, 7
EXACT, APPROXIMATE, MOST = (5_000, 10_000, 20_000, 50_000), (50_000, 200_000), 50_000
NEIGHBOURS, CHECKED = 32, 500


@dataclass(frozen=True)
class Figure:
    """One figure: its name, rows, what is made untimed and what is timed, and the bound in seconds, MB or times."""

    name: str
    n: int
    call: Callable[[Predictions], Callable[[], Any]]
    seconds: float = np.inf
    megabytes: float = np.inf


def rows(n: int) -> Predictions:
    """Return predictions of K classes whose features lie around the classes' centres, over-confident by region."""
    rng = np.random.default_rng(n)
    centres, labels = rng.normal(size=(K, D)), rng.integers(0, K, n)
    features = (0.6 * centres[labels] + rng.normal(size=(n, D))).astype(np.float32)
    logits = (features @ centres.T / 8).astype(np.float32) * (1 + 0.5 * np.tanh(features[:, :1]))
    return Predictions.from_logits(logits, labels, features=features)


def exact(batch: Predictions) -> Callable[[], Any]:
    """Return the class frequencies around every row, itself left out."""
    near = Neighbourhood.fit(batch, dimensions=D, bandwidth=BANDWIDTH)
    return near.leave_one_out


def approximate(batch: Predictions) -> Neighbourhood:
    """Return the same by the nearest rows alone."""
    return Neighbourhood.fit(batch, dimensions=D, bandwidth=BANDWIDTH, backend="faiss", neighbours=NEIGHBOURS)


def index(batch: Predictions) -> Callable[[], Any]:
    """Return the building of the index."""
    near = approximate(batch)
    return lambda: near.nearest(NEIGHBOURS, batch.features[:1])


def queries(batch: Predictions) -> Callable[[], Any]:
    """Return the frequencies from an index that stands."""
    near = approximate(batch)
    near.nearest(NEIGHBOURS, batch.features[:1])
    return near.leave_one_out


def measured(spec: str) -> Callable[[Predictions], Callable[[], Any]]:
    """Return a measure as it is, its choice of a bandwidth included."""
    return lambda batch: lambda: measure(spec)(batch)


def trained(batch: Predictions) -> Callable[[], Any]:
    """Return the fit of a local net."""
    return lambda: calibrant.fit(batch, "local_net")


FIGURES = (
    *(Figure("leave-one-out frequencies, exact", n, exact, *((25.0, 1536.0) if n == MOST else ())) for n in EXACT),
    Figure("lce", MOST, measured("lce"), 90.0, 1536.0),
    Figure("lce(excess=True)", MOST, measured("lce(excess=True)")),
    *(Figure("index", n, index) for n in APPROXIMATE),
    *(Figure("leave-one-out frequencies, approximate", n, queries, 3.0 if n == MOST else np.inf) for n in APPROXIMATE),
    Figure("local_net, fit", NET_ROWS, trained, 120.0),
)


def child(number: int) -> None:
    """Print what one figure took, in a process of its own."""
    figure = FIGURES[number]
    figure.call(rows(TOY))()
    call = figure.call(rows(figure.n))
    loaded, start, worked = status("VmRSS"), time.perf_counter(), time.process_time()
    result = call()
    took = {"seconds": time.perf_counter() - start, "processor": time.process_time() - worked}
    sys.stdout.write(f"\n{json.dumps({**took, 'megabytes': max(status('VmHWM') - loaded, 0.0)})}\n")
    del result


def status(name: str) -> float:
    """Return a figure of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def of_child(number: int) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", __file__, "--child", str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def line(figure: Figure, found: dict[str, float]) -> str:
    """Return a row of the table, with the verdict where there is a bound."""
    bounds = [f"{figure.seconds:g} s"] if np.isfinite(figure.seconds) else []
    bounds += [f"{figure.megabytes:g} MB"] if np.isfinite(figure.megabytes) else []
    held = found["seconds"] <= figure.seconds and found["megabytes"] <= figure.megabytes
    verdict = f"{', '.join(bounds)}: {'holds' if held else 'MISSED'}" if bounds else ""
    took = f"{found['seconds']:.2f} | {found['processor']:.2f} | {found['megabytes']:.0f}"
    return f"| `{figure.name}` | {figure.n:,} | {took} | {verdict} |"


def what_is_lost() -> str:
    """Return in a sentence how far approximate frequencies are from exact ones."""
    batch = rows(MOST)
    near, some = approximate(batch), batch.features[:CHECKED]
    guessed = near.frequencies(some)
    right = Neighbourhood.fit(batch, dimensions=D, bandwidth=BANDWIDTH).frequencies(some)
    apart = 0.5 * np.abs(guessed.frequencies - right.frequencies).sum(1).mean()
    return (
        f"Approximate frequencies of {CHECKED} rows, {NEIGHBOURS} neighbours, at {MOST:,} rows: {apart:.3f} of total "
        f"variation from the exact ones on average, {guessed.missed.mean():.0%} of the mass missed by their own "
        f"estimate; median effective size {np.median(right.effective_size):.0f}."
    )


def applied() -> str:
    """Return in a sentence what a map costs beside vector scaling on the same rows."""
    batch = rows(NET_ROWS)
    maps = {"vector": calibrant.fit(batch, "vector"), "local_net": calibrant.fit(batch, "local_net(epochs=3)")}
    took: dict[str, list[float]] = {name: [] for name in maps}
    for _ in range(AGAIN):
        for name, learnt in maps.items():
            start = time.perf_counter()
            learnt(batch).probabilities  # noqa: B018
            took[name].append(time.perf_counter() - start)
    times = median(took["local_net"]) / median(took["vector"])
    local = "" if maps["local_net"].local else " (the net kept the global map: no figure)"
    return (
        f"Mapping {NET_ROWS:,} rows to probabilities: `local_net` {median(took['local_net']):.3f} s, `vector` "
        f"{median(took['vector']):.3f} s, {times:.1f} times (10: {'holds' if times <= 10 else 'MISSED'}){local}."
    )


def page(found: list[tuple[Figure, dict[str, float]]], sentences: list[str]) -> str:
    """Return the page."""
    heads = [
        "# What local calibration costs",
        f"Rows with {D} standardised float32 features and {K} classes, {os.cpu_count()} processors. A fresh process a "
        "figure, after the same call on a toy batch; memory beyond the loaded input. By `make -C benchmarks local`.",
    ]
    table = ["| what | rows | seconds | processor seconds | MB | bound |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    return "\n\n".join([*heads, "\n".join([*table, *(line(*one) for one in found)]), *sentences]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("LOCAL.md"))
    parser.add_argument("--only", default="", help="figures whose name has this word, shown and not written")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        return child(options.child)
    found = []
    for number, figure in enumerate(FIGURES):
        if options.only in figure.name:
            found.append((figure, of_child(number)))
            sys.stderr.write(line(*found[-1]) + "\n")
    if not options.only:
        options.output.write_text(page(found, [what_is_lost(), applied()]))
    return None


if __name__ == "__main__":
    main()
