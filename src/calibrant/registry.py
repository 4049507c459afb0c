"""The registry: one line above a class makes a method known everywhere, with what it can do.

``register`` keeps a declaration beside each class; ``create`` turns a spec string such as
``"isotonic(smoothing=0.5)"`` into an object. Names and options are strict: a wrong one is an error
with a suggestion. Files of the packages in ``_HOMES`` are found by listing the folder, so that adding a
method is adding a file.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from calibrant.errors import DataError, UnknownMethod, require, sentence

T = TypeVar("T", bound=type)

# Where the files of each kind of method live; a package is listed, never its files.
_HOMES = {
    "calibrator": "calibrant.calibrators",
    "measure": "calibrant.metrics",
    "notion": "calibrant.metrics.notions",
    "estimator": "calibrant.metrics.estimators",
    "test": "calibrant.metrics.tests",
}

# Kinds whose methods also exist as another package computes them: the option ``like`` goes to this package.
_VARIANTS = {"measure": "calibrant.metrics.peers"}


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a method declares; the contract tests verify it.

    ``parameters`` and ``wants_rows`` are short formulas in k, for people and for the choice of the simpler map.
    ``depends_on_row_count`` marks methods that weigh the data against a prior: they use Kish's effective number
    of rows, so that scaling all weights changes nothing, but an integer weight is then not a repetition. ``compared``
    is the spec under which a comparison that names no method holds it: None for the name, "" for not at all.
    ``uses_features`` marks a method that takes features where there are some and does without elsewhere. ``assumes``
    says what must hold for the method to be right, ``suits`` where it is typically used.
    """

    preserves_argmax: bool = False
    contains_identity: bool = False
    needs_features: bool = False
    uses_features: bool = False
    supports_weights: bool = True
    supports_soft_labels: bool = True
    depends_on_row_count: bool = False
    binary_only: bool = False
    differentiable: bool = False
    suits_imbalance: bool = False
    equivariant: bool = True
    finite_log_loss: bool = True
    recovers_truth: bool = False
    fits_batches: bool = False
    parameters: str = ""
    wants_rows: str = "1"
    cost: str = "O(n k)"
    guarantee: str = ""
    assumes: str = ""
    suits: str = ""
    compared: str | None = None

    def words(self) -> dict[str, str]:
        """Return all that holds in one list, then each figure, by name."""
        able = {name.replace("_", " "): value for name, value in vars(self).items()}
        facts = {"abilities": ", ".join(name for name, value in able.items() if value is True)}
        return {**facts, **{name: value for name, value in able.items() if isinstance(value, str)}}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One registered method: its kind, name, what makes it, its options with defaults, its source and abilities."""

    kind: str
    name: str
    factory: Callable[..., Any]
    doc: str
    options: dict[str, Any]
    reference: str = ""
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def compared(self) -> str:
        """The spec under which a comparison that names no method holds it, empty for not at all."""
        declared = self.capabilities.compared
        return self.name if declared is None else declared

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.split("\n", 1)[0]


_ENTRIES: dict[tuple[str, str], Entry] = {}


def register(kind: str, name: str, *, reference: str = "", **capabilities: Any) -> Callable[[T], T]:
    """Return the decorator that registers a frozen dataclass as the ``kind`` called ``name``."""

    def decorate(factory: T) -> T:
        entry = Entry(
            kind=kind,
            name=name,
            factory=factory,
            doc=inspect.getdoc(factory) or "",
            options={f.name: f.default for f in dataclasses.fields(factory) if f.init},
            reference=reference,
            capabilities=Capabilities(**capabilities),
        )
        factory.entry = add(entry)  # type: ignore[attr-defined]
        return factory

    return decorate


def add(entry: Entry) -> Entry:
    """Add an entry; ``DataError`` if another method has its name."""
    known = _ENTRIES.get((entry.kind, entry.name))
    same = known is None or getattr(known.factory, "__qualname__", "") == getattr(entry.factory, "__qualname__", "")
    require(same, "name", f"be new among the {entry.kind}s", repr(entry.name))
    _ENTRIES[entry.kind, entry.name] = entry
    return entry


@cache
def discover(kind: str) -> None:
    """Import, once, every file of the package in which this kind of method lives."""
    package = importlib.import_module(_HOMES[kind])
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def entries(kind: str) -> list[Entry]:
    """Return all registered methods of a kind, by name."""
    discover(kind)
    return sorted((e for (k, _), e in _ENTRIES.items() if k == kind), key=lambda e: e.name)


def lookup(kind: str, name: str) -> Entry:
    """Return the entry called ``name``; ``UnknownMethod`` with a suggestion if there is none."""
    discover(kind)
    if (kind, name) not in _ENTRIES:
        raise unknown(kind, name, [e.name for e in entries(kind)])
    return _ENTRIES[kind, name]


def create(kind: str, spec: str) -> Any:
    """Return the object that a spec string describes: ``"name"`` or ``"name(option=value, …)"``."""
    name, options = parse(spec)
    return build(lookup(kind, name), options)


def build(entry: Entry, options: dict[str, Any]) -> Any:
    """Return ``entry.factory(**options)``; ``UnknownMethod`` with a suggestion for an option it does not have.

    With ``like`` the object is what another package computes under this name.
    """
    if options.get("like") is not None and entry.kind in _VARIANTS:
        return importlib.import_module(_VARIANTS[entry.kind]).variant(entry.name, options)
    options = {name: value for name, value in options.items() if (name, value) != ("like", None)}
    for option in options:
        if option not in entry.options:
            known = [*entry.options, "like"] if entry.kind in _VARIANTS else [*entry.options]
            raise unknown(f"option of {entry.name}", option, known)
    try:
        return entry.factory(**options)
    except (TypeError, AttributeError):  # a value of another type than the option compares or calls
        told = ", ".join(f"{name}={value!r}" for name, value in options.items())
        way_out = f"see calibrant methods {entry.name}"
        raise DataError(sentence(f"options of {entry.name}", "have the right types", told, way_out=way_out)) from None


class Called:
    """A registered method as a function: with predictions its answer, without them the method with its choices."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.__name__ = entry.name
        self.__doc__ = entry.doc

    def __call__(self, predictions: Any = None, **options: Any) -> Any:
        """Return the answer for the predictions, or the method built with the options."""
        built = build(self.entry, options)
        return built if predictions is None else built(predictions)

    def __repr__(self) -> str:
        return f"<{self.entry.kind} {self.entry.name}: {self.entry.summary}>"


