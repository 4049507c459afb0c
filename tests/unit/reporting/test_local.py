"""The local section: what it finds, that it says the same everywhere, and where there is none."""

import json
import re

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.local_choices import KernelChoices
from calibrant.plot import surroundings
from calibrant.plot.words import figure, percent
from calibrant.reporting import local_measures, looking, report
from calibrant.reporting.repaired import out_of_fold
from page import read_page
from planted import planted
from simulation import simulate

QUICK = {"calibrators": ["temperature"], "measures": "quick", "replicates": 25, "repeats": 1}
HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'


@pytest.fixture(scope="module")
def bad():
    batch, there = planted(1200, 4, right=0.5, share=0.2)
    ids = [f"row {i}" for i in range(1200)]
    return Predictions.from_probabilities(batch.scores, batch.labels, features=batch.features, ids=ids), there


@pytest.fixture(scope="module")
def made(bad):
    return report(bad[0], **QUICK)


@pytest.fixture(scope="module")
def page(made):
    return read_page(made.html())


def without_features(batch):
    return Predictions.from_probabilities(batch.scores, batch.labels, ids=batch.ids)


def test_the_planted_region_is_named_first(bad, made, page):
    worst, *others = made.local.regions
    assert worst.before.low < -0.4 < worst.before.high < 0
    assert worst.rows == pytest.approx(bad[1].sum(), abs=3)
    assert not any(region.before.beyond for region in others)
    lead = page.by_id("local").all("p", "reason")[0].text
    assert lead.startswith(
        f"In 1 of {len(others) + 1} regions the confidence is off beyond chance, all together at 95%. Worst is region 1"
    )
    assert f"says {percent(worst.before.confidence)} and is right {percent(worst.before.accuracy)}" in lead
    first = page.by_id("local").all("table", "regions")[0].all("tbody")[0].all("tr")[0]
    assert first.all("th")[0].text == "1"
    assert figure(100 * worst.before.gap, 1, sign=True) in first.text
    assert "beyond chance" in first.text
    shown = [example.row for example in worst.examples]
    assert ", ".join(shown) in first.text
    assert bad[1][[int(row.split()[1]) for row in shown]].all()


def test_the_page_and_the_record_say_the_same(made, page):
    told = json.loads(json.dumps(made.to_dict(), allow_nan=False))["local"]
    section = page.by_id("local")
    rows = section.all("table", "regions")[0].all("tbody")[0].all("tr")
    numbers = [int(row.all("th")[0].text) for row in rows]
    assert numbers[:6] == [1, 2, 3, 4, 5, 6]
    assert {one["number"] for one in told["regions"] if one["after"]["beyond"]} <= set(numbers)
    for number, row in zip(numbers, rows, strict=True):
        region = told["regions"][number - 1]
        cells = {cell.attributes["data-label"]: cell.text for cell in row.all("td")}
        assert cells["rows"] == f"{region['rows']:,}{percent(region['share'])}"
        assert (cells["says"], cells["is right"]) == tuple(
            percent(region["before"][it]) for it in ("confidence", "accuracy")
        )
        for label, when in (("gap", "before"), ("after repair", "after")):
            gap = region[when]
            places = 2 if gap["beyond"] and min(abs(gap["low"]), abs(gap["high"])) < 0.0005 else 1
            value, low, high = (figure(100 * gap[it], places, sign=True) for it in ("gap", "low", "high"))
            assert cells[label].startswith(f"{value}{low} to {high}")
            assert cells[label].endswith("beyond chance" if gap["beyond"] else "within chance")
        assert cells["typical rows"] == ", ".join(example["row"] for example in region["examples"])
    measures = [row.all("td")[0].text for row in section.all("table", "stacks")[1].all("tbody")[0].all("tr")]
    assert len(measures) == len(told["measures"]) == len(told["after"]["measures"]) == 5
    for one, shown in zip(told["measures"], measures, strict=True):
        digits = shown.replace("−", "-").split()[0]
        places = len(re.match(r"-?\d+\.(\d+)", digits)[1])
        assert abs(float(re.match(r"-?[\d.]+", digits)[0]) - one["value"]) <= 0.51 * 10**-places
    map_, drawn = told["map"], section.all("svg")[0]
    assert len([box for box in drawn.all("rect") if "badge" not in box.attributes["class"]]) == len(map_["gaps"])
    assert len(told["support"]["gaps"]) == 10


