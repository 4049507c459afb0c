"""``calibrant explain``: everything that is registered, from the registry; one line for what is not."""

import json

import numpy as np
import pytest

import calibrant
from calibrant import registry
from calibrant.explanation import KINDS, explain
from calibrant.metrics.peers import definitions
from calibrant.metrics.tests import test as calibration_test

ENTRIES = [entry for kind in KINDS for entry in registry.entries(kind)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind} {entry.name}")
def test_everything_registered_is_explained(entry):
    (article,) = [one for one in explain(entry.name).articles if one.entry is entry]
    record = json.loads(json.dumps(article.to_dict(), allow_nan=False))
    assert (record["kind"], record["name"], record["doc"]) == (entry.kind, entry.name, entry.doc)
    assert set(record["options"]) >= set(entry.options)
    assert record["background"]
    if entry.kind == "measure":
        assert {"estimand", "values", "interval", "weights", "shards and streams"} <= set(record["facts"])
    if entry.kind == "test":
        assert record["facts"]["null hypothesis"]


def test_a_person_reads_what_it_is_and_how_others_differ(call):
    ran = call("explain", "ece")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("ece (measure)\n  Expected calibration error")
    for said in (
        "estimand: mean absolute confidence gap of the population in 15 equal-width bins, right-closed",
        "interval: by the bootstrap",
        "shards and streams: sums merge, exactly",
        "cost: O(n k)",
        "bins=15, right=True",
        "source: guo2017",
        "sum_b s_b |y_b - p_b|",
        "biased upwards",
        "netcal 1.4.0, ece(like='netcal')",
        "known fault: a confidence of exactly 1",
    ):
        assert said in ran.out
    assert ran.out == f"{calibrant.explain('ece')!r}\n"
    assert not any(line.endswith(" ") for line in ran.out.splitlines())


@pytest.mark.parametrize("entry", registry.entries("measure"), ids=lambda entry: entry.name)
def test_what_evaluate_does_not_tell_is_not_promised(entry):
    """A null level is pointed to only where there is one; a costly measure has a test that draws labels anew."""
    metric = registry.build(entry, {})
    said = explain(entry.name).articles[0].facts["interval"]
    assert ("compare with the null level" in said) <= (not metric.costly)
    if metric.costly and not metric.bootstraps:
        spec = said.partition("the test ")[2].partition(" redraws")[0]
        assert calibration_test(spec).measure == entry.name


def test_whoever_brings_an_interval_says_so():
    assert explain("squared_canonical").articles[0].facts["interval"] == "one of its own, without resampling"


def test_json_holds_every_package(call):
    told = json.loads(call("explain", "log_loss", "--json").out)
    assert told["schema"] == "calibrant.explain/1"
    (method,) = told["methods"]
    assert method["facts"]["values"].endswith("to inf, 0 where every row is certain and right; smaller is better")
    expected = [peer.to_dict() for peer in definitions() if peer.measure == "log_loss"]
    assert method["elsewhere"] == expected
    assert {peer["package"] for peer in expected} == {"probmetrics", "scikit-learn"}
    assert expected[1]["call"] == "sklearn.metrics.log_loss(labels, probabilities, labels=range(k))"


def test_a_spec_is_explained_with_its_options(call):
    assert "in 7 equal-width bins" in call("explain", "ece(bins=7)").out
    one = call("explain", "ece(like='mapie')").out
    assert "estimand: what mapie 1.6.0 computes" in one
    assert "rows are kept, so memory grows with them" in one
    assert "values: " not in one  # those of the package are not ours
    assert "num_bins=50" in one
    assert "netcal" not in one
    (article,) = explain("temperature").articles
    assert article.facts["parameters"] == "1"
    assert article.peers == ()


def test_infinite_options_are_strict_json():
    (article,) = explain("mce").articles
    assert article.entry.options["norm"] == np.inf
    assert article.to_dict()["options"]["norm_infinite"] == "inf"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("eec", "unknown method 'eec'; did you mean 'ece'?"),
        ("ece(", "spec must read"),
        ("ece(bin=3)", "unknown option of ece 'bin'; did you mean 'bins'?"),
        ("ece(like='netkal')", "did you mean 'netcal'?"),
    ],
)
def test_what_is_unknown_is_one_line(call, spec, words):
    ran = call("explain", spec)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("calibrant: ")
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_a_page_shows_it_as_text():
    assert calibrant.explain("ece")._repr_html_().startswith("<pre>ece (measure)\n  Expected")
