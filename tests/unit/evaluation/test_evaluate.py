"""`evaluate`: one path for a batch and a stream, honest notes, and rows of the fit refused."""

import json

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics.kernel_error import SquaredKernelError
from simulation import simulate

SPECS = ["accuracy", "log_loss", "brier", "ece", "mce", "rmsce", "squared_ce", "sce", "ace", "tace"]


@pytest.fixture(scope="module")
def batch():
    return simulate(600, temperature=1.6)


def figures(evaluation):
    told = ("value", "low", "high", "null", "null_low", "null_high")
    return {e.name: [getattr(e, name) for name in told] for e in evaluation.measures}


@pytest.mark.parametrize("pieces", [2, 5])
def test_a_stream_gives_the_same_figures(batch, pieces):
    parts = [batch.take(rows) for rows in np.array_split(np.arange(len(batch)), pieces)]
    whole, streamed = (figures(calibrant.evaluate(s, SPECS, replicates=60)) for s in (batch, parts))
    for name, values in whole.items():
        for one, other in zip(values, streamed[name], strict=True):
            # sums in another order; the interval ends come from a bisection over 2**-20 of the value
            assert other is None if one is None else other == pytest.approx(one, abs=1e-7), name


def test_a_shard_knows_its_position(batch):
    first = Predictions.from_probabilities(batch.scores[:300], batch.labels[:300])
    second = Predictions.from_probabilities(batch.scores[300:], batch.labels[300:], start=300)
    whole, sharded = (figures(calibrant.evaluate(s, ["ece"], replicates=20)) for s in (batch, [first, second]))
    assert sharded["ece"] == pytest.approx(whole["ece"], abs=1e-7)


def test_values_alone_equal_the_measures(batch):
    evaluation = calibrant.evaluate(batch, SPECS, uncertainty=False)
    for spec in SPECS:
        assert evaluation[spec].value == float(calibrant.metrics.measure(spec)(batch))
        assert evaluation[spec].null is None


def test_null_level_of_the_accuracy_is_the_mean_confidence(batch):
    estimate = calibrant.evaluate(batch, ["accuracy"], replicates=400)["accuracy"]
    sd = np.sqrt((batch.summary.confidence * (1 - batch.summary.confidence)).sum()) / len(batch)
    # the mean of 400 draws lies within 4 of its standard errors: fails once in 16,000 seeds
    assert estimate.null == pytest.approx(batch.summary.confidence.mean(), abs=4 * sd / 20)
    assert estimate.null_high - estimate.null_low == pytest.approx(2 * 1.96 * sd, rel=0.25)


def test_a_calibrated_model_stays_in_its_null_band():
    evaluation = calibrant.evaluate(simulate(2000, seed=3), ["ece", "sce"], replicates=100)
    assert evaluation["ece"].null_low <= evaluation["ece"].value <= evaluation["ece"].null_high
    assert evaluation["ece"].low == 0
    assert "No miscalibration" in evaluation.verdict


def test_over_confidence_is_found_and_said(batch):
    evaluation = calibrant.evaluate(batch, ["ece", "sce"], replicates=100)
    ece = evaluation["ece"]
    assert ece.value > ece.null_high
    assert 0 < ece.low < ece.value < ece.high * 1.2
    assert evaluation.verdict.startswith("Over-confident: says")
    assert "worst class: " in evaluation.verdict
    assert evaluation["sce"].per_class.max() > evaluation["sce"].details["largest_null_high"] > evaluation["sce"].null


def test_a_maximum_has_a_null_band_but_no_interval(batch):
    mce = calibrant.evaluate(batch, ["mce"], replicates=50)["mce"]
    assert mce.low is None
    assert mce.null_high > 0
    assert "maximum" in mce.notes[0]


def test_sparse_classes_have_no_interval():
    sce = calibrant.evaluate(simulate(150, k=40), ["sce"], replicates=50)["sce"]
    assert sce.low is None
    assert sce.null > 0


def test_a_source_that_is_read_once_gives_values_and_says_so(batch):
    evaluation = calibrant.evaluate(iter([batch]), ["ece"])
    assert evaluation["ece"].low is None
    assert "read only once" in evaluation["ece"].notes[0]


