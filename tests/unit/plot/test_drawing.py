"""All pictures, drawn twice: as SVG and on axes of matplotlib; colours that everyone can tell apart."""

import importlib
import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions, plot
from calibrant.errors import DataError, MissingExtra
from calibrant.plot import (
    classwise,
    confusion,
    corp,
    cumulative,
    local_map,
    local_support,
    reliability,
    risk,
    simplex,
    svg,
    theme,
)
from calibrant.plot.compose import scene
from calibrant.plot.scene import Area, Boxes, Points, Segments
from planted import planted
from simulation import simulate

HOSTILE = ["$\\frac{1}{0}$ & <b>", "nul\x00 bell\x07", "a" * 500]
NS = "{http://www.w3.org/2000/svg}"


def records(batch):
    """Yield every picture of a batch."""
    yield reliability.prepare(batch)
    yield reliability.prepare(batch, band="bootstrap", replicates=5)
    yield classwise.prepare(batch, replicates=3)
    yield classwise.prepare(batch, notion="top_label", most=3, replicates=3)
    yield corp.prepare(batch, replicates=5)
    yield cumulative.prepare(batch, replicates=5)
    yield confusion.prepare(batch)
    yield risk.prepare(batch)
    if batch.k == 3:
        yield simplex.prepare(batch)
    if batch.features is not None:
        yield local_map.prepare(batch, replicates=5)
        yield local_support.prepare(batch, replicates=5)


def hostile(k):
    batch = simulate(60, k=k)
    names = (HOSTILE + [str(c) for c in range(k)])[:k]
    return Predictions.from_probabilities(batch.scores, batch.labels, classes=names)


