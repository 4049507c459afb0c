"""The local pictures: against slow loops, on a planted region, on calibrated models, for every kind of rows."""

import numpy as np
import pytest
from scipy import stats

from calibrant import Predictions, metrics
from calibrant.errors import DataError
from calibrant.plot import local_map, local_support, surroundings, svg
from calibrant.plot.compose import scene
from calibrant.plot.scene import Boxes, Path, Points, Words
from planted import planted
from simulation import simulate

SETS = 60


@pytest.fixture(scope="module")
def bad():
    return planted(1500, right=0.5)


@pytest.fixture(scope="module")
def around(bad):
    return surroundings.prepare(bad[0], replicates=60)


def loop_gaps(batch, made):
    """The leave-one-out kernel averages of being right minus the confidence, one row at a time."""
    z, h, w = made.around.rows, made.around.bandwidth, batch.row_weights
    right = batch.summary.top == batch.hard_labels
    gaps = []
    for i in range(len(z)):
        kernel = w * np.exp(-((z - z[i]) ** 2).sum(1) / (2 * h * h))
        kernel[i] = 0
        gaps.append(kernel @ (right - batch.summary.confidence) / kernel.sum())
    return np.array(gaps)


def test_cells_hold_the_mean_of_the_local_gaps_of_their_rows():
    batch = simulate(150, temperature=2.0, features=3)
    weights = np.random.default_rng(1).uniform(0.5, 2, size=150)
    batch = batch.reweighted(weights)
    made = surroundings.prepare(batch, replicates=5)
    found = local_map.of(made)
    gaps, z = loop_gaps(batch, made), made.around.rows
    share = weights / weights.sum()
    centred = z - share @ z
    axes = np.linalg.eigh(np.cov(z.T, aweights=weights, bias=True))[1][:, [-1, -2]]
    points = centred @ (axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]]))
    (left, right), (bottom, top) = found.limits
    clipped = np.clip(points, [left, bottom], np.nextafter([right, top], -np.inf))
    distance = np.abs(clipped[:, None, :] - np.stack([found.x, found.y], 1)).max(2)  # (n, m)
    cell = distance.argmin(1)
    assert (distance.min(1) <= found.side / 2 * (1 + 1e-9)).all()
    np.testing.assert_array_equal(np.bincount(cell), found.rows)
    expected = np.bincount(cell, weights * gaps) / np.bincount(cell, weights)
    np.testing.assert_allclose(found.gaps, expected, atol=1e-9)  # the same sums in another order
    assert found.rows.sum() == found.n == 150


def test_the_planted_region_is_first_beyond_chance_and_on_the_map(bad, around):
    _, there = bad
    found = local_map.of(around)
    worst = around.found.regions[surroundings.ranked(around.found)[0]]
    inside = surroundings.members(around, worst)
    assert (inside == there).mean() > 0.99
    assert worst.low < -0.4 < worst.high
    outline = found.outlines[0]
    assert outline.number == 1
    x, y = outline.ellipse
    held = (np.abs(found.x - x.mean()) < np.ptp(x) / 3) & (np.abs(found.y - y.mean()) < np.ptp(y) / 3)
    assert found.rows[held & found.beyond].sum() > 0.5 * found.rows[held].sum()  # others lie over it in two dimensions
    assert (found.gaps[held & found.beyond] < -0.1).all()
    assert not found.beyond[found.gaps > 0].any()


def test_calibrated_models_are_told_so():
    claims = np.zeros(2)
    for seed in range(SETS):
        made = surroundings.prepare(planted(160, seed)[0], replicates=60, seed=seed)
        claims += [bool(made.found.worst), local_map.of(made).beyond.any()]
    # at a level of 95 % more sets than this are called wrong with chance 1e-3
    assert (claims <= stats.binom.ppf(1 - 1e-3, SETS, 0.05)).all()


def test_cells_are_judged_together_and_not_one_by_one():
    rng = np.random.default_rng(0)
    drawn, sizes = rng.normal(size=(400, 300)), np.full(300, 1e9)
    at = np.full(300, 2.5)  # beyond chance alone, and not as the largest of 300
    assert not local_map._beyond(at, drawn, sizes, 0.95).any()
    assert local_map._beyond(np.where(np.arange(300) == 7, 5.0, 0.0), drawn, sizes, 0.95).nonzero()[0].tolist() == [7]


def test_support_by_hand(bad, around):
    batch, _ = bad
    told = local_support.of(around)
    order = np.argsort(around.found.effective_size, kind="stable")
    right = (batch.summary.top == batch.hard_labels).astype(float)
    confidence = batch.summary.confidence
    assert (told.rows.sum(), len(told.rows)) == (1500, 10)
    for g, tenth in enumerate(np.split(order, 10)):
        gap = right[tenth].mean() - confidence[tenth].mean()
        assert (told.gaps[g], told.confidence[g]) == pytest.approx((gap, confidence[tenth].mean()))
        alone = Predictions.from_probabilities(batch.scores[tenth], batch.labels[tenth])
        assert told.errors[g] == pytest.approx(float(metrics.ace(notion="confidence", bins=5)(alone)))
    assert (np.diff(told.support) > 0).all()
    assert (told.low < told.high).all()
    assert told.beyond.any()


