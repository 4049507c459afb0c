"""Write the gallery: one page for each kind of picture, with the code that draws it and what the code drew.

Every block of code is run as it stands on the page and leaves an SVG in ``drawn``. ``--check`` writes nothing and exits
1 if a page or a picture is missing or a page is out of date.
Usage: python tools/make_gallery.py [--check] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = """\
from calibrant import data
from calibrant.plot import {module}, svg

predictions = data.example("satellite")
drawn = svg.draw({module}.prepare(predictions{options}))"""
SIMULATED = """\
import numpy as np
from calibrant import Predictions


def simulated(n, k, temperature=2.0):
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(n, k))
    shares = np.exp(logits / temperature).cumsum(axis=1)
    labels = (shares < shares[:, -1:] * rng.random((n, 1))).sum(axis=1)
    return Predictions.from_logits(logits, labels)


"""
CLUSTERS = """\
import numpy as np
from calibrant import Predictions


def clusters(n, right):
    rng = np.random.default_rng(0)
    cluster = rng.integers(8, size=n)
    features = 4 * rng.normal(size=(8, 5))[cluster] + rng.normal(size=(n, 5))
    confidence = np.where(cluster == 0, 0.9, rng.uniform(0.5, 0.99, size=n))
    chance = np.where(cluster == 0, right, confidence)
    labels = (rng.random(n) < chance).astype(int)
    return Predictions.binary(confidence, labels, features=features)


