"""The page: its order, its escapes, that it loads nothing, and that it stays small."""

import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.plot.words import figure
from calibrant.reporting import report
from page import read_page
from simulation import simulate

QUICK = {"calibrators": ["temperature"], "replicates": 20, "repeats": 1}
SECTIONS = ["verdict", "advice", "figures", "reliability", "measures", "classes", "methods", "reading", "settings"]
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "nul\x00\ud800</style>"]


def page_of(batch, **choices):
    return read_page(report(batch, **{**QUICK, **choices}).html())


@pytest.fixture(scope="module")
def made():
    return report(simulate(300, temperature=2.5), **QUICK)


@pytest.fixture(scope="module")
def page(made):
    return read_page(made.html())


@pytest.fixture(scope="module")
def kept():
    return page_of(simulate(300, seed=5))


def test_order(page):
    assert [s.attributes["id"] for s in page.all("section")] == SECTIONS
    assert page.all("html")[0].attributes["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("h1", "main")] == [1, 1]
    assert page.all("title")[0].text == page.all("h1")[0].text == "Calibration report"


def test_verdict_and_advice(made, page):
    assert page.by_id("verdict").text == f"{made.evaluation.verdict}."
    advice = page.by_id("advice").text
    assert made.comparison.reason in advice
    assert "calibrant fit FILE --calibrator temperature --output map.safetensors" in advice
    assert "repair = calibrant.fit(labelled_predictions, 'temperature')" in advice


def test_a_saved_map_is_named(tmp_path):
    place = tmp_path / "it's a map"
    advice = page_of(simulate(300, temperature=2.5), save=place).by_id("advice").text
    assert f"calibrant.load({str(place)!r})" in advice
    assert "calibrant fit" not in advice


def test_key_figures_before_and_after(made, page):
    shown = [(d.text, v.text) for d, v in zip(page.all("dt")[:5], page.by_id("figures").all("dd")[::2], strict=False)]
    before, after = made.evaluation.data, made.after.data
    assert shown[0] == ("Accuracy", f"{before.accuracy:.1%} → {after.accuracy:.1%}")
    assert shown[1] == ("Mean confidence", f"{before.mean_confidence:.1%} → {after.mean_confidence:.1%}")
    assert shown[3][0] == "Log loss"
    assert shown[3][1] == f"{made.evaluation['log_loss'].value:.4f} → {made.after['log_loss'].value:.4f}"


def test_pictures(page):
    assert len(page.by_id("reliability").all("figure")) == 2
    assert len(page.by_id("classes").all("figure")) == 4
    assert all(svg.attributes["role"] == "img" for svg in page.all("svg"))
    tallest = [
        max(float(bar.attributes["height"]) for bar in figure.all("rect", "cal-bar"))
        for figure in page.by_id("reliability").all("figure")
    ]
    assert max(tallest) == pytest.approx(72)
    assert min(tallest) < 70  # one scale for both


def test_closer_pictures_are_folded_away(page):
    folds = {fold.all("summary")[0].text: fold for part in page.all("div", "closer") for fold in part.all("details")}
    assert [name.split(":")[0] for name in folds] == [
        "Without bins",
        "Without bins",
        "In counts",
        "All classes at once",
        "By predicted class",
        "Pairs of classes",
    ]
    for fold in folds.values():
        assert "open" not in fold.attributes
        shown = fold.all("div", "shown")
        captions = [part.all("h3")[0].text for part in shown if part.all("h3")]
        assert captions in ([], ["As given", "After repair, out of fold"])
        assert len(fold.all("ul", "legend")[0].all("li")) >= 2
        assert all(len(part.all("svg")) == 1 for part in shown)


def test_table_of_measures(made, page):
    rows = page.by_id("measures").all("tbody")[0].all("tr")
    assert len(rows) == len(made.evaluation.measures)
    ece = next(row for row in rows if row.all("code")[0].text == "ece")
    estimate, later = made.evaluation["ece"], made.after["ece"]
    value, null, _, after = ece.all("td")
    assert value.text.startswith(f"{estimate.value:.4f}")
    assert f"{estimate.low:.4f} – {estimate.high:.4f}" in value.text
    assert f"{estimate.null_low:.4f} – {estimate.null_high:.4f}" in null.text
    assert f"{later.value:.4f}" in after.text
    assert "beyond chance" in ece.text


def test_footnotes_lead_somewhere(page):
    ids = [e.attributes["id"] for e in page if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    links = [e.attributes["href"] for e in page.all("a")]
    assert links
    assert {link[1:] for link in links} <= set(ids)
    assert all(link.startswith("#") for link in links)


def test_classes_are_worst_first_with_their_names():
    batch = simulate(300, temperature=2.5)
    made = report(
        Predictions.from_probabilities(batch.scores, batch.labels, classes=["ox", "ant", "cow", "bee"]), **QUICK
    )
    names = [e.text for e in read_page(made.html()).by_id("classes").all("bdi", "name")]
    errors = dict(zip(made.evaluation.data.classes, made.evaluation["sce"].per_class, strict=True))
    assert names == sorted(errors, key=lambda name: -errors[name])


def test_table_of_methods(made, page):
    table = page.by_id("methods").all("tbody")[0]
    (best,) = table.all("tr", "recommended")
    assert best.all("code")[0].text == "temperature"
    assert "recommended" in best.text
    assert f"+{made.comparison['temperature'].gain:.4f} ± {made.comparison['temperature'].gain_se:.4f}" in best.text
    losses = [float(row.all("td")[0].text) for row in table.all("tr")]
    assert losses == sorted(losses)


def test_declined_methods_say_why():
    declined = page_of(simulate(8)).by_id("methods").all("td", "wide")
    assert [d.text for d in declined] == ["declined: cross-fitting needs at least 10 rows, got 8"]


def test_reading_defines_the_words_and_every_measure(made, page):
    terms = [e.text for e in page.by_id("reading").all("dt")]
    for word in ("Calibrated", "If calibrated", "Interval", "Bins", "Out of fold", "Gain"):
        assert word in terms
    text = page.by_id("reading").text
    for estimate in made.evaluation.measures:
        assert estimate.estimand in text


def test_settings_and_the_way_back(made, page):
    text = page.by_id("settings").text
    command = (
        "calibrant report FILE --calibrators temperature --folds 5 --repeats 1 --seed 0 --level 0.95 --replicates 20"
    )
    assert command in text
    assert "calibrators=['temperature']," in text
    assert made.settings.made in text
    again = report(simulate(300, temperature=2.5), **QUICK).to_dict()
    kept = [{k: v for k, v in m.items() if k != "seconds"} for m in again.pop("methods")]
    told = made.to_dict()
    assert kept == [{k: v for k, v in m.items() if k != "seconds"} for m in told.pop("methods")]
    assert again == told


def test_keeping_the_scores(kept):
    assert kept.by_id("figures").all("h2")[0].text == "Key figures"
    assert len(kept.by_id("reliability").all("figure")) == 1
    assert "after repair" not in kept.by_id("measures").text
    assert not kept.by_id("advice").all("pre")
    assert "→" not in kept.by_id("figures").text


def test_nothing_is_loaded(made, page):
    text = made.html().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(?i)https?:|//[a-z]|url\(|@import|\bsrc=", text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & {e.tag for e in page}
    (policy,) = [e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes]
    assert "default-src 'none'" in policy


def test_both_colour_schemes_and_print(page):
    style = page.all("style")[0].text
    assert "color-scheme: light" in style
    assert "@media screen and (prefers-color-scheme: dark)" in style
    assert "@media print" in style
    used = set(re.findall(r"var\(--([a-z]+)\)", style))
    for scheme in re.findall(r"color-scheme: (?:light|dark);([^}]*)", style):
        assert used <= set(re.findall(r"--([a-z]+):", scheme))


def test_names_are_text_and_nothing_else():
    batch = simulate(200, temperature=2.5)
    hostile = Predictions.from_probabilities(batch.scores, batch.labels, classes=HOSTILE)
    made = report(hostile, title='<b onload="x">& title', **QUICK)
    text = made.html()
    page = read_page(text)
    text.encode("utf-8")
    assert not {"script", "img", "b"} & {e.tag for e in page}
    assert not any(name.startswith("on") for e in page for name in e.attributes)
    assert page.all("h1")[0].text == '<b onload="x">& title'
    names = {e.text for e in page.by_id("classes").all("bdi", "name")}
    assert names == {*HOSTILE[:3], "nul\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}</style>"}


def test_an_infinite_loss_is_shown_and_explained():
    scores = np.tile([0.0, 1.0], (40, 1))
    page = page_of(Predictions.from_probabilities(scores, np.arange(40) % 2))
    assert "∞" in page.by_id("figures").text
    assert "∞" in page.by_id("measures").all("tbody")[0].text
    assert "one such row makes the mean infinite" in page.by_id("measures").all("ol")[0].text
    assert "∞" in page.by_id("methods").text


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_two_classes(temperature):
    page = page_of(simulate(300, temperature=temperature, k=2))
    assert len(page.by_id("classes").all("figure")) == 2
    assert "few" in page.by_id("classes").all("div", "panels")[0].attributes["class"]


def test_a_thousand_classes_stay_under_a_megabyte():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.full(1000, 0.1), size=400)
    names = [f"{'a very long name of a class ' * 5}{c}" for c in range(1000)]
    made = report(Predictions.from_probabilities(scores, scores.argmax(1), classes=names), measures="quick", **QUICK)
    page = read_page(made.html())
    assert len(made.html().encode()) < 300_000
    assert len(page.by_id("classes").all("div", "panels")[0].all("figure")) == 12
    assert "the 12 worst of 1,000 classes" in page.by_id("classes").text
    assert "The other 988 classes" in page.by_id("classes").text
    assert all(len(e.text) <= 80 for e in page.by_id("classes").all("bdi"))


def test_weights_and_soft_labels_are_told():
    batch = simulate(120)
    soft = np.full((120, 4), 0.1)
    soft[np.arange(120), batch.labels] = 0.7
    weighted = Predictions.from_probabilities(batch.scores, soft, weights=np.arange(120) % 3)
    page = page_of(weighted, measures="quick")
    assert "soft labels · weighted" in page.all("p", "data")[0].text
    terms = [e.text for e in page.by_id("reading").all("dt")]
    assert {"Weights", "Soft labels"} <= set(terms)


def test_a_value_outside_its_interval_has_a_note(made):
    ece = made.evaluation["ece"]
    odd = replace(made.evaluation, measures=(replace(ece, value=ece.high + 0.1),))
    page = read_page(replace(made, evaluation=odd, after=odd).html())
    assert "outside its interval" in page.by_id("measures").all("ol")[0].text


def test_a_small_error_is_within_chance(made):
    ece = made.evaluation["ece"]
    odd = replace(made.evaluation, measures=(replace(ece, value=ece.null_low / 2),))
    assert "beyond chance" not in read_page(replace(made, evaluation=odd, after=odd).html()).by_id("measures").text


def test_a_method_that_fails_badly_does_not_squeeze_the_others(made):
    bad = replace(made.comparison["identity"], name="bad", gain=-1e6, gain_low=-2e6, gain_high=0.0, log_loss=1e6)
    compared = replace(made.comparison, methods=(*made.comparison.methods, bad))
    page = read_page(replace(made, comparison=compared).html())
    rows = {row.all("code")[0].text: row for row in page.by_id("methods").all("tbody")[0].all("tr")}
    best = rows["temperature"].all("circle", "cal-value")[0]
    zero = rows["temperature"].all("line", "cal-tick")[0]
    assert float(best.attributes["cx"]) - float(zero.attributes["x1"]) > 20
    assert rows["bad"].all("polygon", "cal-value")


def test_unregistered_measures_have_a_name(made):
    own = replace(made.evaluation["ece"], name="my_own", spec="my_own()")
    odd = replace(made.evaluation, measures=(own,))
    page = read_page(replace(made, evaluation=odd, after=odd).html())
    assert "my own" in page.by_id("measures").text
    assert "my own" in page.by_id("figures").text


def test_no_level_is_rounded_away():
    batch = simulate(60)
    text = report(batch, level=0.975, **QUICK).html()
    assert "97.5%" in text
    assert "98%" not in read_page(text).by_id("measures").text


def test_templates_load_only_for_a_page():
    code = "import sys, calibrant.reporting; print('jinja2' in sys.modules, 'markupsafe' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_nothing_is_nan(made, kept):
    for text in (made.html(), " ".join(e.text for e in kept)):
        assert not re.search(r"\bnan\b|\bNone\b", text)
    assert math.isfinite(made.after["log_loss"].value)


def test_terms_and_settings_of_measures_before_and_after(made):
    html = made.html()
    table = html[html.index('<details id="terms">') :].partition("</details>")[0]
    before, after = (ev["murphy_reliability"].details for ev in (made.evaluation, made.after))
    cells = re.findall(r"<td>(\w[\w ]*)</td><td class=\"number\">(\S+)</td>\s*<td class=\"number\">(\S+)</td>", table)
    assert ("unc", figure(before["unc"]), figure(after["unc"])) in cells
    assert ("rel", figure(before["rel"]), figure(after["rel"])) in cells
    told = [name for one in made.evaluation.measures for name in one.figures]
    assert [name for name, _, _ in cells] == told
    assert "[" not in table  # no arrays
    plain = report(simulate(100), measures="log_loss", **QUICK)
    assert 'id="terms"' not in plain.html()