def test_bands_hold_calibrated_models():
    outside = [local_support.prepare(planted(250, seed)[0], replicates=100).beyond for seed in range(15)]
    # 150 tenths, of which 5 % lie outside by chance; more than this with chance 1e-3
    assert np.sum(outside) <= stats.binom.ppf(1 - 1e-3, 150, 0.05)


def test_the_order_of_the_rows_does_not_matter(bad):
    batch = bad[0].take(np.arange(300))
    ids = np.arange(300) + 7
    made = Predictions.from_probabilities(batch.scores, batch.labels, features=batch.features, ids=ids)
    turned = made.take(np.random.default_rng(3).permutation(300))
    first, second = (local_map.prepare(one, replicates=20) for one in (made, turned))
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_allclose(first.gaps, second.gaps, atol=1e-9)
    np.testing.assert_array_equal(first.beyond, second.beyond)


def test_rows_of_weight_zero_are_not_there(bad):
    batch = bad[0].take(np.arange(200))
    more = bad[0].take(np.arange(260))
    weighted = more.reweighted(np.repeat([1.0, 0.0], [200, 60]))
    first, second = (local_support.prepare(one, replicates=10) for one in (batch, weighted))
    np.testing.assert_allclose(first.gaps, second.gaps)
    np.testing.assert_allclose(first.low, second.low)


def soft(n):
    batch = simulate(n, features=2)
    labels = np.full((n, 4), 0.1)
    labels[np.arange(n), batch.labels] = 0.7
    return Predictions.from_probabilities(batch.scores, labels, features=batch.features)


@pytest.mark.parametrize(
    "batch",
    [simulate(60, features=1), simulate(2, features=2), simulate(80, k=2, features=2), soft(90)],
    ids=["one feature", "two rows", "two classes", "soft labels"],
)
@pytest.mark.parametrize("picture", [local_map, local_support])
def test_every_kind_of_rows_can_be_drawn(batch, picture):
    found = picture.prepare(batch, replicates=10)
    text = svg.draw(found)
    assert "nan" not in text
    assert found.banded != batch.soft
    assert ("soft labels" in text) == batch.soft
    assert not (found.beyond.any() and batch.soft)


def test_what_the_map_draws(around):
    found = local_map.of(around)
    drawn = scene(found)
    (panel,) = drawn.panels
    cells, *others = panel.marks
    assert isinstance(cells, Boxes)
    for style, gap, beyond in zip(cells.styles, found.gaps, found.beyond, strict=True):
        assert style.startswith("over" if gap < 0 else "under")
        assert style.endswith("weak") != beyond
    width = np.asarray(cells.x1) - np.asarray(cells.x0)
    assert width.max() < found.side
    order = np.argsort(found.rows, kind="stable")
    assert (np.diff(width[order]) >= -1e-12).all()  # more rows, larger
    assert [one.text for one in others if isinstance(one, Words)] == [str(one.number) for one in found.outlines]
    assert sum(isinstance(one, Path) for one in others) == 2 * len(found.outlines)
    assert len(found.rows) <= 36 * 45


def test_numbers_do_not_cover_one_another():
    from calibrant.plot.compose.local_map import _apart

    places = _apart([(0.0, 0.0), (0.1, 0.0), (0.2, 0.1), (5.0, 0.0)], 1.0)
    for i, (x, y) in enumerate(places):
        assert all(max(abs(x - a), abs(y - b)) >= 1 for a, b in places[:i])


def test_pictures_beside_each_other_share_their_scales(around):
    from calibrant.plot.compose import local_support as composed

    first, second = local_support.of(around), local_support.prepare(planted(200, 3)[0], replicates=20)
    one, other = (composed.compose(each, beside=[first, second]) for each in (first, second))
    for a, b in zip(one.panels, other.panels, strict=True):
        assert (a.y.low, a.y.high) == (b.y.low, b.y.high)
    marks = [mark for panel in one.panels for mark in panel.marks if isinstance(mark, Points)]
    assert all(min(mark.y) >= panel.y.low for mark, panel in zip(marks, one.panels, strict=True))


def test_what_is_missing_is_said():
    batch = simulate(60)
    for picture in (local_map, local_support):
        with pytest.raises(DataError, match="have features"):
            picture.prepare(batch)
    still = Predictions.from_probabilities(batch.scores, batch.labels, features=np.ones((60, 2)))
    with pytest.raises(DataError, match="vary in at least one column"):
        local_map.prepare(still)
