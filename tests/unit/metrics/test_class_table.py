"""The table of classes: by hand, by loops, by bands, and the yardstick of the worst class."""

import json

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from calibrant.metrics.class_tables import class_table
from measure_bank import make
from simulation import simulate, softmax

ROUNDING = 1e-12  # sums in another order
P = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1]])


def test_four_rows_by_hand():
    table = class_table(Predictions.from_probabilities(P, [0, 1, 1, 0], classes=["a", "b", "c"]), replicates=0)
    columns = table.columns
    assert columns.rows.tolist() == [2, 2, 0]
    assert columns.predicted.tolist() == [2, 2, 0]
    assert columns.mean_probability == pytest.approx([0.4, 0.45, 0.15])
    assert columns.base_rate.tolist() == [0.5, 0.5, 0]
    assert columns.top_label_gap == pytest.approx([0.5 - 0.65, 0.5 - 0.65, np.nan], nan_ok=True)
    assert columns.recall == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    assert columns.precision == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    losses = [-np.log([0.7, 0.1]).mean(), -np.log([0.3, 0.5]).mean(), np.nan]
    assert columns.log_loss == pytest.approx(losses, nan_ok=True)
    assert (table.null, table.p_value) == (None, None)


@pytest.mark.parametrize("name", ["plain", "weights", "soft", "logits", "missing_class", "many", "zeros"])
def test_columns_equal_slow_loops(name):
    rows = make(name)
    table = class_table(rows, replicates=0).columns
    p, w, top = np.asarray(rows.probabilities, float), rows.row_weights, rows.summary.top
    q = rows.labels if rows.soft else np.eye(rows.k)[rows.labels]
    assert table.error == pytest.approx(measure("sce")(rows).per_class, abs=ROUNDING)
    # single-precision logits: probabilities agree to 1e-6
    close = {"abs": 1e-5 if rows.logits else ROUNDING, "rel": 0, "nan_ok": True}
    for c in range(rows.k):
        weight, mine = w @ q[:, c], w * (top == c)
        found = table.record(c)
        assert found["rows"] == pytest.approx(weight, **close)
        assert found["mean_probability"] == pytest.approx(w @ p[:, c] / w.sum(), **close)
        if weight:
            with np.errstate(divide="ignore"):
                loss = sum(w[i] * q[i, c] * -np.log(p[i, c]) for i in range(len(p)) if w[i] * q[i, c] > 0)
            assert found["log_loss"] == pytest.approx(loss / weight, abs=1e-5)
            assert found["recall"] == pytest.approx(mine @ q[:, c] / weight, **close)
        if mine.sum():
            assert found["precision"] == pytest.approx(mine @ q[:, c] / mine.sum(), **close)
            assert found["top_label_gap"] == pytest.approx(mine @ (q[:, c] - p[:, c]) / mine.sum(), **close)


def test_bands_are_thirds_of_the_classes_by_frequency():
    rows = make("plain")
    labels = np.repeat([2, 0, 3, 1], [40, 30, 15, 5])
    table = class_table(Predictions.from_probabilities(rows.scores, labels), replicates=0)
    assert table.bands == ("head", "middle", "tail")
    assert [m.tolist() for m in table.members] == [[2, 0], [3], [1]]
    bands, columns = table.of_bands, table.columns
    assert bands.rows.tolist() == [70, 15, 5]
    assert bands.error[0] == pytest.approx((columns.error[0] + columns.error[2]) / 2)
    assert bands.recall[0] == pytest.approx((columns.recall[0] + columns.recall[2]) / 2)
    head = np.flatnonzero(np.isin(labels, [0, 2]))
    assert bands.log_loss[0] == pytest.approx(-np.log(rows.scores[head, labels[head]]).mean())
    mine = np.isin(rows.summary.top, [0, 2])
    gap = (rows.summary.top == labels)[mine].mean() - rows.summary.confidence[mine].mean()
    assert bands.top_label_gap[0] == pytest.approx(gap)


def test_two_classes_have_no_tail():
    table = class_table(make("binary"), replicates=5)
    assert (table.bands, [len(m) for m in table.members]) == (("head", "middle"), [1, 1])


def test_the_yardstick_is_the_largest_of_all_classes():
    calibrated = [class_table(simulate(400, k=12, seed=s), replicates=39, seed=s) for s in range(40)]
    # p-values of a calibrated model are uniform: of 40 under .05, more than 8 has chance 1e-4
    assert sum(t.p_value <= 0.05 for t in calibrated) <= 8
    assert np.mean([t.p_value for t in calibrated]) == pytest.approx(0.5, abs=0.15)  # 3 standard errors
    single = np.mean([t.columns.error.mean() for t in calibrated])
    assert np.mean([t.null for t in calibrated]) > 1.2 * single


def test_a_bad_class_is_found():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(3000, 8))
    labels = (softmax(z).cumsum(1) < rng.random((3000, 1))).sum(1).clip(max=7)
    biased = z + 1.2 * (np.arange(8) == 5)
    table = class_table(Predictions.from_logits(biased, labels), replicates=50)
    assert table.worst == 5
    assert table.columns.error[5] > table.null_high > table.null
    assert table.p_value == pytest.approx(1 / 51)
    assert table.verdict.startswith("worst class: 5, error 0.1")
    assert "for a calibrated model the largest of all 8 stays under" in table.verdict


def test_the_order_of_rows_and_absent_rows_do_not_matter():
    rows = make("weights")
    order = np.random.default_rng(1).permutation(len(rows))
    table, other = class_table(rows, replicates=10), class_table(rows.take(order), replicates=10)
    assert other.null == pytest.approx(table.null, abs=ROUNDING)
    present = class_table(rows.take(rows.row_weights > 0), replicates=10)
    assert present.null == pytest.approx(table.null, abs=ROUNDING)


def test_an_absent_row_may_have_an_infinite_loss():
    p = np.vstack([P, [[1.0, 0.0, 0.0]]])
    table = class_table(Predictions.from_probabilities(p, [0, 1, 1, 0, 1], weights=[1, 1, 1, 1, 0]), replicates=5)
    assert table.columns.log_loss[1] == pytest.approx(-np.log([0.3, 0.5]).mean())


def test_soft_labels_have_no_yardstick():
    table = class_table(make("soft"))
    assert table.null_high is None
    assert "no yardstick for soft labels" in table.verdict


def test_records_and_notebook():
    table = class_table(make("missing_class"), replicates=10)
    record = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert [row["class"] for row in record["classes"]] == ["0", "1", "2", "3"]
    assert record["classes"][3]["recall"] is None
    assert record["bands"][2]["classes"] == ["3"]
    shown = table._repr_html_()
    assert shown.count("<tr>") == 1 + 3 + 4
    assert "–" in shown
    many = class_table(make("many"), replicates=0)._repr_html_()
    assert "280 other classes have smaller errors" in many
    named = class_table(Predictions.from_probabilities(P, [0, 1, 1, 0], classes=["<b>", "b", "c"]), replicates=0)
    assert "<b>" not in named._repr_html_()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": -1}, "replicates must be a whole number of at least 0, got -1"),
        ({"level": 1}, "level must lie between 0 and 1"),
        ({"bins": 0}, "bins must be a positive whole number"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(DataError, match=message):
        class_table(make("plain"), **options)
    with pytest.raises(DataError, match="predictions must have labels"):
        class_table(Predictions.from_probabilities(P))
