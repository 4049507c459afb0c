"""A short look at the size of every test; tools/test_sizes.py takes the long one and writes docs/theory/tests.md."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from calibrant import registry

TOOLS = Path(__file__).parents[4] / "tools"


@pytest.fixture(scope="module")
def tables():
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module("size_tables")
    sys.path.remove(str(TOOLS))
    for name in ("size_tables", "size_study", "simulated_sets", "power_picture", "page_tables"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def study(tables):
    return tables.study


def p_values(study, specs, k, n, sets):
    found = study.p_values(study.Job(tuple(specs), k, n, 1.0, 0, sets))
    return {study.Cell(spec, k, n): values for spec, values in zip(specs, found, strict=True)}


def test_bands_are_binomial(study):
    # 2,000 sets at 5 %: 100 rejections are expected, with a standard deviation of 9.7
    assert study.inside(100, 2000, 0.05, 240)
    assert study.inside(140, 2000, 0.05, 240)
    assert not study.inside(150, 2000, 0.05, 240)
    assert not study.inside(55, 2000, 0.05, 240)


def test_redrawn_tests_keep_their_level_on_few_rows(study):
    found = p_values(study, [*study.MIXED, *study.REDRAWN], k=4, n=40, sets=40)
    assert not study.broken(found)


def test_limits_hold_from_where_they_say(study):
    for spec, least in study.LIMIT.items():
        if least[3] <= 200:
            assert not study.broken(p_values(study, [spec], k=3, n=least[3], sets=100))


def test_a_wrong_level_is_told_where_one_is_claimed(study):
    wrong = np.repeat([0.001, 0.03, 0.5], [100, 100, 1800])  # 5 % rejected at 1 %, 10 % at 5 %, 10 % at 10 %
    redrawn, limit = study.REDRAWN[0], "spiegelhalter"
    [said] = study.broken({study.Cell(redrawn, 2, 50): wrong})
    assert said.endswith("[100, 200, 200] of 2000 rejected at (0.01, 0.05, 0.1), outside the band at [0.01, 0.05]")
    assert len(study.broken({study.Cell(limit, 2, 200): wrong})) == 1
    assert study.broken({study.Cell(limit, 2, 20): wrong}) == []


def test_a_run_that_was_cut_off_goes_on(study, tmp_path):
    cells = [study.Cell("spiegelhalter", 2, 20), study.Cell("spiegelhalter(rule='log_loss')", 2, 20)]
    cache = tmp_path / "p"
    study.run([*study.jobs(cells[:1], 150, {})][:1], 1, cache)
    with cache.open("a") as file:
        file.write('{"spec": "spiegelh')  # cut off while it was written
    missing = [*study.jobs(cells, 150, study.read(cache))]
    assert [(job.specs, job.start, job.stop) for job in missing] == [
        (("spiegelhalter(rule='log_loss')",), 0, 100),
        (("spiegelhalter", "spiegelhalter(rule='log_loss')"), 100, 150),
    ]
    assert not study.gathered(study.read(cache), cells, 150)
    study.run(missing, 1, cache)
    whole = study.gathered(study.read(cache), cells, 150)
    assert whole[cells[0]].tolist() == p_values(study, ["spiegelhalter"], 2, 20, 150)[cells[0]].tolist()
    assert not [*study.jobs(cells, 150, study.read(cache))]


def test_tables_say_what_was_found(study, tables):
    cells = study.null_cells()
    values = {cell: np.repeat([0.005, 0.03, 0.08, 0.5], [20, 80, 100, 1800]) for cell in cells}
    values[study.Cell("t_cal(replicates=99)", 10, 200)] = np.full(2000, 0.5)
    table = tables.size_table(values, study.REDRAWN, study.REDRAWN_ROWS)
    assert "| test, 2,000 sets | k | n = 50 | n = 200 |" in table
    assert "| `t_cal` | 10 | 1.0 / 5.0 / 10.0 | 0.0\\* / 0.0\\* / 0.0\\* |" in table
    del values[study.Cell("t_cal(replicates=99)", 3, 50)]
    table = tables.size_table(values, study.REDRAWN, study.REDRAWN_ROWS)
    assert "| `t_cal` | 3 | – | 1.0 / 5.0 / 10.0 |" in table
    assert tables.size_table(values, [study.BLOCK], [50]).endswith("| 100 | (1.0 / 5.0 / 10.0) |")


def test_every_test_has_its_rows_on_the_page(study, tables):
    named = {spec.split("(")[0] for spec in study.SPECS}
    # Those of features are on the page of local calibration.
    assert {e.name for e in registry.entries("test") if not e.capabilities.needs_features} <= named
    page = tables.PAGE.read_text()
    for spec in study.SPECS:
        shown = re.findall(rf"^\| `{re.escape(tables.plain(spec))}` \| (\d+) \|", page, re.M)
        assert {int(k) for k in shown} == set(study.CLASSES), spec


def test_the_page_claims_no_level_that_was_not_found(tables):
    page = tables.PAGE.read_text()
    places = [
        re.search(rf"<!-- table: {name} sizes -->\n(.*?)<!-- end -->", page, re.S)[1] for name in ("redrawn", "limit")
    ]
    for place in places:
        assert place.startswith("| test, 2,000 sets |")
        for line in place.splitlines():
            for size in line.split("|")[3:-1]:
                assert "*" not in size or size.strip().startswith("("), line


def test_peers_are_recorded_with_their_versions(tables):
    record = json.loads(tables.PEERS.read_text())
    assert {"scipy", "statsmodels"} <= set(record["versions"])
    assert all(one["undefined"] == 0 for one in record["found"])
    told, found = tables.peers()
    assert record["versions"]["statsmodels"] in told
    assert told in tables.PAGE.read_text()
    assert {cell.temperature for cell in found} == {1.0, *tables.study.CURVE_TEMPERATURES}
