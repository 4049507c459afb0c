"""The JSON documents: one strict document on stdout, a schema, and the same keys wherever the step exists."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calibrant.cli import document

DATA = {"n", "k", "kind", "classes", "labels", "weighted", "features"}
MEASURE = {"name", "value", "low", "high", "level", "null", "null_low", "null_high", "spec", "notes"}
METHOD = {"name", "log_loss", "brier", "ece", "accuracy", "gain", "gain_se", "parameters", "declined"}
MAP = {"spec", "k", "rows", "converged", "parameters"}

COMMANDS = {
    "report": (
        ("report", "FILE", "--replicates", 10, "--repeats", 1, "--folds", 2),
        "measures methods recommended verdict files",
    ),
    "evaluate": (("evaluate", "FILE", "--replicates", 10), "measures verdict gates"),
    "compare": (("compare", "FILE", "--repeats", 1), "methods recommended reason"),
    "fit": (("fit", "FILE", "--calibrator", "vector", "--output", "map"), "map files"),
    "apply": (("apply", "MAP", "FILE", "--output", "out.npz"), "map files"),
}


def strictly(text):
    def never(constant):
        pytest.fail(f"{constant} is not JSON")

    return json.loads(text, parse_constant=never)


@pytest.fixture
def infinite(arrays, tmp_path):
    """A file whose log loss is infinite: some labels have probability 0."""
    scores = arrays["probabilities"] * (np.arange(3) > 0)
    scores /= scores.sum(1, keepdims=True)
    np.savez(tmp_path / "zeros.npz", probabilities=scores, labels=arrays["labels"], class_names=arrays["class_names"])
    return tmp_path / "zeros.npz"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_document_is_strict_and_has_its_keys(call, files, infinite, command):
    arguments, keys = COMMANDS[command]
    names = {"FILE": infinite, "MAP": files / "good.map"}
    ran = call(*(names.get(str(argument), argument) for argument in arguments), "--json")
    assert ran.code == 0, ran.err
    told = strictly(ran.out)
    assert told["schema"] == f"calibrant.{command}/1"
    assert set(told) >= {"data", *keys.split()}
    assert set(told["data"]) >= DATA
    assert all(set(measure) >= MEASURE for measure in told.get("measures", []))
    assert all(set(method) >= METHOD for method in told.get("methods", []))
    assert set(told.get("map", MAP)) >= MAP


def test_an_infinite_value_is_null_with_a_flag(call, infinite):
    told = strictly(call("evaluate", infinite, "--json", "--no-uncertainty", "--fail-above", "log_loss=inf").out)
    log_loss = {measure["name"]: measure for measure in told["measures"]}["log_loss"]
    assert (log_loss["value"], log_loss["value_infinite"]) == (None, "inf")
    assert told["gates"] == [
        {
            "measure": "log_loss",
            "fails": "above",
            "limit": None,
            "value": None,
            "passed": True,
            "limit_infinite": "inf",
            "value_infinite": "inf",
        }
    ]
    shown = call("evaluate", infinite, "--no-uncertainty", "--measures", "log_loss").out
    assert "inf" in shown


def test_a_document_is_the_whole_of_stdout(run, infinite):
    ran = run("compare", infinite, "--repeats", 1, "--calibrators", "temperature", "--json")
    assert ran.code == 0
    assert ran.out.startswith("{\n")
    assert ran.out.endswith("\n}\n")
    assert strictly(ran.out)["recommended"]


def test_what_is_not_json_is_a_fault_and_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        document.dumps({"value": float("nan")})