def test_one_row_is_measured_and_qualified():
    evaluation = calibrant.evaluate(Predictions.from_probabilities([[0.9, 0.1]], [0]))
    assert evaluation["ece"].value == pytest.approx(0.1)
    assert "fewer than 10 rows" in evaluation["ece"].notes[0]
    assert evaluation.verdict == "Too few rows to judge: says 90.0%, is right 100.0%"


def test_an_infinite_log_loss_is_said_in_strict_json():
    rng = np.random.default_rng(0)
    p = np.eye(3)[rng.integers(0, 3, 50)]
    evaluation = calibrant.evaluate(Predictions.from_probabilities(p, rng.integers(0, 3, 50)), replicates=20)
    record = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    loss = next(m for m in record["measures"] if m["name"] == "log_loss")
    assert loss["value"] is None
    assert loss["value_infinite"] == "inf"


def test_rows_of_the_fit_are_refused_unless_asked(batch):
    repaired = calibrant.fit(batch, "temperature")(batch)
    with pytest.raises(DataError, match="600 of 600 the same; evaluate on other rows, or pass in_sample=True"):
        calibrant.evaluate(repaired)
    assert calibrant.evaluate(repaired, ["ece"], in_sample=True, uncertainty=False)["ece"].value < 0.1


def test_shared_ids_are_found_in_another_batch(batch):
    def named(rows):
        return Predictions.from_probabilities(batch.scores[rows], batch.labels[rows], ids=np.arange(600)[rows])

    repair = calibrant.fit(named(slice(0, 400)), "temperature")
    with pytest.raises(DataError, match="100 of 300 the same"):
        calibrant.evaluate(repair(named(slice(300, 600))))
    calibrant.evaluate(repair(named(slice(400, 600))), ["ece"], uncertainty=False)


def test_labels_are_needed():
    with pytest.raises(DataError, match="predictions must have labels to be measured; pass labels="):
        calibrant.evaluate(Predictions.from_probabilities([[0.5, 0.5]]))


def test_weights_zero_change_no_figure(batch):
    half = np.arange(600) % 2 == 0
    weighted = Predictions.from_probabilities(batch.scores, batch.labels, weights=half.astype(float))
    kept = figures(calibrant.evaluate(batch.take(half), SPECS, replicates=30))
    for name, values in figures(calibrant.evaluate(weighted, SPECS, replicates=30)).items():
        assert values == pytest.approx(kept[name], abs=1e-7), name


def test_it_shows_itself(batch):
    evaluation = calibrant.evaluate(batch, ["ece"], replicates=20)
    assert "ece = " in repr(evaluation)
    assert "<table>" in evaluation._repr_html_()
    assert repr(evaluation["ece"]) in evaluation["ece"]._repr_html_()


def test_intervals_do_not_depend_on_the_scale_of_weights(batch):
    def scaled(factor):
        weights = np.full(len(batch), factor)
        weighted = Predictions.from_probabilities(batch.scores, batch.labels, weights=weights)
        return figures(calibrant.evaluate(weighted, SPECS, replicates=40))

    reference = scaled(1.0)
    for factor in (1e-3, 1e3):
        for name, values in scaled(factor).items():
            for one, other in zip(values, reference[name], strict=True):
                # the interval ends come from a bisection over 2**-20 of the value
                assert one is None if other is None else one == pytest.approx(other, rel=1e-5, abs=1e-9), name


def test_rows_picked_from_unrelated_batches_share_nothing(batch):
    picked = calibrant.fit(batch.take(slice(0, 300)), "temperature")
    calibrant.evaluate(picked(simulate(400, seed=8).take(slice(0, 300))), ["ece"], uncertainty=False)
    weights = np.r_[0.0, np.ones(599)]
    weighted = Predictions.from_probabilities(batch.scores, batch.labels, weights=weights)
    other = simulate(400, seed=9)
    named = Predictions.from_probabilities(other.scores, other.labels, ids=np.arange(400))
    calibrant.evaluate(calibrant.fit(weighted, "temperature")(named), ["ece"], uncertainty=False)


def test_batches_without_a_position_do_not_share_random_numbers(batch):
    parts = [
        Predictions.from_probabilities(batch.scores[i : i + 100], batch.labels[i : i + 100]) for i in range(0, 600, 100)
    ]
    pooled, streamed = (figures(calibrant.evaluate(source, ["ece"], replicates=20)) for source in (batch, parts))
    assert streamed["ece"] == pytest.approx(pooled["ece"], abs=1e-7)


