"""What other packages compute, on two rows that can be done on paper, and the option ``like`` around it."""

import warnings

import numpy as np
import pytest

import calibrant
from calibrant import Predictions, evaluate, registry
from calibrant.errors import CapabilityError, DataError, UnknownMethod
from calibrant.metrics import measure
from calibrant.metrics.peers import definitions, measure_like
from peer_inputs import make


def rows(*probabilities, labels, **columns):
    return Predictions.from_probabilities(np.array(probabilities), np.array(labels), **columns)


@pytest.fixture(scope="module")
def plain():
    features = np.random.default_rng(0).normal(size=(400, 2))
    return Predictions.from_probabilities(*make("missing_class"), features=features)


def value(spec, batch):
    return float(measure(spec)(batch))


# ---- by hand -------------------------------------------------------------------------------------------------
def test_a_confidence_of_one_has_a_bin_of_its_own_in_torchmetrics_and_relplot():
    """0.95 right and 1 wrong: together |0.5 - 0.975|, apart (0.05 + 1) / 2."""
    batch = rows([0.95, 0.05, 0.0], [1.0, 0.0, 0.0], labels=[0, 1])
    assert value("ece", batch) == pytest.approx(0.475, abs=1e-12)
    assert value("ece(like='torchmetrics')", batch) == pytest.approx(0.525, abs=1e-6)  # float32
    assert value("ece(like='relplot')", batch) == pytest.approx(0.525, abs=1e-12)
    assert value("mce(like='torchmetrics')", batch) == pytest.approx(1.0, abs=1e-6)


def test_one_score_above_one_sends_torchmetrics_through_a_softmax():
    batch = rows([1.000001, 0.0], [0.6, 0.4], labels=[0, 0])
    first, second = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-0.2))
    assert value("ece(like='torchmetrics')", batch) == pytest.approx(1 - (first + second) / 2, abs=1e-5)


def test_two_classes_are_the_second_one_in_netcal_and_probmetrics():
    """Class 1 at 0.3 and 0.4 with labels 1 and 0: two bins with gaps 0.7 and 0.4; confidences 0.7 wrong, 0.6 right."""
    batch = rows([0.7, 0.3], [0.6, 0.4], labels=[1, 0])
    assert value("ece(like='netcal')", batch) == pytest.approx(0.55, abs=1e-12)
    assert value("ece(like='probmetrics')", batch) == pytest.approx(0.55, abs=1e-6)
    assert value("ace(like='netcal')", batch) == pytest.approx(0.55, abs=1e-12)
    assert value("ece", batch) == pytest.approx((0.7 + 0.4) / 2, abs=1e-12)


def test_netcal_average_is_over_bins_not_rows():
    """Confidences 0.55 twice (one right) and 0.85 (right): gaps 0.05 and 0.15."""
    batch = rows([0.55, 0.45, 0], [0.55, 0.45, 0], [0.1, 0.05, 0.85], labels=[0, 1, 2])
    assert value("ace(like='netcal')", batch) == pytest.approx(0.1, abs=1e-12)
    assert value("ece(like='netcal')", batch) == pytest.approx((2 * 0.05 + 0.15) / 3, abs=1e-12)


def test_probmetrics_drops_classes_without_a_label():
    """Without class 2 the rows are 2/3 and 1/3, so class 1 is 1/3 and 2/3, both on the right side."""
    batch = rows([0.6, 0.3, 0.1], [0.3, 0.6, 0.1], labels=[0, 1])
    assert value("ece(like='probmetrics')", batch) == pytest.approx(1 / 3, abs=1e-6)
    assert value("brier(like='probmetrics')", batch) == pytest.approx(value("brier", batch), abs=1e-12)


def test_mapie_averages_over_predicted_classes():
    """Class 0 predicted twice at 0.9, right once; class 1 once at 0.8, right: 0.4 and 0.2."""
    batch = rows([0.9, 0.1, 0], [0.9, 0, 0.1], [0.2, 0.8, 0], labels=[0, 2, 1])
    assert float(measure_like("tl_ece", "mapie")(batch)) == pytest.approx(0.3, abs=1e-12)


def test_mapie_statistics_are_in_standard_errors():
    """0.8 right, 0.6 wrong: sums from 0.6 up are -0.3 and -0.2; the standard error is sqrt(0.24 + 0.16) / 2."""
    batch = rows([0.8, 0.2], [0.6, 0.4], labels=[0, 1])
    scale = np.sqrt(0.4) / 2
    assert float(measure_like("ks", "mapie")(batch)) == pytest.approx(0.3 / scale, abs=1e-6)  # shaken by 1e-8
    assert float(measure_like("kuiper", "mapie")(batch)) == pytest.approx(0.1 / scale, abs=1e-6)


def test_kull_sums_over_classes_and_sets_one_apart():
    """Class 0: 1 with and 0.95 without its label; class 1: 0 and 0.05 (together, one label); class 2: nothing."""
    batch = rows([1.0, 0.0, 0.0], [0.95, 0.05, 0.0], labels=[0, 1])
    assert value("sce(like='kull')", batch) == pytest.approx(0.95 / 2 + abs(0.5 - 0.025), abs=1e-12)


