"""Every calibrator of calibrant beside those of its peers, on the same rows of real prediction sets; write METHODS.md.

    python methods.py --data FOLDER [--limit 60] [--cache FOLDER] [--no-peers] [--sets NAME …] [--only NAME …]

A cell is one method on one set. It runs in a process of its own, and is kept in the cache as a line of JSON with the
losses of its rows beside it, so that a run that was cut off goes on. A cell that was over a shorter limit, or that
another version of its package computed, is run again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import methods_page
from harness import sentence
from methods_cells import Cache, in_process, too_slow
from methods_peers import OURS, Method, mine, ours, peers
from methods_sets import Set, load, missing

HERE = Path(__file__).parent
_PRELOADED = ("torch", "probmetrics.calibrators", "netcal.binning", "netcal.scaling", "sklearn.calibration",
              "venn_abers", "betacal", "splinecalib", "cir_model", "calibration", "calibrant")  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What every cell of a run shares."""

    cache: Cache
    limit: int
    stamps: dict[str, str]

    def cell(self, one: Set, method: Method) -> None:
        """Compute a cell, unless it is known."""
        known = self.cache.cells.get((one.name, method.name))
        stamp = self.stamps.setdefault(method.who, stamp_of(method.who))
        if known and known["stamp"] == stamp and not 0 < known.get("over", 0) < self.limit:
            return
        head = {"set": one.name, "method": method.name, "size": one.size, "stamp": stamp}
        instead = self.cache.over(method.name, stamp, one, self.limit)
        told, rows = too_slow(self.limit, instead) if instead else in_process(method, one, self.limit)
        self.cache.put(head | told, rows)
        _say(f"{one.name} · {method.name}: " + (told.get("failure") or f"{told['nll']:.5f}, {told['s']:.2f} s"))


def stamp_of(package: str) -> str:
    """Return the version of a package; of ours also what its files hold, for it changes under one version."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
    if package != OURS:
        return version
    held, found = hashlib.sha256(), util.find_spec(OURS)
    assert found is not None
    assert found.origin is not None
    for file in sorted(Path(found.origin).parent.rglob("*.[ps][yo]")):
        held.update(file.read_bytes())
    return f"{version} {held.hexdigest()[:12]}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every cell and write the page."""
    options = _options(arguments)
    run = Run(Cache(options.cache), options.limit, {})
    sets = [one for one in load(options.data) if not options.sets or one.table in options.sets]
    theirs = [] if options.no_peers else peers()
    shown = [*ours(), *theirs]
    if not options.no_run:
        _preload([] if options.no_peers else _PRELOADED)
        likes = [mine(spec) for spec in dict.fromkeys(method.like for method in theirs if method.like)]
        wanted = [method for method in (*shown, *likes) if not options.only or method.how in options.only]
        for one in sets:
            for method in wanted:
                run.cell(one, method)
    options.output.write_text(
        methods_page.page(run.cache, sets, shown, options.limit, missing(options.data)), encoding="utf-8"
    )
    _say(f"wrote {options.output.name}")


def _preload(modules: Sequence[str]) -> None:
    """Import once what every process of a cell would import; a package that is not there is a cell's sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            try:
                __import__(module)
            except ImportError as error:
                _say(sentence(error))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prediction sets")
    parser.add_argument("--limit", type=int, default=60, help="processor seconds of a cell")
    parser.add_argument("--cache", type=Path, default=HERE / ".venv" / "methods")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-run", action="store_true", help="write the page of what is in the cache")
    parser.add_argument("--sets", nargs="*", default=[], help="tables to fill, all by default")
    parser.add_argument("--only", nargs="*", default=[], help="methods to run, all by default")
    parser.add_argument("--output", type=Path, default=HERE / "METHODS.md")
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
