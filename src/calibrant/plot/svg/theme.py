"""Colours and styles, once for pictures and pages, light and dark.

Over-confident is vermilion and under-confident blue, which colour-blind readers tell apart (Okabe and Ito, 2008);
shapes and words say the same.
"""

from __future__ import annotations

# name: (light, dark)
_COLOURS = {
    "paper": ("#ffffff", "#14171c"),
    "panel": ("#f6f7f9", "#1c2027"),
    "line": ("#dfe3e8", "#323943"),
    "axis": ("#8a94a0", "#7d8793"),
    "soft": ("#5a6572", "#a3adb9"),
    "ink": ("#1b222b", "#e8ebef"),
    "band": ("#e1e6ec", "#343c47"),
    "bar": ("#aeb8c4", "#5b6673"),
    "over": ("#c24a00", "#ff9757"),
    "under": ("#0067a8", "#62b5f5"),
    "good": ("#1d7a4d", "#6fd0a0"),
}

PAPER = "svg.cal { background: var(--paper); }\n"  # a picture that stands alone brings the ground it is drawn for

STYLE = """\
.cal text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--soft);
  font-variant-numeric: tabular-nums; }
.cal text.cal-small { font-size: 11.5px; }
.cal text.cal-faint { fill: var(--axis); }
.cal text.cal-end { text-anchor: end; }
.cal text.cal-middle { text-anchor: middle; }
.cal-grid { stroke: var(--line); stroke-width: 1; fill: none; }
.cal-frame { stroke: var(--axis); stroke-width: 1; fill: none; }
.cal-diagonal { stroke: var(--axis); stroke-width: 1.25; stroke-dasharray: 5 4; }
.cal-band { fill: var(--band); }
.cal-bar { fill: var(--bar); }
.cal-none { fill: var(--panel); }
.cal-area { fill: var(--bar); opacity: .55; }
.cal-null { stroke: var(--ink); stroke-width: 1.5; fill: none; vector-effect: non-scaling-stroke; }
.cal-over, .cal-under, .cal-even { stroke-width: 1.5; stroke-linejoin: round; fill: var(--paper); }
.cal-over { stroke: var(--over); }
.cal-under { stroke: var(--under); }
.cal-even { stroke: var(--soft); }
.cal-over.cal-beyond { fill: var(--over); }
.cal-under.cal-beyond { fill: var(--under); }
.cal-gap-over, .cal-gap-under { stroke-width: 3; opacity: .5; }
.cal-weak { opacity: .28; }
.cal-gap-over { stroke: var(--over); }
.cal-gap-under { stroke: var(--under); }
.cal-span { stroke: var(--ink); stroke-width: 1.5; }
.cal-value { fill: var(--ink); stroke: var(--paper); stroke-width: 1.5; }
.cal-after { fill: var(--paper); stroke: var(--good); stroke-width: 2; }
.cal-tick { stroke: var(--soft); stroke-width: 1.5; }
"""


def colours(selector: str) -> str:
    """Return the CSS that gives a selector the colours, light, and dark where the reader asks for it on a screen."""
    light = "".join(f" --{name}: {pair[0]};" for name, pair in _COLOURS.items())
    dark = "".join(f" --{name}: {pair[1]};" for name, pair in _COLOURS.items())
    return (
        f"{selector} {{ color-scheme: light;{light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ {selector} {{ color-scheme: dark;{dark} }} }}\n"
    )
