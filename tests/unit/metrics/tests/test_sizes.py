"""A short look at the size of every test; tools/test_sizes.py takes the long one and writes docs/theory/tests.md."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[4] / "tools" / "test_sizes.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("size_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["size_tool"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["size_tool"]


def test_bands_are_binomial(tool):
    # 2,000 sets at 5 %: 100 rejections are expected, with a standard deviation of 9.7
    assert tool.inside(100, 2000, 0.05, 240)
    assert tool.inside(140, 2000, 0.05, 240)
    assert not tool.inside(150, 2000, 0.05, 240)
    assert not tool.inside(55, 2000, 0.05, 240)


def test_redrawn_tests_keep_their_level_on_few_rows(tool):
    found = list(tool.cells(tool.REDRAWN, k=4, n=40, sets=60, pool=None))
    assert [cell.spec for cell in found] == tool.REDRAWN
    assert not tool.broken(found)


def test_normal_tests_keep_their_level_from_where_they_say(tool):
    for spec, n in tool.NORMAL.items():
        found = list(tool.cells([spec], k=4, n=n, sets=100, pool=None))
        assert not tool.broken(found)


def test_a_wrong_level_is_told(tool):
    wrong = [tool.Cell("t_cal(replicates=99)", 2, 200, 2000, (0.05, 0.1, 0.2))]
    assert tool.broken(wrong)
    assert tool.broken([tool.Cell("spiegelhalter", 2, 100, 2000, (0.05, 0.1, 0.2))]) == []


def test_every_test_has_a_row(tool):
    from calibrant import registry

    named = {spec.split("(")[0] for spec in tool.SPECS}
    assert {entry.name for entry in registry.entries("test")} <= named


def test_the_tables_show_what_was_found(tool):
    found = [
        tool.Cell(spec, k, n, 100, (0.01, 0.05, 0.9)) for spec in tool.SPECS for k in tool.CLASSES for n in tool.ROWS
    ]
    table = tool.size_table(found)
    assert "| `t_cal` | 10 | 1.0 / 5.0 / 90.0* | 1.0 / 5.0 / 90.0* |" in table