SHARES = np.random.default_rng(0).dirichlet(np.ones(3), 2000)
BATCHES = {
    "two": simulate(50, k=2),
    "three": simulate(50, temperature=2.0, k=3),
    "ten": simulate(300, temperature=2.0, k=10),
    "thousand": simulate(300, k=1000),
    "one row": Predictions.from_probabilities([[0.2, 0.3, 0.5]], [2]),
    "soft": Predictions.from_probabilities(SHARES, 0.97 * SHARES + 0.01),
    "certain": Predictions.from_probabilities(np.vstack([np.eye(3)] * 4), [0, 1, 2] * 4),
    "hostile": hostile(3),
    "features": planted(300, right=0.2)[0],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_svg_is_well_formed_and_within_its_bounds(batch):
    for record in records(batch):
        picture = svg.draw(record)
        root = ET.fromstring(picture)
        assert root.get("aria-label")
        assert root.find(f"{NS}desc").text
        assert "nan" not in picture
        assert len(picture) < 150_000
        _, _, width, height = (float(part) for part in root.get("viewBox").split())
        for box in root.iter(f"{NS}rect"):
            x, y, w, h = (float(box.get(name)) for name in ("x", "y", "width", "height"))
            assert -1 <= x <= x + w <= width + 1
            assert -1 <= y <= y + h <= height + 1
            assert w > 0
            assert h > 0


def test_a_hostile_name_is_text():
    for record in records(BATCHES["hostile"]):
        tags = {e.tag.removeprefix(NS) for e in ET.fromstring(svg.draw(record)).iter()}
        assert tags <= {"svg", "title", "desc", "style", "rect", "line", "polyline", "polygon", "text"}


def test_other_things_are_refused():
    for draw in (svg.draw, plot.draw):
        with pytest.raises(DataError, match=r"picture must be what a prepare of calibrant\.plot returns, got str"):
            draw("reliability")
    with pytest.raises(DataError, match="mode must be 'light' or 'dark'"):
        plot.draw(corp.prepare(BATCHES["two"]), mode="blue")


def test_a_legend_explains_what_is_drawn():
    for record in records(BATCHES["three"]):
        drawn = scene(record)
        alone, part = svg.draw(drawn), svg.draw(drawn, alone=False)
        for entry in drawn.legend:
            assert entry.words in alone
            assert entry.words not in part
        assert len(svg.draw_legend(record)) == len(drawn.legend)


def marks_of(record, kind):
    return [m for panel in scene(record).panels for m in panel.marks if isinstance(m, kind)]


def test_soft_labels_have_no_band_and_full_marks():
    for record in records(BATCHES["soft"]):
        if getattr(record, "band", "") == "bootstrap":
            continue  # rows are resampled, whatever their labels are
        drawn = scene(record)
        words = [entry.words for entry in drawn.legend]
        assert any("soft labels are less noisy than drawn ones" in told for told in words), type(record)
        assert not any("within chance" in told or "95%" in told for told in words)
        assert all(np.all(points.beyond) for points in marks_of(record, Points))
        styles = {
            s for m in marks_of(record, Boxes | Area | Segments) for s in np.atleast_1d(getattr(m, "styles", "band"))
        }
        assert not any(style in ("band", "chance") or "weak" in style for style in styles), (type(record), styles)
        assert ("Soft labels" in drawn.description) or ("soft" in drawn.description) or "chance is" in drawn.description


def test_soft_labels_claim_no_evidence():
    found = [r for r in records(BATCHES["soft"]) if getattr(r, "band", "") != "bootstrap"]
    for record in found:
        each = record.diagrams if hasattr(record, "diagrams") else [record]
        for one in each:
            assert not one.banded
            assert not np.any(getattr(one, "beyond", False))
    classes = classwise.prepare(BATCHES["soft"], most=1)
    assert not classes.gaps.beyond.any()
    assert np.isnan(classes.null).all()
    assert "cal-null" not in svg.draw_errors(classes)


def test_the_axes_of_a_grid_are_named_once():
    for notion, below, beside in (
        ("class_wise", "probability of the class, %", "how often the class occurs, %"),
        ("top_label", "confidence where the class is predicted, %", "how often it is right, %"),
    ):
        panels = scene(classwise.prepare(BATCHES["ten"], notion=notion, replicates=2)).panels
        assert [p.x.title for p in panels if p.x.title] == [below]
        assert [p.y.title for p in panels if p.y.title] == [beside]
        around = panels[-1]
        assert (around.left, around.top) == (panels[0].left, panels[0].top)
        assert (around.right, around.bottom) == (max(p.right for p in panels), max(p.bottom for p in panels))
    (panel,) = scene(confusion.prepare(BATCHES["ten"])).panels
    assert (panel.x.title, panel.y.title) == ("column: the class believed in", "row: the class that occurs")


def test_a_title_is_below_slanted_names():
    drawn = scene(confusion.prepare(BATCHES["hostile"]))
    (panel,) = drawn.panels
    assert panel.slanted
    assert panel.title_drop > 80  # twenty letters of 7 pixels at 35 degrees
    assert panel.bottom + panel.title_drop < drawn.height
    assert panel.left > panel.title_space


def test_arrows_run_from_predicted_to_observed():
    batch = Predictions.from_probabilities([[0.8, 0.1, 0.1]] * 10, [2] * 10)
    (arrows,) = [m for m in scene(simplex.prepare(batch)).panels[0].marks if isinstance(m, Segments)]
    height = np.sqrt(3) / 2
    np.testing.assert_allclose([arrows.x0[0], arrows.y0[0]], [0.1 + 0.05, 0.1 * height])
    np.testing.assert_allclose([arrows.x1[0], arrows.y1[0]], [0.5, height])  # the third class is the top
    assert arrows.styles[0] == "arrow"


def test_errors_above_what_is_expected_point_up():
    wrong = Predictions.from_probabilities([[0.9, 0.1]] * 20, [1] * 20)
    panel = scene(risk.prepare(wrong)).panels[0]
    (points,) = [m for m in panel.marks if isinstance(m, Points)]
    assert (points.sides, list(points.beyond), points.flipped) == (["over"], [True], True)
    assert points.y[0] == 20


def test_cells_show_side_size_and_evidence():
    rows = np.repeat([[0.9, 0.1], [0.4, 0.6]], 200, axis=0)
    labels = np.repeat([1, 0], 200)  # always the other class
    drawn = classwise.prepare(Predictions.from_probabilities(rows, labels), most=0, bins=5)
    (panel,) = scene(drawn).panels
    (cells,) = [m for m in panel.marks if isinstance(m, Boxes)]
    assert set(cells.styles) == {"over-5", "under-5"}
    fair = classwise.prepare(simulate(60), most=0, bins=5)
    (cells,) = [m for m in scene(fair).panels[0].marks if isinstance(m, Boxes)]
    assert set(cells.styles) == {"chance"}


# ---- colours -------------------------------------------------------------------------------------------------------

# Brettel-like simulation of what is seen without one kind of cone, on linear RGB: Machado, Oliveira and Fernandes
# (2009), A physiologically-based model for simulation of color vision deficiency, severity 1.
SEEN = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(name, mode):
    c = np.array([int(theme.COLOURS[name][mode][i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    t = TO_XYZ @ np.clip(rgb, 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other, mode):
    high, low = sorted((TO_XYZ[1] @ linear(name, mode) for name in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out(mode):
    for name, least in (("ink", 7), ("soft", 4.5), ("over", 4.5), ("under", 4.5), ("good", 4.5), ("axis", 3)):
        assert contrast(name, "paper", mode) >= least, name  # WCAG 2: 4.5 for text, 3 for large text and marks
    for name in ("over", "under", "ink"):
        assert contrast(name, "band", mode) >= 3, name


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("seen", SEEN)
def test_sides_are_told_apart_by_everyone(seen, mode):
    matrix = np.asarray(SEEN[seen])
    colours = {name: lab(matrix @ linear(name, mode)) for name in ("over", "under", "band", "paper")}
    for one, other in itertools.combinations(colours, 2):
        if {one, other} != {"band", "paper"}:
            # 2.3 is just noticeable; 20 is another colour
            assert np.linalg.norm(colours[one] - colours[other]) > 20, (one, other)


def test_cells_have_a_sign():
    words = svg.draw(classwise.prepare(simulate(4000, temperature=3.0), most=0), alone=False)
    assert ">+</text>" in words
    assert ">\N{MINUS SIGN}</text>" in words


# ---- matplotlib ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pyplot():
    pytest.importorskip("matplotlib", reason="drawing on axes needs the extra 'plot'").use("Agg")
    module = importlib.import_module("matplotlib.pyplot")
    yield module
    module.close("all")


@pytest.mark.parametrize("batch", [BATCHES[name] for name in ("two", "three", "thousand", "one row", "hostile")])
def test_every_picture_is_drawn_on_axes(pyplot, batch, tmp_path):
    for i, record in enumerate(records(batch)):
        ax = plot.draw(record, mode="dark" if i % 2 else "light")
        drawn = scene(record).with_legend()
        np.testing.assert_allclose(ax.figure.get_size_inches() * 100, [drawn.width, drawn.height])
        assert len(ax.child_axes) == len(drawn.panels)
        ax.figure.savefig(tmp_path / "picture.png")
        pyplot.close(ax.figure)


def test_axes_of_the_reader_are_used(pyplot):
    figure, (left, right) = pyplot.subplots(1, 2)
    assert plot.draw(corp.prepare(BATCHES["three"]), left) is left
    plot.draw(reliability.prepare(BATCHES["three"]), ax=right)
    assert len(figure.axes) == 2
    assert [len(ax.child_axes) for ax in (left, right)] == [3, 3]  # square, histogram, legend


def test_axes_have_confidence_on_x_and_frequency_on_y(pyplot):
    record = reliability.prepare(BATCHES["three"])
    square, histogram, _ = plot.draw(record).child_axes
    assert square.get_ylabel().startswith("accuracy")
    assert histogram.get_xlabel().startswith("confidence")
    assert square.get_xlim() == square.get_ylim() == (0, 1)
    box = square.get_window_extent()
    assert box.width == pytest.approx(box.height)
    filled = record.filled
    drawn = np.vstack([marks.get_offsets() for marks in square.collections if len(marks.get_offsets()) > 0])
    expected = np.column_stack([record.mean_scores[filled], record.outcome_rates[filled]])
    for point in expected:
        assert np.abs(drawn - point).sum(1).min() < 1e-12


def test_hostile_names_are_not_formulas(pyplot):
    ax = plot.draw(replace(reliability.prepare(BATCHES["two"]), notion="class_wise", name=HOSTILE[0]))
    label = ax.child_axes[1].xaxis.label
    assert HOSTILE[0] in label.get_text()
    assert not label.get_parse_math()
    ax.figure.canvas.draw()


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("calibrant.plot.mpl.importlib.import_module", missing)
    with pytest.raises(MissingExtra, match=r"matplotlib must be installed .*; pip install 'calibrant\[plot\]'"):
        plot.draw(corp.prepare(BATCHES["two"], replicates=2))