def test_soft_labels_have_no_null_level():
    p = simulate(200).scores
    evaluation = calibrant.evaluate(Predictions.from_probabilities(p, p), ["ece", "log_loss"], replicates=30)
    assert evaluation["ece"].value == pytest.approx(0, abs=1e-12)
    assert evaluation["ece"].null is None
    assert "no null level for soft labels" in evaluation["ece"].notes[0]
    assert evaluation["log_loss"].low is not None


def test_absent_rows_do_not_count():
    nine = simulate(14)
    weighted = Predictions.from_probabilities(nine.scores, nine.labels, weights=[1] * 9 + [0] * 5)
    evaluation = calibrant.evaluate(weighted, ["ece"])
    assert evaluation.data.n == 9
    assert evaluation["ece"].low is None


@pytest.mark.parametrize(
    ("options", "words"),
    [({"replicates": 0}, "replicates must"), ({"level": 1.0}, "level must"), ({"seed": 0.5}, "seed must")],
)
def test_wrong_options_are_one_sentence(batch, options, words):
    with pytest.raises(DataError, match=words):
        calibrant.evaluate(batch, **options)


def test_an_array_is_told_the_way_out():
    for call in (calibrant.evaluate, calibrant.metrics.ece, lambda a: calibrant.fit(a, "temperature")):
        with pytest.raises(DataError, match="must be a batch of Predictions, got ndarray; make them with"):
            call(np.eye(2))


def test_shards_may_come_in_any_order(batch):
    first = Predictions.from_probabilities(batch.scores[:300], batch.labels[:300], start=0)
    second = Predictions.from_probabilities(batch.scores[300:], batch.labels[300:], start=300)
    one, other = (figures(calibrant.evaluate(s, ["ece"], replicates=40)) for s in ([first, second], [second, first]))
    assert one["ece"] == pytest.approx(other["ece"], abs=1e-7)


def test_overlapping_shards_are_refused(batch):
    shards = [Predictions.from_probabilities(batch.scores[:9], batch.labels[:9], start=start) for start in (0, 5)]
    with pytest.raises(DataError, match=r"batches must hold different rows, got rows 5\.\.8 twice"):
        calibrant.evaluate(shards, ["ece"])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_batch_without_weight_changes_nothing(batch, place):
    weights = np.repeat([float(i != place) for i in range(3)], 200)
    whole = Predictions.from_probabilities(batch.scores, batch.labels, weights=weights)
    shards = [whole.take(rows) for rows in np.array_split(np.arange(600), 3)]
    pooled = calibrant.evaluate(whole, SPECS, uncertainty=False)
    streamed = calibrant.evaluate(shards, SPECS, uncertainty=False)
    assert [e.value for e in streamed.measures] == pytest.approx([e.value for e in pooled.measures], abs=1e-12)
    assert streamed.data.to_dict() == pytest.approx(pooled.data.to_dict())
    assert streamed.verdict == pooled.verdict


def test_rows_that_share_few_ids_give_no_interval(batch):
    ids = np.arange(600) % 4
    found = calibrant.evaluate(Predictions.from_probabilities(batch.scores, batch.labels, ids=ids), ["log_loss"])
    assert found["log_loss"].low is None
    assert "fewer than 10 rows with different ids" in found["log_loss"].notes[0]
    some = Predictions.from_probabilities(batch.scores, batch.labels, ids=np.arange(600) % 40)
    assert "40 different ids" in calibrant.evaluate(some, ["log_loss"], replicates=20)["log_loss"].notes[-1]


def test_a_costly_measure_is_not_computed_on_redrawn_labels_because_another_shares_its_rows(batch, monkeypatch):
    def refuse(*_):
        raise AssertionError("a costly measure was computed on redrawn labels")

    monkeypatch.setattr(SquaredKernelError, "value", refuse)
    evaluation = calibrant.evaluate(batch, ["squared_canonical", "skce"], replicates=20)
    assert evaluation["squared_canonical"].null is not None
    assert evaluation["skce"].null is None


