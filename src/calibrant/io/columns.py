"""The conventions of a file of predictions: which field is what. docs/files.md says them in words.

`by_field` joins the columns ``PREFIX:NAME``; `planned` says which field holds the scores and of which kind,
what else comes along, and what is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calibrant.errors import DataError, sentence
from calibrant.io.tables import Field, Holds, Table, few, unreadable
from calibrant.predictions import Kind

# A prefix speaks of one class or feature, the field of all: probability:cat is part of probabilities.
_PLURALS = {"probability": "probabilities", "logit": "logits", "feature": "features", "label": "labels"}
_PREFIX = re.compile(f"(?P<before>(?:.*[^a-z])?)(?P<one>{'|'.join(_PLURALS)}):(?P<name>.*)", re.DOTALL)
_PROBABILITY_WORDS = {"prob", "probs", "proba", "probability", "probabilities"}
_LOGIT_WORDS = {"logit", "logits"}

# What comes along with the scores, and what each holds.
COMPANIONS: dict[str, Holds] = {
    "labels": "labels",
    "weights": "numbers",
    "features": "numbers",
    "groups": "keys",
    "ids": "keys",
}
CLASS_NAMES = "class_names"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which fields of a file are read, as what, and what is to be said about it."""

    scores: Field
    kind: Kind
    companions: Mapping[str, Field]
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def fields(self) -> list[Field]:
        """The fields to read, the scores first."""
        return [self.scores, *self.companions.values()]


def by_field(names: Sequence[str], path: str) -> dict[str, Field]:
    """Return the fields of a file with these columns: columns ``PREFIX:NAME`` of a prefix are one field."""
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise unreadable(path, "have distinct columns", f"{double[0]!r} twice")
    columns: dict[str, list[str]] = {}
    members: dict[str, list[str]] = {}
    for column in names:
        match = _PREFIX.fullmatch(column)
        name = match["before"] + _PLURALS[match["one"]] if match else column
        columns.setdefault(name, []).append(column)
        members.setdefault(name, []).extend([match["name"]] if match else [])
    fields = {name: Field(name, tuple(columns[name]), tuple(members[name])) for name in columns}
    for field in fields.values():
        _check_wide(field, path)
    return fields


def _check_wide(field: Field, path: str) -> None:
    if field.wide and len(field.members) < len(field.columns):
        raise unreadable(path, f"state {field.name} once", f"{field.name!r} beside {_one_of(field)!r}")
    if "" in field.members:
        got = repr(field.columns[field.members.index("")])
        raise unreadable(path, "have a name after the colon of each column", got)


def _one_of(field: Field) -> str:
    return next(column for column in field.columns if column != field.name)


def planned(table: Table, scores: str | None, marks: str | None) -> Plan:
    """Return the plan for a file.

    Parameters
    ----------
    scores : name of the field that holds the scores; None means ``probabilities`` or ``logits``.
    marks : name of the field by which rows are selected, so that it counts as used.
    """
    field = _scores_field(table, scores)
    companions = {name: table.fields[name] for name in COMPANIONS if name in table.fields}
    if marks is not None and marks not in table.fields:
        way_out = f"the file has {few(list(table.fields))}"
        raise unreadable(table.path, f"have the {table.noun} of rows=", repr(marks), way_out=way_out)
    classes, notes = _classes(table, field)
    _check_soft_labels(table, companions.get("labels"), classes)
    used = {field.name, *companions, marks, CLASS_NAMES if table.noun == "array" else None}
    ignored = [name for name in table.fields if name not in used]
    if ignored:
        notes.append(f"{table.path!r}: ignored the {table.noun}{'s' * (len(ignored) > 1)} {few(ignored)}")
    return Plan(scores=field, kind=_kind(field.name), companions=companions, classes=classes, notes=tuple(notes))


def _scores_field(table: Table, scores: str | None) -> Field:
    if scores is not None:
        if scores not in table.fields:
            way_out = f"the file has {few(list(table.fields))}"
            raise unreadable(table.path, f"have the {table.noun} of scores=", repr(scores), way_out=way_out)
        return table.fields[scores]
    present = [name for name in ("probabilities", "logits") if name in table.fields]
    if len(present) == 2:
        way_out = 'say which with scores="logits" or scores="probabilities"'
        raise unreadable(table.path, "hold one of probabilities and logits", "both", way_out=way_out)
    if not present:
        raise unreadable(table.path, "hold probabilities or logits", _present(table), way_out=_naming(table))
    return table.fields[present[0]]


def _present(table: Table) -> str:
    return f"the {table.noun}s {few(list(table.fields))}" if table.fields else f"no {table.noun}s"


def _naming(table: Table) -> str:
    others = [name for name in table.fields if _stated_kind(name)]
    if others:
        return f'choose another {table.noun} with scores="{others[0]}"'
    if table.noun == "array":
        return "name the (n, k) array probabilities or logits"
    return "name one column a class probability:NAME or logit:NAME"


def _stated_kind(name: str) -> Kind | None:
    """Return the kind that a name states with one of its words; None if it states none or both."""
    words = {*re.split("[^a-z]+", name.lower())}
    logit, probability = bool(words & _LOGIT_WORDS), bool(words & _PROBABILITY_WORDS)
    if logit == probability:
        return None
    return "logit" if logit else "probability"


def _kind(name: str) -> Kind:
    kind = _stated_kind(name)
    if kind is None:
        condition = "be named for their kind, with the word logits or probabilities"
        way_out = "rename them, for instance to model_logits or model_probabilities"
        raise DataError(sentence("scores", condition, repr(name), way_out=way_out))
    return kind


def _classes(table: Table, scores: Field) -> tuple[tuple[str, ...] | None, list[str]]:
    """Return the class names and the notes on them; names that tell two classes alike name nothing."""
    names = table.class_names
    if scores.wide and names is not None and names != scores.members:
        got = f"{few(names)} beside {few(scores.members)}"
        raise unreadable(table.path, "state the class names once", got)
    if scores.wide or names is None or len(set(names)) == len(names):
        return scores.members or names, []
    double = next(name for name in names if names.count(name) > 1)
    return None, [f"{table.path!r}: ignored the class names, {double!r} is there twice; classes are numbered"]


def _check_soft_labels(table: Table, labels: Field | None, classes: tuple[str, ...] | None) -> None:
    if labels is not None and labels.wide and labels.members != classes:
        got = f"{few(labels.members)} where the scores have {few(classes) if classes else 'no names'}"
        raise unreadable(table.path, "have soft labels of the same classes in the same order", got)
