"""Every command does its work: what it prints, what it writes, and that all doors give the same figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calibrant import calibrators, catalogue, data, io


def document(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_report_prints_the_story_and_writes_the_page(run, files, tmp_path):
    ran = run("report", files / "good.npz", "--replicates", 20, "--calibrators", "temperature", "--repeats", 1)
    assert ran.code == 0
    order = ["300 rows, 3 classes, probabilities", "95% interval", "Over-confident", "log loss", "Use temperature"]
    places = [ran.out.index(part) for part in order]
    assert places == sorted(places)
    assert ran.out.endswith("report: calibrant-report.html\n")
    assert [path.name for path in tmp_path.iterdir()] == ["calibrant-report.html"]
    assert ran.err == f"note: {str(files / 'good.npz')!r}: ignored the array split\n"


def test_report_as_json_writes_only_what_is_asked_for(run, call, tmp_path):
    choices = ["report", "--example", "satellite", "--json", "--measures", "quick", "--replicates", 5]
    choices += ["--calibrators", "temperature", "--folds", 2, "--repeats", 1]
    told = document(call(*choices))
    assert told["schema"] == "calibrant.report/1"
    assert told["files"] == {"report": None, "map": None}
    assert list(tmp_path.iterdir()) == []
    told = document(run(*choices, "--output", "page.html", "--save", "map.safetensors"))
    assert told["files"] == {"report": "page.html", "map": "map.safetensors"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.safetensors", "page.html"]
    rows = io.write(tmp_path / "example.npz", data.example().take(slice(0, 50)))
    assert call("apply", "map.safetensors", rows, "--output", "out.npz").code == 0


@pytest.mark.parametrize("name", ["good.csv", "good.parquet"])
def test_all_formats_give_the_same_figures(call, run, files, name):
    choices = ("--json", "--no-uncertainty")
    assert document(run("evaluate", files / name, *choices)) == document(
        call("evaluate", files / "plain.npz", *choices)
    )


def test_evaluate_reads_in_chunks_with_the_same_figures(call, files):
    choices = ("evaluate", files / "plain.npz", "--json", "--replicates", 20, "--measures", "accuracy,log_loss,ece,sce")
    whole, chunks = document(call(*choices)), document(call(*choices, "--batch-rows", 64))
    assert [one["spec"] for one in chunks["measures"]] == ["accuracy", "log_loss", "ece", "sce"]
    for one, other in zip(whole["measures"], chunks["measures"], strict=True):
        for name in ("value", "low", "high", "null", "null_low", "null_high"):
            # Sums of 300 terms in another order: a few units in the last place.
            assert (one[name] is None) == (other[name] is None)
            assert one[name] is None or other[name] == pytest.approx(one[name], rel=1e-9), (one["spec"], name)


def test_evaluate_options_reach_the_library(call, files):
    choices = ("evaluate", files / "plain.npz", "--json", "--measures", "ece(bins=5),brier", "--measures", "quick")
    choices += ("--rows", "0:100", "--level", 0.5, "--replicates", 10)
    told = document(call(*choices, "--seed", 3))
    assert told["data"]["n"] == 100
    specs = [one["spec"] for one in told["measures"]]
    assert specs[:2] == ["ece(bins=5)", "brier"]
    assert len(set(specs)) == len(specs) == 8
    assert told["measures"][1]["level"] == 0.5
    assert document(call(*choices, "--seed", 4))["measures"][1]["null"] != told["measures"][1]["null"]
    bare = document(call(*choices, "--no-uncertainty"))
    assert bare["measures"][1]["value"] == told["measures"][1]["value"]
    assert bare["measures"][1]["null"] is None


def test_scores_rows_and_normalize_reach_the_reader(call, files, arrays, tmp_path):
    doubled = {"tree_probabilities": 2 * arrays["probabilities"], "split": np.arange(300) // 100}
    np.savez(tmp_path / "doubled.npz", labels=arrays["labels"], **doubled)
    choices = ("--scores", "tree_probabilities", "--rows", "split=1", "--json", "--no-uncertainty")
    assert call("evaluate", "doubled.npz", *choices).code == 3
    told = document(call("evaluate", "doubled.npz", *choices, "--normalize"))
    expected = document(call("evaluate", files / "plain.npz", "--rows", "100:200", "--json", "--no-uncertainty"))
    values, wanted = ([one["value"] for one in document["measures"]] for document in (told, expected))
    assert values == pytest.approx(wanted, rel=1e-9)  # rows that summed to 1 up to rounding are divided by their sum


def test_compare_names_the_recommended(run, call, files):
    choices = ("compare", files / "plain.npz", "--calibrators", "temperature,histogram(bins=5)", "--folds", 3)
    told = document(call(*choices, "--repeats", 1, "--json"))
    assert told["schema"] == "calibrant.compare/1"
    assert [method["name"] for method in told["methods"]] == ["identity", "temperature", "histogram(bins=5)"]
    assert told["recommended"] == "temperature"
    assert told["folds"] == 3
    shown = run(*choices, "--repeats", 1)
    assert "* temperature" in " ".join(shown.out.split())
    assert "Use temperature: gains" in shown.out


def test_fit_then_apply_is_the_library(run, files, tmp_path):
    told = document(run("fit", files / "plain.npz", "--calibrator", "temperature", "--output", "m", "--json"))
    assert told["map"]["spec"] == "temperature"
    assert told["map"]["parameters"] == 1
    assert told["files"] == {"map": "m"}
    told = document(run("apply", "m", files / "good.npz", "--output", "out.npz", "--json", "--batch-rows", 77))
    assert told["data"]["n"] == 300
    assert told["files"] == {"output": "out.npz"}
    expected = calibrators.load(tmp_path / "m")(io.read(files / "good.npz"))
    with np.load(tmp_path / "out.npz") as out, np.load(files / "good.npz") as source:
        assert set(out) == {"probabilities", "labels", "weights", "features", "ids", "class_names"}
        np.testing.assert_array_equal(out["probabilities"], expected.probabilities)
        for name in set(out) - {"probabilities"}:
            np.testing.assert_array_equal(out[name], source[name])


def test_fit_and_apply_say_what_they_did(call, files):
    fitted = call("fit", files / "plain.npz", "--calibrator", "temperature", "--output", "m")
    assert fitted.out.splitlines()[2:] == ["temperature: 1 parameter from 300 rows", "map: m"]
    applied = call("apply", "m", files / "plain.npz", "--output", "out.npz")
    assert applied.out.splitlines()[2:] == ["temperature: 1 parameter from 300 rows", "output: out.npz"]


def test_a_map_repairs_rows_without_labels(call, files, arrays, tmp_path):
    np.savez(tmp_path / "new.npz", probabilities=arrays["probabilities"])
    assert (
        document(call("apply", files / "good.map", "new.npz", "--output", "out.npz", "--json"))["data"]["labels"]
        is None
    )


def test_evaluate_with_a_map_refuses_the_rows_it_was_fitted_on(call, files):
    choices = ("evaluate", files / "good.npz", "--no-uncertainty", "--measures", "log_loss")
    mapped = (*choices, "--map", files / "good.map")
    for batches in ((), ("--batch-rows", 100)):  # known by their ids, in whatever chunks
        ran = call(*mapped, *batches)
        assert ran.code == 3
        assert "--in-sample" in ran.err
        repaired = document(call(*mapped, *batches, "--in-sample", "--json"))["measures"][0]["value"]
        assert repaired < document(call(*choices, "--json"))["measures"][0]["value"]


def test_methods_lists_all_and_tells_about_one(run, call):
    told = document(run("methods", "--json"))
    assert told == {"schema": "calibrant.methods/1", "methods": catalogue.methods().to_dict()}
    assert len(call("methods").out.splitlines()) == 1 + len(told["methods"])
    one = call("methods", "temperature").out
    assert "softmax(z / T)" in one
    assert "options: prior=None, zero=None" in one
    assert "guarantee: " in one


def test_terms_and_settings_stand_below_the_table(call, files):
    measures = ("ece", "murphy_reliability", "ece_kde", "skce", "decision_error")
    choices = ("evaluate", files / "plain.npz", "--no-uncertainty", "--measures", ",".join(measures))
    details = {one["name"]: one["details"] for one in document(call(*choices, "--json"))["measures"]}
    lines = call(*choices).out.splitlines()
    for name in ("rel", "res", "unc", "within"):
        (line,) = [line for line in lines if line.startswith("murphy_reliability: ")]
        assert f"{name} {details['murphy_reliability'][name]:.4g}" in line
    assert f"skce: bandwidth {details['skce']['bandwidth']:.4g}" in lines
    (line,) = [line for line in lines if line.startswith("ece_kde: ")]
    assert f"value at half {details['ece_kde']['value_at_half']:.4g}" in line
    assert f"decision_error: total {details['decision_error']['total']:.4g}" in lines  # no arrays
    assert not any(line.startswith("ece: ") for line in lines)