def test_sklearn_clips_and_halves():
    batch = rows([1.0, 0.0], [0.5, 0.5], labels=[1, 1])
    assert value("log_loss", batch) == np.inf
    assert value("log_loss(like='sklearn')", batch) == pytest.approx((np.log(2**52) + np.log(2)) / 2, abs=1e-12)
    assert value("brier(like='scikit-learn')", batch) == pytest.approx(value("brier", batch) / 2, abs=1e-12)
    smallest = np.finfo(np.float32).tiny
    assert value("log_loss(like='probmetrics')", batch) == pytest.approx((-np.log(smallest) + np.log(2)) / 2, abs=1e-12)


def test_verified_calibration_takes_the_root_of_what_is_left():
    """Half right at 0.75: the squared gap of 1/16 less 1/4 / (n - 1), which is negative for four rows."""
    batch = rows(*[[0.75, 0.25, 0.0]] * 8, labels=[0, 1] * 4)
    assert value("squared_ce(like='verified-calibration')", batch) == pytest.approx(
        np.sqrt(0.25**2 - 0.25 / 7), abs=1e-12
    )
    assert value("squared_ce(like='verified-calibration')", batch.take(slice(0, 4))) == 0


# ---- around it -----------------------------------------------------------------------------------------------
def test_all_doors_lead_to_the_same(plain):
    expected = float(measure_like("ece", "netcal")(plain))
    assert float(calibrant.metrics.ece(plain, like="netcal")) == expected
    assert float(calibrant.metrics.ece(like="NetCal")(plain)) == expected
    assert float(registry.create("measure", "ece(like='netcal')")(plain)) == expected
    assert measure("ece(like=None)") == measure("ece")
    assert float(evaluate(plain, ["ece(like='netcal')"], replicates=5).measures[0]) == expected


@pytest.mark.parametrize("peer", definitions(), ids=lambda peer: peer.spec)
def test_every_definition_tells_what_it_is(peer, plain):
    metric = measure_like(peer.measure, peer.package)
    found = metric(plain)
    assert metric.spec == found.spec == peer.spec
    assert f"{peer.package} {peer.version}" in found.notes[0]
    assert set(peer.differs) <= set(found.notes)
    assert all(f"known fault: {fault}" in found.notes for fault in peer.faults)
    assert "BINS" not in " ".join(found.notes)
    assert found.n == len(plain)


def test_bins_are_the_packages_own_unless_given(plain):
    assert measure("ece(like='netcal', bins=10)").spec == "ece(like='netcal')"
    other = measure("ece(like='netcal', bins=15)")
    assert other.spec == "ece(like='netcal', bins=15)"
    assert measure(other.spec) == other
    assert "bins=15" in other(plain).notes[0]


def test_shards_are_pooled(plain):
    metric = measure_like("ks", "mapie")
    parts = [metric.statistic(plain.take(rows)) for rows in np.array_split(np.arange(len(plain)), 3)]
    assert float(parts[2].merge(parts[0]).merge(parts[1]).compute()) == float(metric(plain))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("ece(like='netkal')", "unknown package for ece 'netkal'; did you mean 'netcal'?"),
        ("accuracy(like='netcal')", "unknown package for accuracy 'netcal'; known: none"),
        ("ece(like='netcal', norm=2)", "takes no other option than bins, got norm"),
        ("ece(lik='netcal')", "unknown option of ece 'lik'; did you mean 'like'?"),
    ],
)
def test_what_is_not_known_is_said(spec, words):
    with pytest.raises(UnknownMethod) as error:
        measure(spec)
    assert words in str(error.value)


@pytest.mark.parametrize("spec", ["ece(like='netcal', bins=0)", "log_loss(like='sklearn', bins=5)"])
def test_bins_must_make_sense(spec):
    with pytest.raises(DataError, match="bins must"):
        measure(spec)


def test_what_the_package_does_not_know_is_refused():
    metric = measure("ece(like='torchmetrics')")
    p = [0.75, 0.25], [0.5, 0.5]
    with pytest.raises(CapabilityError, match="weights for ece"):
        metric(rows(*p, labels=[0, 1], weights=[1.0, 2.0]))
    with pytest.raises(CapabilityError, match="hard"):
        metric(rows(*p, labels=[[0.5, 0.5], [1, 0]]))
    equal = rows(*p, labels=[0, 1], weights=[3.0, 3.0])
    assert float(metric(equal)) == float(metric(rows(*p, labels=[0, 1])))
    absent = rows(*p, labels=[0, 1], weights=[1.0, 0.0])
    assert float(metric(absent)) == pytest.approx(0.25)


def test_where_the_package_raises_there_is_no_number():
    found = measure("ece(like='netcal')")(rows([0.6, 0.3, 0.1], [0.3, 0.6, 0.1], labels=[0, 1]))
    assert np.isnan(float(found))
    assert found.notes[0].startswith("netcal raises RuntimeError: at most two")


@pytest.mark.parametrize("name", ["ece", "sce"])
def test_one_edge_of_mapie_gives_no_number_and_no_warning(name):
    batch = Predictions.from_probabilities([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], [0, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure(f"{name}(like='mapie', bins=1)")(batch)
    assert np.isnan(found.value)
    assert found.notes[0] == "mapie gives no number here"
