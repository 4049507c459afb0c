"""Does ``like=`` give what other packages give? Recorded by tools/record_peers.py on the inputs of peer_inputs.py."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics.peers import definitions, measure_like
from peer_inputs import NAMES, make

RECORDED = json.loads((Path(__file__).parent / "peers.json").read_text())
DEFINITIONS = {(peer.measure, peer.package): peer for peer in definitions()}
# Scores on the edges of 15 bins: the last bit of torch's float32 softmax decides. A note of the measure says so.
LAST_BIT = ("guo", "float32_ties")
batch = cache(lambda name: Predictions.from_probabilities(*make(name)))


@pytest.mark.parametrize("record", RECORDED["values"], ids=lambda r: " ".join(map(str, list(r.values())[:4])))
def test_the_number_of_the_package(record):
    peer = DEFINITIONS[record["measure"], record["package"]]
    found = measure_like(peer.measure, peer.package, bins=record["bins"])(batch(record["input"]))
    if "raises" in record:
        assert np.isnan(float(found))
        assert record["raises"] in found.notes[0]
        return
    if (record["package"], record["input"]) == LAST_BIT:
        assert any("last bit" in note for note in found.notes)
        return
    single = batch(record["input"]).probabilities.dtype == np.float32
    rounding = max(peer.rounding, peer.rounding_single) if single else peer.rounding
    expected = float(record["value"])
    # statistics in units of a standard error are of order ten: their rounding is relative
    assert float(found) == pytest.approx(expected, abs=rounding * max(1, abs(expected)), rel=0, nan_ok=True)


def test_every_definition_is_recorded_with_its_version_and_bins_on_all_inputs():
    recorded = {(r["measure"], r["package"], r["bins"], r["input"]) for r in RECORDED["values"]}
    for peer in (one for one in definitions() if not one.on_features):  # these are no packages that could be run
        assert RECORDED["versions"][peer.package] == peer.version
        assert {(peer.measure, peer.package, peer.bins, name) for name in NAMES} <= recorded


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("smece relplot", 0.1180678186),
        ("sce kull", 0.2670495132),
        ("sce uncertainty-calibration", 0.0647828526),
        ("squared_ce uncertainty-calibration", 0.1251264021),
        ("mmce netcal", 0.0984143),
    ],
)
def test_the_figures_of_the_golden_set(spec, value):
    """Ten digits as published in the notes on the golden set, half a unit of the last one; mmce has seven."""
    digits = 5e-8 if spec.startswith("mmce") else 5.1e-11
    assert float(measure_like(*spec.split())(batch("golden"))) == pytest.approx(value, abs=digits, rel=0)
