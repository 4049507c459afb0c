"""Measure size and power of every test on seeded sets, check the sizes, and write docs/theory/tests.md.

    OPENBLAS_NUM_THREADS=1 CALIBRANT_NUM_THREADS=1 python tools/test_sizes.py --cache FILE [--workers 2] [--write]

p-values are kept in the cache file, one line for a test and a hundred sets, so that a run that was cut off goes on;
take a new file after a change to a test. Where a size is claimed, its share of rejections must lie in simultaneous
99.9 % binomial bands over all claimed figures. Exit 1 and say where one does not. The tests of other packages stand
beside as peer_powers.py recorded them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import size_study as study
import size_tables


def main() -> int:
    """Run everything that the cache does not hold; return 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="file of p-values, outside the repository")
    parser.add_argument("--sets", type=int, default=study.SETS, help="null sets in each cell")
    parser.add_argument("--power-sets", type=int, default=study.POWER_SETS, help="sets in each cell of powers")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes; 0 runs nothing and shows what the cache holds"
    )
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    options = parser.parse_args()
    found = study.read(options.cache)
    todo = [
        *study.jobs(study.null_cells(), options.sets, found),
        *study.jobs(study.power_cells(), options.power_sets, found),
    ]
    if options.workers:
        study.run(todo, options.workers, options.cache)
    found = study.read(options.cache)
    sizes = study.gathered(found, study.null_cells(), options.sets)
    if options.write:
        size_tables.write(sizes, study.gathered(found, study.power_cells(), options.power_sets))
    said = study.broken(sizes)
    print("\n".join(said) or "all sizes are in their bands")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
