"""The report as data: what is computed, that no row is judged by a map that has seen it, and what is written."""

import json

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.folds import assign
from calibrant.reporting import report
from calibrant.reporting.repaired import out_of_fold
from simulation import simulate

QUICK = {"calibrators": ["temperature", "histogram"], "measures": "quick", "replicates": 30, "repeats": 1}


@pytest.fixture(scope="module")
def batch():
    return simulate(400, temperature=2.5)


@pytest.fixture(scope="module")
def made(batch):
    return report(batch, **QUICK)


@pytest.fixture(scope="module")
def kept():
    return report(simulate(400, seed=5), **QUICK)


def test_the_parts_are_those_of_the_functions(batch, made):
    alone = calibrant.evaluate(batch, "quick", replicates=30)
    assert [repr(e) for e in made.evaluation.measures] == [repr(e) for e in alone.measures]
    compared = calibrant.compare(batch, QUICK["calibrators"], repeats=1)
    assert (made.comparison.recommended, made.comparison.reason) == (compared.recommended, compared.reason)
    assert made.map.beta == calibrant.fit(batch, "temperature").beta


def test_after_is_out_of_fold(batch, made):
    scores = np.empty(batch.scores.shape)
    fold = assign(batch, 5)
    for held in range(5):
        learnt = calibrant.fit(batch.take(fold != held), "temperature")
        scores[fold == held] = learnt(batch.take(fold == held)).scores
    by_hand = Predictions.from_probabilities(scores, batch.labels)
    assert made.repaired
    assert made.after["log_loss"].value == float(calibrant.metrics.log_loss(by_hand))
    in_sample = made.map(batch)
    assert made.after["log_loss"].value > float(calibrant.metrics.log_loss(in_sample))
    assert made.pictures.after.mean_score == pytest.approx(by_hand.summary.confidence.mean())


def test_out_of_fold_keeps_rows_kind_and_what_came_along():
    logits = np.log(simulate(60, temperature=2.0).scores).astype(np.float32)
    labels, features = np.arange(60) % 4, np.arange(60.0)[:, None]
    batch = Predictions.from_logits(logits, labels, features=features, classes=list("abcd"))
    repaired = out_of_fold(calibrant.calibrators.calibrator("temperature"), batch, folds=3, seed=1)
    assert (repaired.kind, repaired.scores.dtype, repaired.classes) == ("logit", np.float32, batch.classes)
    np.testing.assert_array_equal(repaired.features, features)
    ratio = repaired.scores / logits  # one temperature a fold
    assert len(np.unique(ratio.round(4))) == 3  # float32 rounds the ratio at 1e-7


def test_rows_of_weight_zero_are_not_there(batch):
    extra = Predictions.from_probabilities(
        np.concatenate([batch.scores, batch.scores[:50]]),
        np.concatenate([batch.labels, (batch.labels[:50] + 1) % 4]),
        weights=np.concatenate([np.ones(400), np.zeros(50)]),
    )
    weighted, plain = report(extra, **QUICK), report(batch, **QUICK)
    assert weighted.after["log_loss"].value == pytest.approx(plain.after["log_loss"].value, rel=1e-9)  # order of sums
    assert weighted.pictures.before.n == 400


def test_keeping_the_scores(kept):
    assert kept.comparison.recommended == "identity"
    assert not kept.repaired
    assert kept.after is kept.evaluation
    assert kept.pictures.after is None


def test_the_same_classes_before_and_after(made):
    assert made.pictures.classes_after.shown == made.pictures.classes.shown


def test_strict_json(made):
    told = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert told["schema"] == "calibrant.report/1"
    assert {"data", "measures", "methods", "recommended", "verdict", "files", "after"} <= set(told)
    assert told["files"] == {"report": None, "map": None}
    assert told["recommended"] == "temperature"
    measures = {"name", "value", "low", "high", "level", "null", "null_low", "null_high"}
    assert measures <= set(told["measures"][0])
    assert [m["name"] for m in told["after"]["measures"]] == [m["name"] for m in told["measures"]]
    assert {"name", "log_loss", "brier", "ece", "gain", "gain_se"} <= set(told["methods"][0])


def test_infinite_loss_is_strict_json():
    scores = np.tile([0.0, 1.0], (40, 1))
    told = report(Predictions.from_probabilities(scores, np.arange(40) % 2), **QUICK).to_dict()
    json.dumps(told, allow_nan=False)
    (loss,) = [m for m in told["measures"] if m["name"] == "log_loss"]
    assert loss["value"] is None
    assert loss["value_infinite"]


def test_files(batch, tmp_path):
    page, place = tmp_path / "page.html", tmp_path / "map.safetensors"
    made = report(batch, output=page, save=str(place), **QUICK)
    assert made.to_dict()["files"] == {"report": str(page), "map": str(place)}
    assert page.read_text(encoding="utf-8") == made.html()
    assert calibrant.load(place).beta == made.map.beta
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.safetensors", "page.html"]


@pytest.mark.parametrize("argument", ["output", "save"])
def test_a_folder_that_is_not_there_is_told_before_the_work(batch, tmp_path, argument):
    def never(what, done, total):
        raise AssertionError("the work has begun")

    for place in (tmp_path / "no" / "page.html", tmp_path):
        with pytest.raises(DataError, match="must be a file"):
            report(batch, progress=never, **{argument: place}, **QUICK)


def test_progress_tells_every_step(batch):
    seen = []
    report(batch, progress=lambda *step: seen.append(step), **QUICK)
    last = {what: (done, total) for what, done, total in seen}
    assert {"bootstrap", "null", "compare", "bootstrap after repair", "null after repair", "pictures"} <= set(last)
    assert all(done == total for done, total in last.values())


def test_rows_of_the_fit_are_refused(batch):
    with pytest.raises(DataError, match="differ from the rows that the map was fitted on"):
        report(calibrant.fit(batch, "temperature")(batch), **QUICK)


def test_labels_are_needed(batch):
    with pytest.raises(DataError, match="have labels"):
        report(Predictions.from_probabilities(batch.scores), **QUICK)


@pytest.mark.parametrize("n", [1, 9, 12])
def test_a_few_rows(n):
    made = report(simulate(n, temperature=2.0), **QUICK)
    json.dumps(made.to_dict(), allow_nan=False)
    assert made.html()


def test_one_class_present():
    batch = simulate(60)
    made = report(Predictions.from_probabilities(batch.scores, np.zeros(60, dtype=int)), **QUICK)
    assert made.html()
    json.dumps(made.to_dict(), allow_nan=False)


def test_objects_in_place_of_specs(batch):
    temperature = calibrant.calibrators.calibrator("temperature(prior=5.0)")
    made = report(batch, **{**QUICK, "calibrators": [temperature], "measures": [calibrant.metrics.ece(bins=10)]})
    assert made.settings.calibrators == ("temperature(prior=5.0)",)
    assert made.settings.measures == ("ece(bins=10)",)
    assert "ece(bins=10)" in made.html()


def test_short_in_a_terminal_and_framed_in_a_notebook(made):
    assert repr(made) == f"{made.evaluation.verdict}\n{made.comparison.reason}"
    shown = made._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert shown.count("<") == 2  # the page is escaped inside the attribute
    assert "sandbox" in shown
