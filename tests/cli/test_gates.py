"""Gates: exit 1 if one that was asked for does not hold; the figures are written all the same."""

from __future__ import annotations

import json

import pytest
import typer

from calibrant.cli.parsing import Gate, listed


def test_a_gate_that_fails_exits_1_after_the_figures(run, files):
    choices = ("evaluate", files / "plain.npz", "--no-uncertainty", "--measures", "brier", "--json")
    ran = run(*choices, "--fail-above", "ece(bins=5)=0.0001", "--fail-below", "accuracy=0.01")
    assert ran.code == 1
    assert ran.err.startswith("calibrant: gate failed: ece(bins=5) is ")
    assert ran.err.count("\n") == 1
    told = json.loads(ran.out)
    assert [measure["spec"] for measure in told["measures"]] == ["brier", "ece(bins=5)", "accuracy"]
    assert [gate["passed"] for gate in told["gates"]] == [False, True]


def test_a_gate_that_holds_exits_0_and_says_so(call, files):
    ran = call("evaluate", files / "plain.npz", "--no-uncertainty", "--fail-above", "ece=0.9")
    assert (ran.code, ran.err) == (0, "")
    assert "gate passed: ece is" in ran.out


def test_a_gate_is_about_its_own_spec(call, files):
    """Two measures are called ece: the limit is for the one that is named."""
    choices = ("evaluate", files / "plain.npz", "--no-uncertainty", "--json", "--measures", "ece,ece(norm=2)")
    values = [measure["value"] for measure in json.loads(call(*choices).out)["measures"]]
    assert values[0] < values[1]
    between = sum(values) / 2
    assert call(*choices, "--fail-above", f"ece={between}").code == 0
    assert call(*choices, "--fail-above", f"ece(norm=2)={between}").code == 1


@pytest.mark.parametrize(
    ("above", "value", "passes"),
    [
        (True, 0.5, True),
        (True, 0.5000001, False),
        (True, float("inf"), False),
        (True, float("nan"), False),
        (False, 0.5, True),
        (False, 0.4999999, False),
        (False, float("nan"), False),
    ],
)
def test_the_limit_itself_passes_and_what_is_not_a_number_does_not(above, value, passes):
    assert Gate.of("ece=0.5", above=above).passes(value) is passes


def test_lists_are_split_outside_brackets():
    assert listed(["ece(bins=5, right=False),mce", "brier, "], "--measures") == [
        "ece(bins=5, right=False)",
        "mce",
        "brier",
    ]
    assert listed(["broken(,x"], "--measures") == ["broken(,x,"]
    with pytest.raises(typer.BadParameter):
        listed([" , "], "--measures")
