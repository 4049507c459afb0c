"""The local section in words, tables and pictures."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from calibrant.estimate import Estimate
from calibrant.plot import svg
from calibrant.plot.compose import local_support, scene
from calibrant.plot.words import NOTHING, count, exact_percent, figure, percent, shortened
from calibrant.reporting import measures
from calibrant.reporting.footnotes import Footnotes
from calibrant.reporting.local import Gap, Local, LocalRegion

_SHOWN, _MOST = 6, 12  # regions in the table, and with those that a repair makes wrong
_NAME = 30
_TITLES = {
    "top_label": "Local calibration error (LCE) of the confidence, above chance",
    "class_wise": "Local calibration error (LCE) of the classes, above chance",
}


def section(local: Local | str | None) -> dict[str, Any] | None:
    """Return what the template fills in, None without a section."""
    if local is None or isinstance(local, str):
        return None
    shown, others = _shown(local.regions)
    return {
        "lead": _lead(local),
        "rows": _rows(local),
        "maps": _pictures(local, "map"),
        "map_legend": svg.draw_legend(local.before.map),
        "support": _pictures(local, "support"),
        "support_legend": svg.draw_legend(local.before.support),
        "regions": [_region(region) for region in shown],
        "groups": any(region.kind == "group" for region in local.regions),
        "others": _others(others),
        "after": local.after is not None,
        "measures": _measures(local),
        "definitions": measures.definitions(local.before.measures),
        "left_out": local.left_out,
    }


def missing(local: Local | str | None) -> str | None:
    """Return why there is no section though there are features."""
    return local if isinstance(local, str) else None


# ---- in words ------------------------------------------------------------------------------------------------------


def _lead(local: Local) -> str:
    """Return where it is worst, and whether that is beyond chance."""
    together, total = exact_percent(local.level), len(local.regions)
    worst, off = local.regions[0], sum(region.before.beyond for region in local.regions)
    later = "" if local.after is None else f" {_after(local)}"
    where = f"{off or 'none'} of {count(total, 'region')}"
    if not off:
        return f"In {where} is the confidence off beyond chance, all together at {together}.{later}"
    rows = f"{count(worst.rows, 'row')}, {percent(worst.share)} of them all"
    gap = worst.before
    return (
        f"In {where} the confidence is off beyond chance, all together at {together}. Worst is region "
        f"1 ({rows}): it says {percent(gap.confidence)} and is right {percent(gap.accuracy)}, {_off(gap)}.{later}"
    )


def _off(gap: Gap) -> str:
    side = "over-confident" if gap.gap < 0 else "under-confident"
    ends = "" if gap.low is None or gap.high is None else f" ({_between(gap)})"
    return f"{side} by {figure(100 * abs(gap.gap), 1)} points{ends}"


def _between(gap: Gap) -> str:
    """Return the interval of the size of a gap."""
    low, high = sorted((100 * abs(gap.low or 0.0), 100 * abs(gap.high or 0.0)))
    return f"{figure(low, 1)} to {figure(high, 1)}"


def _after(local: Local) -> str:
    off = sum(region.after is not None and region.after.beyond for region in local.regions)
    return f"After repair, out of fold, in {off if off else 'none'} of them."


def _rows(local: Local) -> str:
    """Return which rows are looked at: the rule by which many are made fewer, once."""
    if local.n == local.of == local.measured:
        return ""
    looked = f"All {local.n:,}" if local.n == local.of else f"{local.n:,} of {local.of:,}"
    fewer = "" if local.measured == local.n else f", and {local.measured:,} of them for the local measures"
    return (
        f"{looked} rows are looked at here{fewer}: every row has the same chance, by a random number that its id, or "
        "else its place in the file, decides with the seed."
    )


def _shown(regions: tuple[LocalRegion, ...]) -> tuple[list[LocalRegion], list[LocalRegion]]:
    """Return the worst regions with those that are off after repair, and the others."""
    shown = [
        region
        for i, region in enumerate(regions)
        if i < _SHOWN or (i < _MOST and region.after is not None and region.after.beyond)
    ]
    return shown, [region for region in regions if region not in shown]


# ---- pictures and tables -------------------------------------------------------------------------------------------


def _pictures(local: Local, name: str) -> list[dict[str, Any]]:
    looks = [look for look in (local.before, local.after) if look is not None]
    if name == "map":
        scenes = [scene(look.map) for look in looks]
    else:
        scenes = [local_support.compose(look.support, beside=[one.support for one in looks]) for look in looks]
    captions = ["As given", "After repair, out of fold"] if len(looks) > 1 else [""]
    return [
        {"caption": caption, "svg": Markup(svg.draw(drawn, alone=False)), "width": round(drawn.width)}
        for caption, drawn in zip(captions, scenes, strict=True)
    ]


def _region(region: LocalRegion) -> dict[str, Any]:
    return {
        "number": region.number,
        "group": shortened(region.name, _NAME) if region.kind == "group" else "",
        "rows": f"{region.rows:,}",
        "share": percent(region.share),
        "says": percent(region.before.confidence),
        "right": percent(region.before.accuracy),
        "before": _cell(region.before),
        "after": None if region.after is None else _cell(region.after),
        "predicted": [(shortened(name, _NAME), percent(share, 0)) for name, share in region.predicted],
        "marks": ", ".join(f"{feature} ({figure(off, 1, sign=True)})" for feature, off in region.marks),
        "keys": ", ".join(shortened(example.row, 16) for example in region.examples),
        "examples": [
            {
                "row": shortened(example.row, 40),
                "predicted": shortened(example.predicted, _NAME),
                "confidence": percent(example.confidence),
                "label": NOTHING if example.label is None else shortened(example.label, _NAME),
                "wrong": example.label is not None and example.label != example.predicted,
            }
            for example in region.examples
        ],
    }


def _cell(gap: Gap) -> dict[str, str]:
    """Return a gap in points with its interval and what it is evidence of."""
    if gap.low is None or gap.high is None:
        return {"gap": _points(gap.gap), "interval": "", "evidence": "too few rows to tell"}
    evidence = "beyond chance" if gap.beyond else "within chance"
    places = 2 if gap.beyond and min(abs(gap.low), abs(gap.high)) < 0.0005 else 1  # the end must be seen not to be 0
    ends = f"{_points(gap.low, places)} to {_points(gap.high, places)}"
    return {"gap": _points(gap.gap, places), "interval": ends, "evidence": evidence}


def _points(gap: float, places: int = 1) -> str:
    return figure(100 * gap, places, sign=True)


def _others(regions: list[LocalRegion]) -> str:
    """Return what is to be said of the regions that are not in the table."""
    if not regions:
        return ""
    off, later = (sum(gap is not None and gap.beyond for gap in gaps) for gaps in zip(*_gaps(regions), strict=True))
    repaired = "" if regions[0].after is None else f", after repair {later or 'none'}"
    return f"Not shown: {count(len(regions), 'region')}, {off or 'none'} of them off beyond chance{repaired}."


def _gaps(regions: list[LocalRegion]) -> list[tuple[Gap, Gap | None]]:
    return [(region.before, region.after) for region in regions]


def _measures(local: Local) -> dict[str, Any]:
    notes = Footnotes()
    before = local.before.measures
    after = (None,) * len(before) if local.after is None else local.after.measures
    rows = [{**measures.row(*pair, notes), "title": _title(pair[0])} for pair in zip(before, after, strict=True)]
    return {"rows": rows, "notes": notes.texts, "after": local.after is not None}


def _title(estimate: Estimate) -> str:
    """Return the name of a measure, of the two local calibration errors with their notion."""
    if estimate.name != "lce" or estimate.null is None:
        return measures.measure_title(estimate)
    return _TITLES["top_label" if "top_label" in estimate.spec else "class_wise"]