def test_regions_after_repair_are_the_same_rows_out_of_fold(bad, made):
    batch = bad[0]
    repaired = out_of_fold(calibrant.calibrators.calibrator("temperature"), batch, folds=5, seed=0)
    around = surroundings.prepare(batch, replicates=2)
    for region in made.local.regions:
        (found,) = [one for one in around.found.regions if one.name == region.name]
        inside = surroundings.members(around, found)
        for gap, scores in ((region.before, batch), (region.after, repaired)):
            right = scores.summary.top[inside] == batch.labels[inside]
            assert gap.gap == pytest.approx(right.mean() - scores.summary.confidence[inside].mean(), abs=1e-9)
            assert gap.low <= gap.gap <= gap.high


def test_a_calibrated_model_has_no_region_beyond_chance():
    made = looking.prepare(planted(600, 2)[0], None, looking.Draws(level=0.95, replicates=25, seed=0), lambda *_: None)
    assert not any(region.before.beyond for region in made.regions)
    assert made.after is None
    assert not made.before.map.outlines


def test_without_features_there_is_no_section_and_no_cost(bad, made, monkeypatch):
    def never(*_, **__):
        raise AssertionError("the features of no rows were looked at")

    monkeypatch.setattr(surroundings, "prepare", never)
    monkeypatch.setattr(looking, "thinned", never)
    plain = report(without_features(bad[0]), **QUICK)
    assert plain.local is None
    assert "local" not in plain.to_dict()
    text, with_section = plain.html(), made.html()
    assert 'id="local"' not in text
    assert 'id="no-local"' not in text
    assert "#local" not in text
    cut = re.sub(r'<section id="local">.*?</section>', "", with_section, flags=re.DOTALL)
    cut = re.sub(r"<dt>Local gap</dt>.*?(?=<dt>Out of fold</dt>)", "", cut, flags=re.DOTALL)
    cut, text = (re.sub(r'data-label="seconds">[^<]*<', "", one.partition("<body>")[2]) for one in (cut, text))
    assert cut.split() == text.split()  # nothing else knows of features


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (simulate(49, features=2), "49 rows are too few for it: at least 50"),
        (
            Predictions.from_probabilities(simulate(60).scores, simulate(60).labels, features=np.ones((60, 3))),
            "features must vary in at least one column",
        ),
    ],
    ids=["few rows", "constant features"],
)
def test_one_sentence_says_why_there_is_none(batch, said):
    made = report(batch, **QUICK)
    page = read_page(made.html())
    assert made.to_dict()["local"] == {"reason": said}
    assert said in page.by_id("no-local").text
    assert "local" not in [section.attributes["id"] for section in page.all("section")]


def test_the_same_rows_give_the_same_bytes(bad, made):
    again = report(bad[0], **QUICK)
    section = [one.html().partition('id="local"')[2].partition("</section>")[0] for one in (made, again)]
    assert section[0] == section[1]
    assert json.dumps(made.local.to_dict()) == json.dumps(again.local.to_dict())


def test_many_rows_are_thinned_by_their_keys(bad, monkeypatch):
    batch = bad[0]
    rows = looking.thinned(batch, 100, 0)
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()
    assert set(looking.thinned(batch, 40, 0)) <= set(rows)
    assert set(looking.thinned(batch, 100, 1)) != set(rows)
    turn = np.random.default_rng(0).permutation(1200)
    kept = batch.take(turn).take(looking.thinned(batch.take(turn), 100, 0))
    assert set(kept.ids) == set(batch.ids[rows])
    monkeypatch.setattr(looking, "MOST", 400)
    monkeypatch.setattr(looking, "MEASURED", 150)
    made = report(batch, **QUICK)
    assert (made.local.of, made.local.n, made.local.measured) == (1200, 400, 150)
    text = read_page(made.html()).by_id("local").text
    assert text.count("400 of 1,200 rows are looked at here, and 150 of them for the local measures") == 1
    assert sum(region.rows for region in made.local.regions) == made.local.before.map.n == 400
    assert {one.n for one in made.local.before.measures} == {150}
    examples = [example.row for region in made.local.regions for example in region.examples]
    assert set(examples) <= set(batch.ids[looking.thinned(batch, 400, 0)])


