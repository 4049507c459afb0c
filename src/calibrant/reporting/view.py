"""What the page says, as text and pictures: the one place where records become words."""

from __future__ import annotations

from typing import Any

from calibrant.plot import svg
from calibrant.plot.words import count, exact_percent
from calibrant.reporting import advice, classes, closer, diagrams, figures, local_view, measures, methods
from calibrant.reporting.record import Report


def view(report: Report) -> dict[str, Any]:
    """Return the names that the template fills in."""
    return {
        "title": report.title,
        "data_line": data_line(report),
        "verdict": report.evaluation.verdict,
        "repaired": report.repaired,
        "reason": report.comparison.reason,
        "verdict_after": report.after.verdict[:1].lower() + report.after.verdict[1:],
        "recommended": report.comparison.recommended,
        "steps": advice.steps(report),
        "figures": figures.key_figures(report),
        "diagrams": diagrams.pair(report.pictures),
        "legend": svg.draw_legend(report.pictures.before),
        "confidence_closer": closer.of_confidence(report.pictures),
        "classes_closer": closer.of_classes(report.pictures),
        "measures": measures.table(report),
        "tests": measures.tests(report),
        "classes": classes.section(report.pictures),
        "local": local_view.section(report.local),
        "no_local": local_view.missing(report.local),
        "methods": methods.table(report.comparison),
        "definitions": measures.definitions(report.evaluation.measures),
        "settings": advice.settings(report),
        "level": exact_percent(report.settings.level),
        "n": report.evaluation.data.n,
        "k": report.evaluation.data.k,
        "weighted": report.evaluation.data.weighted,
        "soft": report.evaluation.data.labels == "soft",
        "folds": report.settings.folds,
        "repeats": report.settings.repeats,
        "replicates": report.settings.replicates,
        "again": advice.again(report),
    }


def data_line(report: Report) -> str:
    """Return what was measured: rows, classes and what came with them."""
    data = report.evaluation.data
    parts = [count(data.n, "row"), count(data.k, "class", "classes")]
    parts.append("logits" if data.kind == "logit" else "probabilities")
    if data.labels == "soft":
        parts.append("soft labels")
    if data.weighted:
        parts.append("weighted")
    return " · ".join(parts)
