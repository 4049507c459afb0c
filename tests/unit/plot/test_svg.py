"""Drawing: well-formed, where it should be, in both colour schemes, harmless whatever the names are."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.plot import classwise, reliability, svg
from calibrant.plot.scene import Axis, Panel
from calibrant.plot.svg import Span
from calibrant.plot.svg.elements import clean, number
from simulation import simulate

NS = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "nul\x00 bell\x07 half\ud800", "a" * 5000]


@pytest.fixture(scope="module")
def batch():
    return simulate(400, temperature=2.0)


@pytest.fixture(scope="module")
def diagram(batch):
    return reliability.prepare(batch, replicates=20)


def elements(picture, tag, class_=""):
    found = ET.fromstring(picture).iter(f"{NS}{tag}")
    return [e for e in found if class_ in e.get("class", "").split() or not class_]


def test_every_picture_is_well_formed_and_says_what_it_shows(batch, diagram):
    classes = classwise.prepare(batch, replicates=5)
    pictures = [
        svg.draw(diagram),
        svg.draw(diagram, alone=False),
        *map(svg.draw_class, classes.diagrams),
        svg.draw_errors(classes),
        svg.draw_span(Span(value=0.2), "a value"),
        *(picture for picture, _ in svg.draw_legend(diagram)),
    ]
    for picture in pictures:
        root = ET.fromstring(picture)
        assert root.get("role") == "img"
        assert root.get("aria-label") == root.find(f"{NS}title").text != ""
        assert not re.search(r"https?://", picture.replace("http://www.w3.org/2000/svg", ""))


def test_the_description_tells_the_figures(diagram):
    told = ET.fromstring(svg.draw(diagram)).find(f"{NS}desc").text
    assert "400\N{NO-BREAK SPACE}rows" in told
    assert f"{diagram.mean_score:.1%}" in told
    assert f"{(diagram.over & diagram.beyond).sum()} over-confident" in told


def test_one_mark_a_filled_bin_by_side_and_evidence(diagram):
    picture = svg.draw(diagram, alone=False)
    for side in ("over", "under"):
        assert len(elements(picture, "polygon", f"cal-{side}")) == getattr(diagram, side).sum()
    assert len(elements(picture, "polygon", "cal-beyond")) == diagram.beyond.sum()
    assert len(elements(picture, "rect", "cal-band")) == diagram.filled.sum()
    assert len(elements(picture, "rect", "cal-bar")) == diagram.filled.sum()


def test_over_points_down_and_under_points_up():
    rows = [[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10
    labels = [0] * 5 + [1] * 5 + [0] * 10  # half right at 90%, all right at 60%
    picture = svg.draw(reliability.prepare(Predictions.from_probabilities(rows, labels), replicates=5), alone=False)
    for side, sign in (("over", 1), ("under", -1)):
        (mark,) = elements(picture, "polygon", f"cal-{side}")
        y = [float(point.split(",")[1]) for point in mark.get("points").split()]
        assert np.sign(y[2] - y[0]) == sign  # y grows downwards; the tip is the last corner


def test_a_mark_is_where_its_bin_is():
    rows, labels = [[0.9, 0.1]] * 4, [0, 0, 1, 1]
    picture = svg.draw(reliability.prepare(Predictions.from_probabilities(rows, labels), replicates=5), alone=False)
    (mark,) = elements(picture, "polygon", "cal-over")
    x = [float(point.split(",")[0]) for point in mark.get("points").split()]
    # the square starts at 58, 10 and is 372 wide; confidence 0.9
    assert sum(x) / 3 == pytest.approx(58 + 0.9 * 372, abs=0.02)  # coordinates have two decimals
    (gap,) = elements(picture, "line", "cal-gap-over")
    assert float(gap.get("y1")) == pytest.approx(10 + 0.1 * 372, abs=0.02)
    assert float(gap.get("y2")) == pytest.approx(10 + 0.5 * 372, abs=0.02)


def test_a_panel_turns_y_upwards():
    panel = Panel(left=10, top=20, width=100, height=200, x=Axis(0, 1), y=Axis(-1, 1), marks=())
    assert (panel.at_x(0.25), panel.at_y(-0.5)) == (35, 170)
    assert (panel.right, panel.bottom) == (110, 220)


def test_two_pictures_share_the_scale_of_the_histogram(diagram):
    def tallest(picture):
        return max(float(bar.get("height")) for bar in elements(picture, "rect", "cal-bar"))

    share = diagram.shares.max()
    assert tallest(svg.draw(diagram)) == pytest.approx(72)
    assert tallest(svg.draw(diagram, top=2 * share)) == pytest.approx(36)


def test_alone_has_both_colour_schemes_and_a_legend(diagram):
    alone, part = svg.draw(diagram), svg.draw(diagram, alone=False)
    assert "prefers-color-scheme: dark" in alone
    assert "<style>" not in part
    assert "where 95% of the bins would lie" in alone
    names = set(re.findall(r"var\(--([a-z]+)\)", alone))
    for scheme in re.findall(r"color-scheme: (?:light|dark);([^}]*)", alone):
        assert names <= set(re.findall(r"--([a-z]+):", scheme))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_break_out(diagram, name):
    picture = svg.draw(replace(diagram, name=name, notion="class_wise"))
    assert any(e.text.startswith("probability of") for e in elements(picture, "text"))
    tags = {e.tag.removeprefix(NS) for e in ET.fromstring(picture).iter()}
    assert not tags & {"script", "img"}
    picture.encode("utf-8")


def test_clean_keeps_what_is_a_character():
    assert clean("a\tb\n日本 é 😀") == "a\tb\n日本 é 😀"
    assert clean("\x00\x1b\ud800\uffff") == "\N{REPLACEMENT CHARACTER}" * 4


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.125, "0.12"), (-0.001, "0"), (100.5, "100.5")])
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("k", "told"), [(2, "below 50%"), (4, "below 25%"), (5, None)])
def test_what_cannot_be_is_told_where_there_is_room(k, told):
    picture = svg.draw(reliability.prepare(simulate(50, k=k), replicates=2), alone=False)
    words = [e.text for e in elements(picture, "text")]
    assert (told in words) if told else not any("below" in word for word in words)


def test_one_row_and_many_bins():
    one = Predictions.from_probabilities([[0.2, 0.8]], [1])
    for bins in (1, 15, 200):
        picture = svg.draw(reliability.prepare(one, bins=bins, replicates=3))
        assert len(elements(picture, "rect", "cal-bar")) == 1
        assert any(e.text == "1\N{NO-BREAK SPACE}row" for e in elements(picture, "text"))


def test_the_strip_of_many_classes_stays_small():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.full(2000, 0.05), size=60)
    drawn = classwise.prepare(Predictions.from_probabilities(scores, scores.argmin(1)), most=0, replicates=2)
    picture = svg.draw_errors(drawn)
    (area,) = elements(picture, "polygon", "cal-area")
    heights = [float(point.split(",")[1]) for point in area.get("points").split()][1:-1]
    assert heights[0] == 0  # the worst class is the top
    assert np.all(np.diff(heights) >= -0.01)  # falling; coordinates have two decimals
    assert len(picture) < 30_000


def test_a_span_leaves_out_what_is_not_known():
    empty = svg.draw_span(Span(), "nothing")
    assert not elements(empty, "circle")
    infinite = svg.draw_span(Span(value=np.inf, band_low=0.1, band_high=0.2, tick=0.15), "infinite")
    assert not elements(infinite, "circle")
    assert len(elements(infinite, "rect", "cal-band")) == 1


def test_a_span_is_to_scale():
    picture = svg.draw_span(Span(value=1.0, low=0.5, high=1.5, band_low=0.0, band_high=0.25), "to scale", (0.0, 2.0))
    (value,) = elements(picture, "circle", "cal-value")
    assert float(value.get("cx")) == 84  # the middle of 168
    (band,) = elements(picture, "rect", "cal-band")
    assert (float(band.get("x")), float(band.get("width"))) == (6, pytest.approx(156 / 8))


def test_an_arrow_for_what_lies_before_the_axis():
    picture = svg.draw_span(Span(value=-9.0), "far below", (-1.0, 1.0))
    assert not elements(picture, "circle")
    assert len(elements(picture, "polygon", "cal-value")) == 1
