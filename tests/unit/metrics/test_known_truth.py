"""Does each measure come to the truth it targets, and is the mean of the unbiased ones the truth?

The list of targets and the claims are in `known_truths` and `unbiased_claims`; docs/theory/known-truth.md is made from
them too. The band of a sample of n rows is four standard errors and the bias that the list allows.
"""

import importlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from calibrant import methods
from calibrant.metrics import measure
from known_truths import COLUMNS, ELSEWHERE, MODELS, NEARLY, TARGETS, TRUTHS
from populations import Population
from unbiased_claims import BAND, CLAIMS, REPEATS

N = 200_000
ROOT = np.sqrt(N)
REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs" / "theory" / "known-truth.md"
AT = [(model, target) for model in MODELS for target in TARGETS if target.k == model.k]
# Every claim at one population of each kind; docs/theory/known-truth.md has them at all.
CLAIMED = [(model, claim) for model in (Population(2, 1.5), Population(3, 2)) for claim in CLAIMS[model.k]]


@cache
def sample(model):
    return model.draw(N, 0)


def named(pair):
    model, what = pair
    return f"{model.k}-{model.temperature:g}-{getattr(what, 'column', '')}-{what.spec}"


@pytest.mark.parametrize("pair", AT, ids=named)
def test_a_measure_comes_to_its_column(pair):
    model, target = pair
    found, known = float(measure(target.spec)(sample(model))) / target.unit, TRUTHS[model][target.column]
    noise = 4 * target.spread(known) / ROOT
    assert known - noise - target.below < found < known + noise + target.above


@pytest.mark.parametrize("spec", ["sce(bins=100)", "recalibration_error(folds=2)", "tl_ece(bins=100)"])
def test_another_model_is_outside_the_band(spec):
    value = float(measure(spec)(sample(Population(3, 1.5))))
    (target,) = (t for t in TARGETS if t.k == 3 and t.spec == spec)
    wrong = TRUTHS[Population(3, 2)][target.column]
    assert value < wrong - 4 * target.spread(wrong) / ROOT


@pytest.mark.parametrize("pair", CLAIMED, ids=named)
def test_the_mean_of_an_unbiased_measure_is_the_truth(pair):
    # 99 % bands over 200 seeded samples; all are inside with this seed, as with 2,000 other samples (the page).
    model, claim = pair
    found = claim.draw(model, REPEATS)
    assert abs(found.mean() - claim.exact(model)) < BAND * found.std(ddof=1) / np.sqrt(REPEATS)


@pytest.mark.parametrize(
    ("spec", "debiased"),
    [
        ("rmsce(root=False, bins=5)", "squared_ce(binning='width', bins=5)"),
        ("skce(bandwidth=0.5, estimator='biased')", "skce(bandwidth=0.5)"),
    ],
)
def test_a_plug_in_is_not_in_its_band(spec, debiased):
    model = Population(3, 2)
    (claim,) = (c for c in CLAIMS[3] if c.spec == debiased)
    found = replace(claim, spec=spec).draw(model, REPEATS)
    assert found.mean() > claim.exact(model) + BAND * found.std(ddof=1) / np.sqrt(REPEATS)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.k}-{m.temperature:g}")
def test_quadrature_gives_the_truths(model):
    nodes = model.nodes(15, 12)
    p, q, gap = nodes.p, nodes.q, nodes.q - nodes.p
    kl = (q * np.log(q / p)).sum(1)
    found = {"KL": kl, "NLL": -(q * np.log(p)).sum(1)}
    brier = 1 - 2 * (p * q).sum(1) + (p**2).sum(1)
    if model.k == 2:
        found |= {"L1": np.abs(gap[:, 1]), "L2²": gap[:, 1] ** 2, "Brier": brier / 2}
        found["cut-off"] = np.where(p[:, 1] < 0.5, gap[:, 1], 0)  # of one sign on each half
    else:
        found |= {"canonical L1": np.abs(gap).sum(1), "canonical L2²": (gap**2).sum(1), "Brier": brier}
        found |= {"accuracy": nodes.top[1], "top-label L1": nodes.top[0] - nodes.top[1]}  # over-confident throughout
    for column, values in found.items():
        # Roots at the edge cost the quadrature 4e-5 at most; the truths have six decimals
        assert nodes.mean(values) == pytest.approx(TRUTHS[model][column], abs=4e-5), column


@pytest.mark.parametrize("model", [Population(3, 1.5), Population(3, 2)], ids=lambda m: f"{m.temperature:g}")
def test_fine_bins_give_the_conditional_truths(model):
    nodes = model.nodes(60, 3)
    bins = [(column * 60).astype(int) for column in nodes.p.T]
    class_wise = np.mean([nodes.squared_gap(nodes.p[:, c], nodes.q[:, c], bins[c]) for c in range(3)])
    confidence, rate, _ = nodes.top
    top_label = nodes.squared_gap(confidence, rate, (confidence * 60).astype(int))
    # Bins of width 1/60 miss what varies within them, under 0.3 %
    assert class_wise == pytest.approx(TRUTHS[model]["class-wise L2²"], rel=3e-3)
    assert top_label == pytest.approx(TRUTHS[model]["top-label L2²"], rel=3e-3)


def test_every_measure_has_a_column_or_a_reason():
    targeted = {re.match(r"\w+", t.spec)[0] for t in [*TARGETS, *NEARLY]}
    assert targeted | set(ELSEWHERE) == {entry.name for entry in methods() if entry.kind == "measure"}
    assert not targeted & set(ELSEWHERE)
    for k, columns in COLUMNS.items():
        assert {t.column for t in [*TARGETS, *NEARLY] if t.k == k} == set(columns)


def test_the_page_is_made_from_the_list(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "tools")
    tool, place = importlib.import_module("known_truth_tables"), importlib.import_module("page_tables").place
    for k in (2, 3):
        assert place(PAGE, f"targets-{k}") == tool.targets(k)
    assert place(PAGE, "elsewhere") == tool.elsewhere()
    for model in MODELS:
        for kind, listed in (("values", [*TARGETS, *NEARLY]), ("unbiased", CLAIMS[model.k])):
            shown = re.findall(r"`([^`]+\)|\w+)`", place(PAGE, f"{kind}-{tool.name(model)}"))
            assert [s for s in shown if s != "unc"] == [t.spec for t in listed if t.k == model.k]
