"""Record what other packages compute into tests/golden/peers.json: every measure and package on twelve inputs.

Run it in an environment that holds some of the packages (that of benchmarks/, or one with MAPIE); what cannot be
imported keeps its record. The code of two papers is no package: --sources names a folder with functions.py (Kull et
al. 2019, experiments_neurips, calib/utils) and temperature_scaling.py (Guo et al. 2017), of which only the functions
that are called are read.
Usage: python tools/record_peers.py [--sources FOLDER]
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "tests" / "golden" / "peers.json"
sys.path.insert(0, str(ROOT / "tests"))

import peer_inputs  # noqa: E402 - found only now

Call = Callable[[Any, Any, int | None], Any]
Calls = dict[tuple[str, int | None], Call]
VERSIONS = {"kull": "experiments_neurips, 2019", "guo": "temperature_scaling, 2018"}


def with_bins(measure: str, default: int, call: Call) -> Calls:
    """Return the call with the default number of bins, and with 15 where that is another."""
    return {(measure, bins): call for bins in dict.fromkeys((default, 15))}


def torchmetrics(sources: Path | None) -> Calls:
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error as error

    def call(norm: str) -> Call:
        return lambda p, y, bins: error(
            torch.as_tensor(p), torch.as_tensor(y), num_classes=p.shape[1], n_bins=bins, norm=norm
        )

    names = {"ece": "l1", "rmsce": "l2", "mce": "max"}
    return {key: value for measure, norm in names.items() for key, value in with_bins(measure, 15, call(norm)).items()}


def netcal(sources: Path | None) -> Calls:
    from netcal import metrics

    def call(name: str) -> Call:
        return lambda p, y, bins: getattr(metrics, name)(bins).measure(p, y)

    calls: Calls = {("mmce", None): lambda p, y, bins: metrics.MMCE().measure(p, y)}
    for measure in ("ece", "mce", "ace"):
        calls |= with_bins(measure, 10, call(measure.upper()))
    return calls


def probmetrics(sources: Path | None) -> Calls:
    import torch
    from probmetrics.metrics import Metric

    def call(name: str) -> Call:
        return lambda p, y, bins: Metric.from_name(name).compute_from_labels_probs(
            torch.as_tensor(y), torch.as_tensor(p)
        )

    names = {"smece": "smece", "log_loss": "logloss", "brier": "brier"}
    calls = {(measure, None): call(name) for measure, name in names.items()}
    return calls | {(measure, 15): call(f"{measure}-15") for measure in ("ece", "rmsce", "mce")}


def scikit_learn(sources: Path | None) -> Calls:
    from sklearn import metrics

    def call(name: str) -> Call:
        return lambda p, y, bins: getattr(metrics, name)(y, p, labels=list(range(p.shape[1])))

    return {("log_loss", None): call("log_loss"), ("brier", None): call("brier_score_loss")}


def relplot(sources: Path | None) -> Calls:
    from relplot import metrics

    def pairs(p: Any, y: Any) -> Any:
        return metrics.multiclass_logits_to_confidences(p, y, probs=True)

    smooth: Calls = {("smece", None): lambda p, y, bins: metrics.smECE(*pairs(p, y))}
    return smooth | with_bins("ece", 10, lambda p, y, bins: metrics.binnedECE(*pairs(p, y), bins))


def mapie(sources: Path | None) -> Calls:
    from mapie.metrics import calibration as m

    def correct(p: Any, y: Any) -> Any:
        return (p.argmax(1) == y).astype(int)

    def class_wise(p: Any, y: Any, bins: int | None) -> Any:
        return m.expected_calibration_error(correct(p, y), p, num_bins=bins, classwise=True, class_labels=y)

    return {
        **with_bins("ece", 50, lambda p, y, bins: m.expected_calibration_error(correct(p, y), p, num_bins=bins)),
        **with_bins("sce", 50, class_wise),
        **with_bins("tl_ece", 50, lambda p, y, bins: m.top_label_ece(y, p, num_bins=bins)),
        ("ks", None): lambda p, y, bins: m.kolmogorov_smirnov_statistic(correct(p, y), p.max(1)),
        ("kuiper", None): lambda p, y, bins: m.kuiper_statistic(correct(p, y), p.max(1)),
    }


def uncertainty_calibration(sources: Path | None) -> Calls:
    import calibration

    return {
        ("ece", 15): lambda p, y, bins: calibration.get_ece(p, y),
        ("sce", None): lambda p, y, bins: calibration.get_calibration_error(p, y),
        ("squared_ce", None): lambda p, y, bins: calibration.get_top_calibration_error(p, y),
    }


def kull(sources: Path | None) -> Calls:
    m = functions(sources, "functions.py")
    return {
        ("ece", 15): lambda p, y, bins: m["ECE"](p, y, bins=bins, ece_full=False),
        ("mce", 15): lambda p, y, bins: m["MCE"](p, y, bins=bins, mce_full=False),
        ("sce", 15): lambda p, y, bins: m["classwise_ECE"](p, y, bins=bins),
    }


def guo(sources: Path | None) -> Calls:
    import torch

    m = functions(sources, "temperature_scaling.py")

    def call(p: Any, y: Any, bins: int | None) -> Any:
        with np.errstate(divide="ignore"):
            return m["_ECELoss"](bins)(torch.as_tensor(np.log(p)), torch.as_tensor(y))

    return {("ece", 15): call}


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
    "netcal": netcal,
    "probmetrics": probmetrics,
    "scikit-learn": scikit_learn,
    "relplot": relplot,
    "mapie": mapie,
    "uncertainty-calibration": uncertainty_calibration,
    "kull": kull,
    "guo": guo,
}


def recorded(package: str, calls: Calls) -> Iterator[dict[str, Any]]:
    """Yield what each call gives on each input: a value, or the error that it raises."""
    for (measure, bins), call in calls.items():
        for name in peer_inputs.NAMES:
            p, y = peer_inputs.make(name)
            record: dict[str, Any] = {"package": package, "measure": measure, "bins": bins, "input": name}
            try:
                value = float(call(p, y, bins))
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
    for package, calls in PACKAGES.items():
        try:
            found = list(recorded(package, calls(options.sources)))
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
