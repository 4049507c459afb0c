"""What calibrant can do, as data: every registered calibrator and measure with what it declares."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any

from calibrant import registry
from calibrant.registry import Entry

KINDS = ("calibrator", "measure")


@dataclass(frozen=True)
class Catalogue:
    """Entries of the registry; shows itself as a table."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Any:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return strict-JSON records: kind, name, summary, reference, options and, for calibrators, capabilities."""
        return [_record(entry) for entry in self.entries]

    def __repr__(self) -> str:
        width = max((len(entry.name) for entry in self.entries), default=0)
        return "\n".join(f"{entry.kind:10}  {entry.name:{width}}  {entry.summary}" for entry in self.entries)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{e.kind}</td><td><code>{e.name}</code></td><td>{html.escape(e.summary)}</td></tr>"
            for e in self.entries
        )
        return f"<table>{rows}</table>"


def methods(name: str | None = None) -> Catalogue:
    """Return all registered calibrators and measures, or the ones called ``name``; ``UnknownMethod`` if none is."""
    found = [entry for kind in KINDS for entry in registry.entries(kind)]
    if name is None:
        return Catalogue(tuple(found))
    named = tuple(entry for entry in found if entry.name == name)
    if not named:
        raise registry.unknown("method", name, [entry.name for entry in found])
    return Catalogue(named)


def _record(entry: Entry) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": entry.kind,
        "name": entry.name,
        "summary": entry.summary,
        "doc": entry.doc,
    }
    record["reference"] = entry.reference
    record["options"] = {name: value if _plain(value) else repr(value) for name, value in entry.options.items()}
    if entry.kind == "calibrator":
        record["capabilities"] = asdict(entry.capabilities)
    return record


def _plain(value: Any) -> bool:
    return (
        value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and abs(value) < float("inf"))
    )
