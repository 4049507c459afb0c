"""Record what other packages compute into tests/golden/peers.json: every measure and package on fourteen inputs.

What is run is the call that the table of docs/concepts/other-packages.md prints, so that each is one that exists; with
bins, also with 15 of them. Run it in an environment that holds some of the packages (that of benchmarks/, or one with
MAPIE); what cannot be imported keeps its record. The code of two papers is no package: --sources names a folder with
functions.py (Kull et al. 2019, experiments_neurips, calib/utils) and temperature_scaling.py (Guo et al. 2017), of which
only the functions that are called are read.
Usage: python tools/record_peers.py [--sources FOLDER]
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "tests" / "golden" / "peers.json"
PAGE = ROOT / "docs" / "concepts" / "other-packages.md"
sys.path[0] = str(ROOT / "tests")  # in place of this folder, whose files have names that packages have too

import peer_inputs  # noqa: E402 - found only now

Scope = Callable[[Any, Any], dict[str, Any]]  # from probabilities and labels to the names that a call uses
VERSIONS = {"kull": "experiments_neurips, 2019", "guo": "temperature_scaling, 2018"}
ROW = re.compile(r"^\| `(\w+)\(like='([\w-]+)'\)` \| [^|]+ \| `([^`]+)` \|", re.M)
BINS = re.compile(r"(?<=bins=)\d+|(?<=ce-)\d+")


def printed() -> Iterator[tuple[str, str, int | None, str]]:
    """Yield package, measure, bins (None where it has none) and the call, with its own number of bins and with 15."""
    for measure, package, call in ROW.findall(PAGE.read_text()):
        own = BINS.search(call)
        for bins in dict.fromkeys((int(own[0]), 15)) if own else (None,):
            yield package, measure, bins, BINS.sub(str(bins), call)


def pairs(p: Any, y: Any) -> dict[str, Any]:
    """Return what most calls use; whether the top class is the label as 0 and 1."""
    told = {"probabilities": p, "labels": y, "k": p.shape[1]}
    return {**told, "confidence": p.max(1), "correct": (p.argmax(1) == y).astype(int)}


def tensors(p: Any, y: Any) -> dict[str, Any]:
    """Return the same as torch takes it."""
    torch = importlib.import_module("torch")
    return {"probabilities": torch.as_tensor(p), "labels": torch.as_tensor(y), "k": p.shape[1]}


def torchmetrics(sources: Path | None) -> Scope:
    from torchmetrics.functional.classification import multiclass_calibration_error

    return lambda p, y: {**tensors(p, y), "multiclass_calibration_error": multiclass_calibration_error}


def probmetrics(sources: Path | None) -> Scope:
    from probmetrics.metrics import Metric

    return lambda p, y: {**tensors(p, y), "Metric": Metric}


def module(*names: str) -> Callable[[Path | None], Scope]:
    """Return the scope of a package that is called by its full name."""

    def scope(sources: Path | None) -> Scope:
        loaded = {name: importlib.import_module(name) for name in names}
        return lambda p, y: {**pairs(p, y), names[0]: loaded[names[0]]}

    return scope


def kull(sources: Path | None) -> Scope:
    found = SimpleNamespace(**functions(sources, "functions.py"))
    calib = SimpleNamespace(utils=SimpleNamespace(functions=found))
    return lambda p, y: {**pairs(p, y), "calib": calib}


def guo(sources: Path | None) -> Scope:
    known = functions(sources, "temperature_scaling.py")

    def log(p: Any) -> Any:
        with np.errstate(divide="ignore"):
            return known["torch"].as_tensor(np.log(p.numpy()))

    return lambda p, y: {**tensors(p, y), "log": log, "_ECELoss": known["_ECELoss"]}


def functions(sources: Path | None, name: str) -> dict[str, Any]:
    """Return the functions and classes of a source file, without running its imports."""
    if sources is None or not (sources / name).exists():
        raise ImportError(name)
    tree = ast.parse((sources / name).read_text())
    tree.body = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    known: dict[str, Any] = {"np": np}
    if name == "temperature_scaling.py":
        import torch

        known |= {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    else:
        known["label_binarize"] = importlib.import_module("sklearn.preprocessing").label_binarize
    exec(compile(tree, name, "exec"), known)
    return known


PACKAGES = {
    "torchmetrics": torchmetrics,
    "netcal": module("netcal", "netcal.metrics"),
    "probmetrics": probmetrics,
    "scikit-learn": module("sklearn", "sklearn.metrics"),
    "relplot": module("relplot", "relplot.metrics"),
    "mapie": module("mapie", "mapie.metrics.calibration"),
    "uncertainty-calibration": module("calibration"),
    "kull": kull,
    "guo": guo,
}


def recorded(package: str, scope: Scope) -> Iterator[dict[str, Any]]:
    """Yield what each printed call gives on each input: a value, or the error that it raises."""
    for measure, bins, call in [row[1:] for row in printed() if row[0] == package]:
        for name in peer_inputs.NAMES:
            known = scope(*peer_inputs.make(name))
            record: dict[str, Any] = {"package": package, "measure": measure, "bins": bins, "input": name}
            try:
                value = float(eval(call, known))
            except (AttributeError, NameError):
                raise SystemExit(f"{package} has no such call: {call}") from None
            except Exception as error:  # what a package raises is what we record
                yield {**record, "raises": type(error).__name__}
                continue
            yield {**record, "value": value if math.isfinite(value) else str(value)}


def main() -> int:
    """Record all packages that are here, and keep the records of the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    known = json.loads(TARGET.read_text()) if TARGET.exists() else {"versions": {}, "values": []}
    for package, scope in PACKAGES.items():
        try:
            found = list(recorded(package, scope(options.sources)))
        except ImportError as missing:
            print(f"{package} is kept as recorded: {missing}")
            continue
        known["versions"][package] = VERSIONS.get(package) or metadata.version(package)
        known["values"] = [record for record in known["values"] if record["package"] != package] + found
    known["values"].sort(key=lambda record: (record["package"], record["measure"], record["bins"] or 0))
    lines = ",\n".join(f"    {json.dumps(record)}" for record in known["values"])
    versions = json.dumps(dict(sorted(known["versions"].items())))
    TARGET.write_text(f'{{\n  "versions": {versions},\n  "values": [\n{lines}\n  ]\n}}\n')
    return 0


if __name__ == "__main__":
    sys.exit(main())
