"""All about one method, in words: what it computes, its estimand, how it may be used, and what others compute.

Everything is read from the registry, from docstrings and from the records of other packages; nothing is kept here.
"""

from __future__ import annotations

import html
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrant import registry
from calibrant.estimate import strict
from calibrant.metrics.base import Metric
from calibrant.metrics.peers import PeerDefinition, PeerMeasure, definitions
from calibrant.metrics.tests.base import CalibrationTest
from calibrant.predictions import Predictions
from calibrant.registry import Entry

KINDS = ("calibrator", "measure", "test", "notion", "estimator")
_MERGING = {
    "exact": "sums merge, exactly",
    "approximate": "sums merge, within a stated bound",
    "collecting": "rows are kept, so memory grows with them",
}
_REPEATS = {
    True: "an integer weight is a repetition of its row",
    False: "a repeated row is not taken for an independent one",
}


@dataclass(frozen=True, kw_only=True)
class Article:
    """All about one method.

    Attributes
    ----------
    entry : what is registered. facts : sentences of what it declares, by topic. background : the docstring of its file,
    with the formula. options : what the options mean, where the method is a preset of a family. peers : what other
    packages compute under this name.
    """

    entry: Entry
    facts: dict[str, str]
    background: str
    options: str
    peers: tuple[PeerDefinition, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record."""
        entry = self.entry
        told = {"kind": entry.kind, "name": entry.name, "doc": entry.doc, "reference": entry.reference}
        defaults = {name: value if _plain(value) else repr(value) for name, value in entry.options.items()}
        about = {"facts": self.facts, "background": self.background, "options_doc": self.options}
        return {**told, "options": strict(defaults), **about, "elsewhere": [peer.to_dict() for peer in self.peers]}

    def sections(self) -> Iterator[tuple[str, list[str]]]:
        """Yield titles with their lines; what is empty is left out."""
        entry = self.entry
        defaults = ", ".join(f"{name}={value!r}" for name, value in entry.options.items())
        facts = {**self.facts, "options": defaults or "none", "source": entry.reference}
        yield f"{entry.name} ({entry.kind})", [*entry.doc.splitlines()]
        yield "In short", [f"{topic}: {fact}" for topic, fact in facts.items() if fact]
        if self.background:
            yield "How it is computed", self.background.splitlines()
        if self.options:
            yield "The family and its options", self.options.splitlines()
        for peer in self.peers:
            faults = [f"- known fault: {fault}" for fault in peer.faults]
            lines = [peer.called(), *(f"- {difference}" for difference in peer.differs), *faults]
            yield f"{peer.package} {peer.version}, {peer.spec}", lines


@dataclass(frozen=True)
class Explanation:
    """The articles on a name; it shows itself as text."""

    articles: tuple[Article, ...]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return strict-JSON records, one a method of this name."""
        return [article.to_dict() for article in self.articles]

    def sections(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the titles and lines of all articles."""
        for article in self.articles:
            yield from article.sections()

    def __repr__(self) -> str:
        indented = ((title, [f"  {line}".rstrip() for line in lines]) for title, lines in self.sections())
        return "\n\n".join("\n".join([title, *lines]) for title, lines in indented)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def explain(spec: str) -> Explanation:
    """Return all about a method by its name or spec: calibrator, measure, test, notion or estimator.

    ``explain("ece")`` tells what is computed and how other packages differ, ``explain("ece(like='netcal')")`` of one
    package. ``UnknownMethod`` with a suggestion for a name that nothing has.
    """
    name, options = registry.parse(spec)
    known = [entry for kind in KINDS for entry in registry.entries(kind)]
    named = [entry for entry in known if entry.name == name]
    if not named:
        raise registry.unknown("method", name, [entry.name for entry in known])
    return Explanation(tuple(_article(entry, options) for entry in named))


def _article(entry: Entry, options: dict[str, Any]) -> Article:
    built = registry.build(entry, options)
    peer = built.definition if isinstance(built, PeerMeasure) else None
    family = type(registry.build(entry, {}) if peer else built)
    doc = inspect.getdoc(family) or ""
    return Article(
        entry=entry,
        facts=_facts(entry, built),
        background=inspect.cleandoc(sys.modules[family.__module__].__doc__ or ""),
        options="" if doc == entry.doc else doc,
        peers=(peer,) if peer else tuple(one for one in definitions() if _names(one, entry)),
    )


def _names(peer: PeerDefinition, entry: Entry) -> bool:
    return (entry.kind, entry.name) == ("measure", peer.measure)


def _facts(entry: Entry, built: Any) -> dict[str, str]:
    """Return what the method declares, in words."""
    if not isinstance(built, Metric | CalibrationTest):
        return entry.capabilities.words() if entry.kind == "calibrator" else {}
    said = _of_measure(built) if isinstance(built, Metric) else {"null hypothesis": built.null, "level": built.level}
    merging = _merging(built)
    told = {**said, "shards and streams": _MERGING[merging]}
    cost = entry.capabilities.cost
    # where rows are kept, the default of a single pass is what was not declared
    known = merging != "collecting" or cost != registry.Capabilities.cost
    return {**told, "cost": cost} if known else told


def _of_measure(metric: Metric) -> dict[str, str]:
    if isinstance(metric, PeerMeasure):
        return {"estimand": metric.estimand}
    low, high = metric.bounds
    perfect = "" if metric.perfect is None else f", {metric.perfect:g} where every row is certain and right"
    better = "smaller" if metric.smaller_is_better else "larger"
    return {
        "estimand": metric.estimand,
        "values": f"from {low:g} to {high:g}{perfect}; {better} is better",
        "interval": _interval(metric),
        "weights": _REPEATS[metric.repeats],
    }


def _interval(metric: Metric) -> str:
    if metric.bootstraps:
        return "by the bootstrap"
    if type(metric).own_interval is not Metric.own_interval:
        return "one of its own, without resampling"
    if metric.costly:
        redrawn = f"consistency(measure={registry.literal(metric.spec)})"
        return f"none, and no null level, which takes too long: the test {redrawn} redraws the labels"
    return "none by the bootstrap: compare with the null level"


def _merging(method: Metric | CalibrationTest) -> str:
    """Return how the sums of the method merge: those of three rows tell it."""
    rows = Predictions.from_probabilities(np.eye(3), np.arange(3), groups=np.arange(3), features=np.eye(3))
    return method.statistic(rows).merging


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
