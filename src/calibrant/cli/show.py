"""Results for people: tables and sentences, in colour on a terminal and as plain aligned text in a pipe."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibrant.cli.streams import one_line

if TYPE_CHECKING:
    from calibrant.catalogue import Catalogue
    from calibrant.cli.document import Document
    from calibrant.cli.parsing import Gates
    from calibrant.estimate import Estimate
    from calibrant.evaluation import Comparison, Evaluation, MethodResult
    from calibrant.explanation import Explanation
    from calibrant.registry import Entry
    from calibrant.reporting import Report

_KINDS = {"probability": "probabilities", "logit": "logits"}
_PIPE_WIDTH = 100_000  # nothing is folded or cut in a pipe
Part = RenderableType


def rendered(parts: Iterable[Part]) -> str:
    """Return the text of the parts: for the terminal behind stdout, or plain."""
    terminal = sys.stdout.isatty()
    styled = terminal and not os.environ.get("NO_COLOR")
    console = Console(
        file=io.StringIO(),
        force_terminal=terminal,
        color_system="auto" if styled else None,
        width=None if terminal else _PIPE_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


# ---- one a command -------------------------------------------------------------------------------------------
def report(made: Report) -> str:
    """Show what was measured, compared and recommended, and where the page is."""
    after = made.after if made.repaired else None
    parts = [_data(made.evaluation.data.to_dict()), *_measures(made.evaluation, after)]
    parts += [_sentence(made.evaluation.verdict), *_methods(made.comparison), _sentence(made.comparison.reason)]
    return rendered([*parts, *_files(made.to_dict()["files"])])


def evaluation(found: Evaluation, gates: Gates) -> str:
    """Show what was measured."""
    held = [_plain(f"gate {'passed' if g.passes(v) else 'FAILED'}: {g.words(v)}") for g, v in gates.judged(found)]
    return rendered([_data(found.data.to_dict()), *_measures(found), _sentence(found.verdict), *held])


def comparison(data: Document, found: Comparison) -> str:
    """Show how the methods compare."""
    return rendered([_data(data), *_methods(found), _sentence(found.reason)])


def fitted(told: Document) -> str:
    """Show what was learnt, from which rows, and where the map is."""
    return rendered([_data(told["data"]), _map(told["map"]), *_files(told["files"])])


def applied(told: Document) -> str:
    """Show what was repaired, and where it is."""
    return fitted(told)


def catalogue(found: Catalogue) -> str:
    """Show a table of methods."""
    table = _table("kind", "name", "what it is", left=3)
    for entry in found:
        table.add_row(entry.kind, entry.name, one_line(entry.summary))
    return rendered([table])


def entries(found: Catalogue) -> str:
    """Show all about each method."""
    return rendered(part for entry in found for part in _entry(entry))


def explanation(found: Explanation) -> str:
    """Show the sections of an explanation, titles set off."""
    parts: list[Part] = []
    for title, lines in found.sections():
        parts += [_plain(title, "bold"), *(Text(f"  {line}") for line in lines), ""]
    return rendered(parts[:-1])


# ---- lines ---------------------------------------------------------------------------------------------------
def _plain(text: str, style: str = "") -> Part:
    return Text(one_line(text), style=style)


def _sentence(text: str) -> Part:
    """Return a sentence that matters, set off from the tables."""
    return Group("", _plain(text, "bold"), "")


def _data(data: Document) -> Part:
    """Say what was read: rows, classes, kind of the scores, and what came along."""
    said = [_counted(data["n"], "row"), f"{data['k']:,} classes", _KINDS[data["kind"]]]
    said += [f"{data['labels']} labels" if data["labels"] else "no labels"]
    said += ["weights"] if data["weighted"] else []
    said += [_counted(data["features"], "feature")] if data["features"] else []
    return Group(_plain(", ".join(said)), "")


def _map(told: Document) -> Part:
    size = f"{_counted(told['parameters'], 'parameter')} from {_counted(told['rows'], 'row')}"
    return _plain(f"{told['spec']}: {size}{'' if told['converged'] else ', not converged'}")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _files(files: dict[str, str | None]) -> Iterable[Part]:
    return [_plain(f"{what}: {path}") for what, path in files.items() if path is not None]


# ---- tables --------------------------------------------------------------------------------------------------
def _measures(evaluation: Evaluation, after: Evaluation | None = None) -> Iterable[Part]:
    """Yield the table of measures, and beneath it the notes on them."""
    share = f"{100 * evaluation.level:g}%"
    known = any(estimate.null is not None for estimate in evaluation.measures)
    table = _table("measure", "value", *((f"{share} interval", "if perfect", f"{share} band") if known else ()))
    if after is not None:
        table.add_column("repaired", justify="right")
    for index, estimate in enumerate(evaluation.measures):
        cells = [estimate.spec, _number(estimate.value)]
        cells += [_span(estimate.low, estimate.high), _number(estimate.null)] if known else []
        cells += [_span(estimate.null_low, estimate.null_high)] if known else []
        table.add_row(*cells, *([] if after is None else [_number(after.measures[index].value)]))
    yield table
    yield from _terms(evaluation.measures)
    yield from _notes(evaluation.measures)
    yield from _tests(evaluation, after)
    for spec, reason in evaluation.skipped.items():
        yield _plain(f"{spec} left out: {reason}", "dim")


def _tests(evaluation: Evaluation, after: Evaluation | None) -> Iterable[Part]:
    """Yield the table of tests, if there are any."""
    if not evaluation.tests:
        return
    table = _table("test", "p-value", *(() if after is None else ("repaired",)))
    for index, result in enumerate(evaluation.tests):
        later = [] if after is None else [_p_value(after.tests[index].p_value)]
        table.add_row(result.spec, _p_value(result.p_value), *later)
    yield table
    for result in evaluation.tests:
        yield _plain(f"{result.spec}: tests that {result.null}", "dim")


def _methods(comparison: Comparison) -> Iterable[Part]:
    """Yield the table of methods, best log loss first, then those that declined and why."""
    table = _table("", "method", "log loss", "gain ± s.e.", "Brier", "ECE", "accuracy", "parameters", "seconds", left=2)
    for method in comparison.shown:
        chosen = method.name == comparison.recommended
        table.add_row("*" if chosen else "", *_figures(method), style="bold" if chosen else "")
    yield table
    for method in comparison.methods:
        if method.declined:
            yield _plain(f"{method.name} declined: {method.declined}", "dim")
        for note in method.notes:  # a note names its method, without the options
            yield _plain(f"{method.name}: {note.removeprefix(method.name.partition('(')[0]).lstrip()}", "dim")


def _entry(one: Entry) -> Iterable[Part]:
    """Yield all about one method: its documentation, options with defaults and abilities."""
    yield Group(_plain(f"{one.name} ({one.kind})", "bold"), "", Text(one.doc), "")
    options = ", ".join(f"{name}={value!r}" for name, value in one.options.items())
    facts = {"options": options or "none", **(one.capabilities.words() if one.kind == "calibrator" else {})}
    facts["source"] = one.reference
    yield from (_plain(f"{what}: {fact}") for what, fact in facts.items() if fact)


def _p_value(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else _number(value)


def _number(value: float | None) -> str:
    """Return a figure with four significant digits; a dash for one that is not there."""
    return "–" if value is None or math.isnan(value) else f"{value:.4g}"


def _figures(method: MethodResult) -> list[str]:
    gain = f"{method.gain:+.4f} ± {method.gain_se:.4f}" if math.isfinite(method.gain) else _number(method.gain)
    scores = [f"{value:.4f}" for value in (method.brier, method.ece, method.accuracy)]
    return [method.name, f"{method.log_loss:.4f}", gain, *scores, f"{method.parameters:,}", f"{method.seconds:.2f}"]


def _table(*headers: str, left: int = 1) -> Table:
    """Return an empty table, its first ``left`` columns to the left and the others to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, header in enumerate(headers):
        table.add_column(header, justify="left" if index < left else "right", overflow="fold")
    return table


def _span(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _terms(estimates: Sequence[Estimate]) -> Iterable[Part]:
    """Yield a line for each measure with terms or settings of its own."""
    for estimate in estimates:
        if estimate.figures:
            told = ", ".join(f"{name} {_number(value)}" for name, value in estimate.figures.items())
            yield _plain(f"{estimate.spec}: {told}", "dim")


def _notes(estimates: Sequence[Estimate]) -> Iterable[Part]:
    """Yield each note once, with the measures that it is about."""
    about: dict[str, list[str]] = {}
    for estimate in estimates:
        for note in estimate.notes:
            about.setdefault(note, []).append(estimate.spec)
    for note, names in about.items():
        yield _plain(f"{'all' if len(names) == len(estimates) else ', '.join(names)}: {note}", "dim")
