"""Numbers as people read them."""

import math

import pytest

from calibrant.plot.words import common_places, count, decimals, exact_percent, figure, percent, shortened


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0.08545, None, "0.0854"),
        (1.5, None, "1.5000"),
        (0.000512345, None, "0.000512"),
        (0.0, None, "0.0000"),
        (-0.00004, 4, "0.0000"),  # no minus before nothing
        (-0.25, 2, "−0.25"),
        (12345.678, 1, "12,345.7"),
        (math.inf, 3, "∞"),
        (-math.inf, 3, "−∞"),
        (math.nan, 3, "–"),
        (None, 3, "–"),
    ],
)
def test_figure(value, places, text):
    assert figure(value, places) == text


@pytest.mark.parametrize(("value", "text"), [(0.25, "+0.2500"), (-0.25, "−0.2500"), (math.inf, "+∞"), (0.0, "0.0000")])
def test_signed(value, text):
    assert figure(value, 4, sign=True) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.8812, "88.1%"), (1.0, "100.0%"), (0.0, "0.0%"), (0.00412, "0.41%"), (0.0000321, "0.0032%")]
)
def test_percent(share, text):
    assert percent(share) == text


def test_percent_of_nothing():
    assert percent(math.nan) == "–"


@pytest.mark.parametrize(("share", "text"), [(0.95, "95%"), (0.975, "97.5%"), (0.999, "99.9%")])
def test_a_chosen_share_keeps_its_digits(share, text):
    assert exact_percent(share) == text


def test_places():
    assert decimals(0.0123) == 4
    assert decimals(0.00123) == 5
    assert decimals(math.inf) == 4
    assert common_places([None, math.inf, 0.5, 0.00001]) == 4
    assert common_places([]) == 4


def test_counts():
    assert count(1, "row") == "1\N{NO-BREAK SPACE}row"
    assert count(4435, "row") == "4,435\N{NO-BREAK SPACE}rows"
    assert count(2, "class", "classes") == "2\N{NO-BREAK SPACE}classes"


def test_long_names_are_cut():
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"