def called(kind: str, name: str, module: str) -> Called:
    """Return the registered method as a function, for the ``__getattr__`` of a module; ``AttributeError`` if none."""
    if name.startswith("_") or name not in {entry.name for entry in entries(kind)}:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return Called(lookup(kind, name))


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """Split a spec string into the name and its options (Python literals only)."""
    try:
        node = ast.parse(spec.strip(), mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
            return node.func.id, {str(k.arg): _literal(k) for k in node.keywords}
        if isinstance(node, ast.Name):
            return node.id, {}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        pass
    condition = 'read "name" or "name(option=value, ...)"'
    raise UnknownMethod(sentence("spec", condition, repr(spec), way_out="options are literals, by keyword"))


def spec_of(method: Any) -> str:
    """Return the spec string of a registered object: its name and the options that differ from the defaults."""
    entry: Entry = method.entry
    changed = []
    for name, default in entry.options.items():
        value = getattr(method, name)
        if value != default:
            changed.append(f"{name}={literal(value)}")
    return f"{entry.name}({', '.join(changed)})" if changed else entry.name


def literal(value: Any) -> str:
    """Return an option's value as a spec string writes it; NumPy scalars become plain numbers."""
    return repr(value.item() if hasattr(value, "item") else value)


def _literal(keyword: ast.keyword) -> Any:
    if keyword.arg is None:
        raise ValueError("** is not a literal")
    if isinstance(keyword.value, ast.Name) and keyword.value.id == "inf":
        return float("inf")
    return ast.literal_eval(keyword.value)


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownMethod:
    """Return the error of an unknown name, with the closest known one."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
    return UnknownMethod(f"unknown {kind} {name!r}; {hint}")
