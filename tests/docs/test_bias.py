"""A short look at the bias of calibrated pairs; tools/bias_tables.py takes the long one for docs/theory/bias.md."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETS = 100


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("bias_tables")


@pytest.mark.parametrize("key", [("Beta(12, .9)", 1_000), ("Beta(3, 1.2)", 1_000)], ids=str)
def test_the_published_means_come_out(tool, key):
    found = tool.cells(dict.fromkeys(tool.PUBLISHED_SPECS.values(), SETS), *key)
    for spec, theirs in zip(tool.PUBLISHED_SPECS.values(), tool.PUBLISHED[key], strict=True):
        # Four standard errors of both means: ten cells fail for 1 in 1,600 other seeds
        assert abs(tool.distance(found[spec], theirs)) < 4, spec


def test_many_more_bins_are_told_apart(tool):
    found = tool.cells({"sce(bins=30)": SETS}, "Beta(12, .9)", 1_000)
    assert abs(tool.distance(found["sce(bins=30)"], 0.0146)) > 4


def test_the_page_shows_the_published_means(tool):
    page = importlib.import_module("page_tables").place(tool.PAGE, "published")
    shown = {}
    for row in re.findall(r"^\| .*\|$", page, re.M):
        name, n, *values = (cell.strip() for cell in row.strip("|").split("|"))
        published = re.findall(r"\[(\S+)\]", " ".join(values))
        if published:
            shown[name, int(n.replace(",", ""))] = published
    known = {key: [tool.figure(v) for v in values if v is not None] for key, values in tool.PUBLISHED.items()}
    assert shown == known


def test_the_page_has_every_measure_of_the_lists(tool):
    page = importlib.import_module("page_tables")
    for number in range(len(tool.SCORES)):
        listed = re.findall(r"^\| `(.*?)` \|", page.place(tool.PAGE, f"others-{number}"), re.M)
        assert listed == list(tool.OTHERS)
    for temperature in tool.TEMPERATURES:
        listed = re.findall(r"^\| `(.*?)` \|", page.place(tool.PAGE, f"classes-{temperature:g}"), re.M)
        assert list(dict.fromkeys(listed)) == list(tool.BY_CLASSES)
