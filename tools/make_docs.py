"""Write the generated documentation: one page a method from the registry, and real source into marked places.

A place is marked by the comments ``<!-- source: PATH -->`` and ``<!-- end -->``, a table by ``<!-- table: NAME -->``.
``--check`` writes nothing and exits 1 if a marked place is out of date. The pages under docs/methods/ are not kept in
the repository.
Usage: python tools/make_docs.py [--check] [--methods FOLDER] [--no-pictures]
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from method_pictures import section

from calibrant import methods
from calibrant.metrics.peers import definitions
from calibrant.registry import Entry

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"^( *)<!-- source: (\S+) -->\n.*?^ *<!-- end -->", re.M | re.S)
TABLE = re.compile(r"<!-- table: (packages|calibrators) -->\n.*?^<!-- end -->", re.M | re.S)
KIND_TITLES = {"calibrator": "Calibrators", "measure": "Measures"}


def with_sources(text: str) -> str:
    """Return the text with every marked place filled with the file it names."""

    def filled(match: re.Match[str]) -> str:
        indent, path = match.groups()
        code = (ROOT / path).read_text().rstrip()
        block = f"<!-- source: {path} -->\n```python\n{code}\n```\n<!-- end -->"
        return textwrap.indent(block, indent, lambda line: bool(line.strip()))

    makers = {"packages": peers, "calibrators": calibrators}
    with_tables = TABLE.sub(lambda m: f"<!-- table: {m[1]} -->\n{makers[m[1]]()}\n<!-- end -->", text)
    return PLACE.sub(filled, with_tables)


def calibrators() -> str:
    """Return the table of all calibrators from what they declare."""
    head = ("method", "idea", "parameters", "assumes", "keeps", "rows", "cost", "guarantee", "typical use")
    return table(head, [_declared(entry) for entry in methods() if entry.kind == "calibrator"])


def _declared(entry: Entry) -> tuple[str, ...]:
    able = entry.capabilities
    kept = {"the predicted class": able.preserves_argmax, "imbalanced classes": able.suits_imbalance}
    kept["derivatives"] = able.differentiable
    keeps = ", ".join(name for name, holds in kept.items() if holds) or "–"
    facts = (able.parameters, able.assumes, keeps, able.wants_rows, able.cost, able.guarantee or "–", able.suits)
    return (f"`{entry.name}`", entry.summary.rstrip("."), *facts)


def peers() -> str:
    """Return the table of what other packages compute."""
    rows = []
    for peer in definitions():
        said = [*peer.differs, *(f"**known fault:** {fault}" for fault in peer.faults)]
        rows.append((f"`{peer.spec}`", peer.version, f"`{peer.called()}`", "<br>".join(said)))
    return table(("in calibrant", "version", "the call", "what differs from ours"), rows)


def page(entry: Entry, references: dict[str, str], shown: str = "") -> str:
    """Return the page of one method; ``shown`` is the part with its pictures."""
    first, _, rest = entry.doc.partition("\n")
    parts = [f"# `{entry.name}`", first, textwrap.dedent(rest).strip()]
    if entry.reference:
        parts.append(f"Source: {references[entry.reference]}")
    parts += ["## Options", table(("option", "default"), [(f"`{k}`", f"`{v!r}`") for k, v in entry.options.items()])]
    if entry.kind == "calibrator":
        declared = dataclasses.asdict(entry.capabilities)
        rows = [(name.replace("_", " "), words(value)) for name, value in declared.items() if value != ""]
        parts += ["## Declared, and verified by the contract tests", table(("ability", ""), rows)]
        parts += ["## Use", f'```python\nrepair = calibrant.fit(predictions, "{entry.name}")\n```', shown]
    else:
        parts += ["## Use", f"```python\ncalibrant.metrics.{entry.name}(predictions)\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table, or a sentence for an empty one."""
    if not rows:
        return "None."
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def words(value: object) -> str:
    """Return yes and no for booleans."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def bibliography() -> dict[str, str]:
    """Return the references by key, as one line each."""
    found = {}
    for key, body in re.findall(r"^@\w+\{(\w+), (.*)\}$", (ROOT / "references.bib").read_text(), re.M):
        fields = dict(re.findall(r"(\w+)=\{((?:[^{}]|\{[^{}]*\})*)\}", body))
        authors = re.sub(r'\{\\"(\w)\}', r"\1", fields["author"]).split(" and ")
        who = authors[0].split(",")[0] + (
            " et al." if len(authors) > 2 else "".join(f" and {a.split(',')[0]}" for a in authors[1:])
        )
        where = fields.get("journal") or fields.get("booktitle", "")
        found[key] = f"{who} ({fields['year']}), *{fields['title']}*, {where}."
    return found


def write_methods(folder: Path, *, pictures: bool) -> None:
    """Write one page for each registered method, with or without pictures, and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    references = bibliography()
    index = ["# Methods and measures"]
    for kind, title in KIND_TITLES.items():
        entries = [entry for entry in methods() if entry.kind == kind]
        rows = [(f"[`{entry.name}`]({entry.name}.md)", entry.summary) for entry in entries]
        index += [f"## {title}", table(("name", ""), rows)]
        for entry in entries:
            shown = section(entry.name, folder) if pictures and kind == "calibrator" else ""
            (folder / f"{entry.name}.md").write_text(page(entry, references, shown))
    (folder / "index.md").write_text("\n\n".join(index) + "\n")


def main() -> int:
    """Write the pages; with --check, return 1 if a marked place is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--methods", type=Path, help="write the pages of methods into this folder, and nothing else")
    parser.add_argument("--no-pictures", action="store_true", help="leave out what each calibrator does to two sets")
    options = parser.parse_args()
    if options.methods:
        write_methods(options.methods, pictures=not options.no_pictures)
        return 0
    stale = [path for path in [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))] if _is_stale(path)]
    if options.check:
        told = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        print(f"out of date, run make docs: {told}" if stale else "all places are up to date")
        return int(bool(stale))
    for path in stale:
        path.write_text(with_sources(path.read_text()))
    write_methods(ROOT / "docs" / "methods", pictures=not options.no_pictures)
    return 0


def _is_stale(path: Path) -> bool:
    text = path.read_text()
    return with_sources(text) != text


if __name__ == "__main__":
    sys.exit(main())