def test_no_figure_of_the_default_suite_is_infinite_on_ordinary_data():
    # 72 of the 4,435 confidences round to 1 and one of these rows is wrong: its log loss is 37.9 nats, not infinite
    found = calibrant.evaluate(calibrant.data.example(), "default", uncertainty=False)
    assert {e.spec: e.value for e in found.measures if not np.isfinite(e.value)} == {}
    losses = {e.spec: e for e in found.measures}
    corp = losses["corp_miscalibration(rule='log_loss')"].details["score"]
    assert 0 < corp < float(losses["log_loss"])  # of the top class alone: less than of all classes


def test_no_class_is_named_where_the_largest_error_of_all_classes_is_what_chance_gives():
    # The 95 % quantile of the largest error: of 20 calibrated sets five or more exceed it with a chance of 0.3 %.
    verdicts = [calibrant.evaluate(simulate(800, seed=s), "quick", replicates=60, seed=s).verdict for s in range(20)]
    assert sum("worst class" in verdict for verdict in verdicts) < 5


def test_few_ids_are_a_matter_of_intervals_alone():
    found = calibrant.evaluate(simulate(60), ["log_loss", "mce", "skce"], replicates=20)
    rough = {e.name: any("rough" in note for note in e.notes) for e in found.measures}
    batch = Predictions.from_probabilities(simulate(600).probabilities, simulate(600).labels, ids=np.arange(600) // 10)
    shared = calibrant.evaluate(batch, ["log_loss", "mce", "skce"], replicates=20)
    assert not any(rough.values())  # every row is a unit of its own
    assert {e.name: any("rough" in note for note in e.notes) for e in shared.measures} == {
        "log_loss": True,
        "mce": False,
        "skce": False,
    }


def test_what_two_classes_decide_is_skipped_with_a_reason_unless_asked_for():
    batch = simulate(60, k=2)
    found = calibrant.evaluate(batch, "full", uncertainty=False)
    assert found.skipped["within_top_ece"] == "0 by construction: the 2 likeliest of 2 classes hold every label"
    assert "within_top_ece" not in [estimate.name for estimate in found.measures]
    asked = calibrant.evaluate(batch, ["full", "within_top_ece"], uncertainty=False)["within_top_ece"]
    assert (asked.value, asked.notes[0][:17]) == (0.0, "0 by construction")
    three = calibrant.evaluate(simulate(60, k=3), ["within_top_ece"], uncertainty=False)["within_top_ece"]
    assert not any("construction" in note for note in three.notes)


def test_a_source_read_once_has_the_tests_of_the_list():
    batch = simulate(300)
    parts = [
        Predictions.from_probabilities(batch.scores[rows], batch.labels[rows])
        for rows in (slice(0, 100), slice(100, 101), slice(101, 300))
    ]
    specs = ["spiegelhalter", "t_cal(replicates=19)", "skce_test(replicates=19)", "hosmer_lemeshow(replicates=19)"]
    listed, once = (calibrant.evaluate(source, specs, uncertainty=False).tests for source in (parts, iter(parts)))
    for one, other in zip(listed, once, strict=True):
        assert (other.statistic, other.p_value, other.notes) == (one.statistic, one.p_value, one.notes)


def test_soft_labels_say_which_of_both_is_missing():
    p = simulate(60).scores
    found = calibrant.evaluate(Predictions.from_probabilities(p, p), ["ece", "mce", "log_loss"], replicates=40)
    assert [any("no interval" in note for note in e.notes) for e in found.measures] == [True, False, False]
    assert any("no valid interval for a maximum" in note for note in found["mce"].notes)


@pytest.mark.parametrize(
    ("level", "replicates", "told"), [(0.95, 40, ""), (0.95, 39, "at least 40"), (0.999, 200, "at least 2000")]
)
def test_too_few_replicates_for_the_level(level, replicates, told):
    found = calibrant.evaluate(simulate(60), ["ece", "accuracy"], level=level, replicates=replicates)
    notes = [note for estimate in found.measures for note in estimate.notes if "do not tell" in note]
    assert len(notes) == (2 if told else 0)
    assert all(told in note for note in notes)


def test_a_peer_that_raises_on_some_redrawn_labels_has_the_null_level_of_the_others():
    batch = Predictions.from_probabilities(np.tile([0.5, 0.49, 0.01], (40, 1)), [0, 1] * 19 + [2, 2])
    found = calibrant.evaluate(batch, ["ece(like='netcal')"])["ece(like='netcal')"]
    assert found.null_low < found.null < found.null_high
    assert any("of 200 redrawn label sets" in note for note in found.notes)