"""


@dataclass(frozen=True)
class Picture:
    """A heading, the code that leaves a picture, and what is to be seen."""

    file: str
    heading: str
    code: str
    seen: str


@dataclass(frozen=True)
class Page:
    """A kind of picture."""

    file: str
    title: str
    text: str
    pictures: tuple[Picture, ...]


def example(module: str, file: str, seen: str, options: str = "", heading: str = "The embedded example") -> Picture:
    """Return a picture of the embedded example."""
    return Picture(file, heading, EXAMPLE.format(module=module, options=options), seen)


PAGES = (
    Page(
        "reliability",
        "Reliability diagram",
        "How often the top class is right, against how sure the scores are, in bins of equal width, with the "
        "histogram of the scores beneath. The bar at each mark is the gap. The grey band tells where the bins of a "
        "calibrated model with the same scores lie; it is computed exactly from the scores (Poisson-binomial), so it "
        "costs nothing to draw. Full marks are beyond it, hollow ones within chance.",
        (
            example("reliability", "reliability", "Almost all rows are in the last bin, and it is over-confident."),
            example(
                "reliability",
                "reliability-bootstrap",
                "The band is now about what happened: where it misses the diagonal, the bin is beyond chance.",
                ', band="bootstrap"',
                "Intervals of the bins instead",
            ),
            Picture(
                "reliability-soft",
                "Soft labels",
                SIMULATED.partition("\n\n\n")[0]
                + "\nfrom calibrant.plot import reliability, svg\n\n"
                + "shares = np.random.default_rng(0).dirichlet(np.ones(3), size=2000)\n"
                + "predictions = Predictions.from_probabilities(shares, 0.8 * shares + 0.2 / 3)\n"
                + "drawn = svg.draw(reliability.prepare(predictions))",
                "Labels that are shares are less noisy than labels drawn from the scores, nobody knows by how much. "
                "There is no band then, in this and in every other picture, and all marks are full.",
            ),
            Picture(
                "reliability-few",
                "Fifty rows of two classes",
                SIMULATED
                + "from calibrant.plot import reliability, svg\n\n"
                + "drawn = svg.draw(reliability.prepare(simulated(50, 2)))",
                "Fifty rows are little evidence: the bands are wide. Confidence cannot be below one half here.",
            ),
        ),
    ),
    Page(
        "classes",
        "Class by class",
        "The probability of each class against how often it occurs, the worst class first. Of many classes a dozen are "
        "drawn; the map has them all, each cell the gap of the rows of a class whose probability lies in a bin. "
        "Coloured cells are beyond chance, all cells together; grey ones are not, and where nothing is drawn there "
        "are no rows. Above forty classes neighbours share a row, the most probable first.",
        (
            example(
                "classwise",
                "classes",
                "Three soils are taken for one another: given 90%, damp grey soil occurs far less often.",
                ", most=4",
            ),
            Picture(
                "classes-many",
                "A thousand classes",
                SIMULATED
                + "from calibrant.plot import classwise, svg\n\n"
                + "drawn = svg.draw(classwise.prepare(simulated(20_000, 1000, 1.3), most=8))",
                "Twenty-five classes of similar mean probability share a row of the map and are pooled, which shows "
                "what single classes with twenty rows each cannot.",
            ),
        ),
    ),
    Page(
        "predicted-classes",
        "By predicted class",
        "Of the rows in which a class is predicted: how often it is right, against the confidence. The class that adds "
        "most to the error of all rows comes first. This is top-label calibration in the sense of Gupta and Ramdas "
        "(2022), which confidence calibration averages over.",
        (
            example(
                "classwise",
                "predicted-classes",
                "Over-confidence is much worse where damp grey soil is predicted than elsewhere.",
                ', notion="top_label"',
            ),
        ),
    ),
    Page(
        "corp",
        "Without bins: CORP",
        "Isotonic regression of being right on the confidence chooses the bins itself (Dimitriadis, Gneiting and "
        "Jordan, 2021). The band comes from outcomes redrawn from the scores and refitted.",
        (
            example("corp", "corp", "The curve lies under the diagonal and outside the band from 55% on."),
            Picture(
                "corp-million",
                "A million rows of three classes",
                SIMULATED
                + "from calibrant.plot import corp, svg\n\n"
                + "drawn = svg.draw(corp.prepare(simulated(1_000_000, 3, 1.1)))",
                "Drawn from 4,096 groups of neighbouring scores. The curve is close to the diagonal, and still beyond "
                "chance.",
            ),
        ),
    ),
    Page(
        "cumulative",
        "Without bins: cumulative differences",
        "Rows in the order of their confidence; the curve adds up being right minus the confidence. Its slope is the "
        "gap, its largest distance from zero the Kolmogorov-Smirnov error. The band holds the whole curve of a "
        "calibrated model, not each point of it.",
        (
            example("cumulative", "cumulative", "The curve falls most among the least confident fifth of the rows."),
            Picture(
                "cumulative-fair",
                "A calibrated model",
                SIMULATED
                + "from calibrant.plot import cumulative, svg\n\n"
                + "drawn = svg.draw(cumulative.prepare(simulated(2000, 3, 1.0)))",
                "The curve stays within the band.",
            ),
        ),
    ),
    Page(
        "confusion",
        "Confusion of confidence",
        "Where the classifier puts probability on one class (the column), how much more or less often does each class "
        "(the row) occur than it says? Both are weighted by the probability of the column. Point at a cell to read "
        "both, and the mean probability given to the column's class in the rows with the row's label. All cells of a "
        "calibrated model are zero up to chance.",
        (
            example(
                "confusion",
                "confusion",
                "Where damp grey soil is believed in, it occurs less often than it says, and very damp grey and grey "
                "soil more often.",
            ),
            Picture(
                "confusion-many",
                "A thousand classes",
                SIMULATED
                + "from calibrant.plot import confusion, svg\n\n"
                + "drawn = svg.draw(confusion.prepare(simulated(20_000, 1000, 1.3), most=8))",
                "The worst classes, and all others as one. Among so many pairs nothing is beyond chance.",
            ),
        ),
    ),
    Page(
        "simplex",
        "Three classes on the triangle",
        "Arrows from the mean prediction to the observed frequencies, in small triangles of the predictions; corners "
        "are certainty. Coloured arrows are beyond chance, all arrows together: of a calibrated model 95% of the "
        "pictures have none.",
        (
            Picture(
                "simplex",
                "Over-confidence",
                SIMULATED
                + "from calibrant.plot import simplex, svg\n\n"
                + "drawn = svg.draw(simplex.prepare(simulated(20_000, 3)))",
                "The coloured arrows lead away from the corners: what happens is less certain than what is said.",
            ),
            Picture(
                "simplex-few",
                "Fifty rows",
                SIMULATED
                + "from calibrant.plot import simplex, svg\n\n"
                + "drawn = svg.draw(simplex.prepare(simulated(50, 3)))",
                "Few rows make few, large cells; nothing is beyond chance.",
            ),
        ),
    ),
    Page(
        "risk",
        "Errors in counts",
        "How many rows of each bin are wrong, beside how many should be if the confidence were right, with the exact "
        "band of that number (Poisson-binomial).",
        (example("risk", "risk", "The most confident bin should hold about 15 errors and holds over 250."),),
    ),
    Page(
        "local-map",
        "Where it is wrong: the map of the features",
        "Predictions with features lie in a space, here drawn on its first two principal axes. The colour of a cell is "
        "the mean local gap of its rows: being right minus the confidence, averaged over the rows around each, itself "
        "left out. Full cells are beyond chance, all cells together: of a calibrated model 95% of the maps have none. "
        "The worst regions, clusters of the features whose gaps have intervals that hold together, are outlined and "
        "numbered.",
        (
            example(
                "local_map",
                "local-map",
                "The over-confidence is worst in a narrow part on the left, where grey and damp grey soil are "
                "predicted; on the right nothing is beyond chance.",
            ),
            Picture(
                "local-map-planted",
                "One bad cluster",
                CLUSTERS
                + "from calibrant.plot import local_map, svg\n\n"
                + "drawn = svg.draw(local_map.prepare(clusters(4000, right=0.5)))",
                "Calibrated but for one cluster, where the confidence is 90% and half of the rows are right.",
            ),
        ),
    ),
    Page(
        "local-support",
        "By local support",
        "Is the classifier as well calibrated where few rows are around as where there are many? Tenths of the rows by "
        "their effective number of neighbours, with the gap and the ECE of each, and the bands of labels drawn from "
        "the scores.",
        (example("local_support", "local-support", "Rows with few others around are the most over-confident."),),
    ),
)

INDEX = """\
# Gallery