def test_measures_are_those_of_their_specs(bad):
    batch = bad[0].take(np.arange(300))
    draws = looking.Draws(level=0.95, replicates=20, seed=0)
    made = looking.prepare(batch, None, draws, lambda *_: None)
    assert [one.name for one in made.before.measures] == ["lce", "lce", "klce", "piece", "grouping_loss"]
    for one in made.before.measures:
        assert one.value == pytest.approx(float(measure(one.spec)(batch)), rel=1e-9)
        assert one.null_low < one.null_high
        assert one.null_low <= one.null <= one.null_high


def test_bands_of_measures_hold_those_of_calibrated_models():
    above = np.zeros(5)
    for seed in range(20):
        batch = planted(100, seed)[0]
        around = KernelChoices().around(batch)
        found = local_measures.estimates(batch, around, level=0.9, replicates=39, seed=seed)
        above += [one.value > one.null_high for one in found]
    assert (above <= 5).all()  # each with chance 5 %; six of twenty with chance 3e-4


def test_what_takes_too_long_is_left_out_and_said(bad, monkeypatch):
    monkeypatch.setattr(local_measures, "_COLUMNS", 100)
    made = report(bad[0].take(np.arange(200)), **QUICK)
    assert [one.name for one in made.local.before.measures] == ["lce", "klce", "piece", "grouping_loss"]
    text = read_page(made.html()).by_id("local").text
    assert "Left out: the local calibration error by class: too slow with 4 classes." in text


def test_groups_are_regions_too():
    batch, there = planted(500, 1, right=0.5)
    groups = np.where(there, HOSTILE, "rest")
    grouped = Predictions.from_probabilities(batch.scores, batch.labels, features=batch.features, groups=groups)
    made = report(grouped, **QUICK)
    kinds = {(region.kind, region.name) for region in made.local.regions}
    assert {("group", HOSTILE), ("group", "rest")} <= kinds
    page = read_page(made.html())
    assert not page.all("script")
    assert "and the given groups" in page.by_id("local").text
    unique = Predictions.from_probabilities(batch.scores, batch.labels, features=batch.features, groups=np.arange(500))
    alone = looking.prepare(unique, None, looking.Draws(level=0.95, replicates=5, seed=0), lambda *_: None)
    assert {region.kind for region in alone.regions} == {"cluster"}


def test_hostile_names_are_text():
    batch = planted(120, 3)[0]
    hostile = Predictions.from_probabilities(
        batch.scores,
        batch.labels,
        features=batch.features,
        classes=[HOSTILE, "<b>", "b", "c"],
        ids=[f"{HOSTILE}{i}" for i in range(120)],
    )
    page = read_page(report(hostile, **QUICK).html())
    assert not {"script", "b"} & {e.tag for e in page}
    assert "alert(1)" in page.by_id("typical").text


def test_soft_labels_have_intervals_and_no_band():
    batch = simulate(120, features=3)
    soft = np.full((120, 4), 0.1)
    soft[np.arange(120), batch.labels] = 0.7
    made = report(Predictions.from_probabilities(batch.scores, soft, features=batch.features), **QUICK)
    told = json.loads(json.dumps(made.to_dict(), allow_nan=False))["local"]
    assert told["support"]["low"] == [None] * 10
    assert told["regions"][0]["examples"][0]["label"] is None
    assert [one["null"] for one in told["measures"]] == [None] * 5
    text = read_page(made.html()).by_id("local").text
    assert [word for word in ("nan", "None") if word in text.split()] == []


def test_progress_tells_the_local_section(bad):
    seen = []
    report(bad[0].take(np.arange(200)), progress=lambda *step: seen.append(step), **QUICK)
    steps = [(done, total) for what, done, total in seen if what == "local"]
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1]