Every picture is made in two steps: `prepare` computes a record from labelled predictions, and the record is drawn as
SVG, which needs nothing else, or on axes of matplotlib, which comes with the extra `plot`. Confidence is on the x axis
and frequency on the y axis. Vermilion and pointing down is over-confident, blue and pointing up under-confident; full
is beyond chance, hollow within; of soft labels no picture tells the two apart. Pictures follow the light or dark
scheme of the reader.

```python
from calibrant import data, plot
from calibrant.plot import corp, svg

picture = corp.prepare(data.example("satellite"))
text = svg.draw(picture)                 # an SVG that stands alone
axes = plot.draw(picture)                # a new figure of matplotlib
axes.figure.savefig("corp.png")
```

`plot.draw(picture, ax)` draws within axes of yours, and `mode="dark"` for a dark ground.

| picture | shows |
| --- | --- |
{rows}
"""


def page(told: Page) -> str:
    """Return the Markdown of one page."""
    parts = [f"# {told.title}", told.text]
    for picture in told.pictures:
        parts += [f"## {picture.heading}", f"```python\n{picture.code}\n```", f"![{told.title}]({picture.file}.svg)"]
        parts.append(picture.seen)
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Return the Markdown of the list of pages."""
    rows = [f"| [{told.title}]({told.file}.md) | {told.text.split('. ')[0].rstrip('.')}. |" for told in PAGES]
    return INDEX.format(rows="\n".join(rows))


def drawn(picture: Picture) -> str:
    """Run the code of a picture and return what it leaves."""
    names: dict[str, object] = {}
    exec(compile(picture.code, picture.file, "exec"), names)
    return str(names["drawn"]) + "\n"


def stale(folder: Path) -> list[str]:
    """Return the files that are missing, and the pages that are out of date."""
    found = [
        f"{name}.md"
        for name, text in texts().items()
        if not (folder / f"{name}.md").exists() or (folder / f"{name}.md").read_text() != text
    ]
    pictures = [f"{picture.file}.svg" for told in PAGES for picture in told.pictures]
    return found + [name for name in pictures if not (folder / name).exists()]


def texts() -> dict[str, str]:
    """Return the pages by name."""
    return {"index": index(), **{told.file: page(told) for told in PAGES}}


def write(folder: Path) -> None:
    """Write all pages and pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / f"{name}.md").write_text(text)
    for told in PAGES:
        for picture in told.pictures:
            (folder / f"{picture.file}.svg").write_text(drawn(picture))


def main() -> int:
    """Write the gallery; with --check, return 1 if something is missing or out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "gallery")
    options = parser.parse_args()
    if not options.check:
        write(options.folder)
        return 0
    found = stale(options.folder)
    if found:
        print(f"out of date, run python tools/make_gallery.py: {', '.join(found)}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
