"""Colours and styles, once for pictures and pages, light and dark.

Over-confident is vermilion and under-confident blue, which colour-blind readers tell apart (Okabe and Ito, 2008);
shapes, signs and words say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

# name: (light, dark)
COLOURS = {
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


@dataclass(frozen=True)
class Look:
    """How a style is drawn: colours by name, widths in pixels."""

    fill: str = "none"
    stroke: str = "none"
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0

    def css(self) -> str:
        """Return the declarations of the style."""
        told = [f"fill: {_paint(self.fill)};"]
        if self.stroke != "none":
            told.append(f"stroke: {_paint(self.stroke)}; stroke-width: {self.width:g};")
        if self.dash:
            told.append(f"stroke-dasharray: {' '.join(f'{d:g}' for d in self.dash)};")
        if self.opacity < 1:
            told.append(f"opacity: {self.opacity:g};")
        return " ".join(told)


LEVELS = 5  # steps of a heat map, faint to full
_HEAT = (0.2, 0.4, 0.6, 0.8, 1.0)

_COMMON = {
    "grid": Look(stroke="line"),
    "frame": Look(stroke="axis"),
    "diagonal": Look(stroke="axis", width=1.25, dash=(5, 4)),
    "band": Look(fill="band"),
    "bar": Look(fill="bar"),
    "none": Look(fill="panel"),
    "chance": Look(fill="band"),
    "edge": Look(stroke="bar"),
    "curve": Look(stroke="ink", width=1.75),
    "curve-over": Look(stroke="over", width=3),
    "curve-under": Look(stroke="under", width=3),
    "extreme": Look(stroke="soft", width=1.25, dash=(2, 3)),
    "gap-over": Look(stroke="over", width=3, opacity=0.5),
    "gap-under": Look(stroke="under", width=3, opacity=0.5),
    "gap-over weak": Look(stroke="over", width=3, opacity=0.28),
    "gap-under weak": Look(stroke="under", width=3, opacity=0.28),
    "expected": Look(stroke="soft", width=2),
    "arrow": Look(fill="over", stroke="over", width=2),
    "arrow weak": Look(fill="axis", stroke="axis", width=1.25),
    "dot": Look(fill="bar"),
    **{f"over-{i + 1}": Look(fill="over", opacity=step) for i, step in enumerate(_HEAT)},
    **{f"under-{i + 1}": Look(fill="under", opacity=step) for i, step in enumerate(_HEAT)},
}

_OF_MAPS = {
    **{f"over-{i + 1} weak": Look(stroke="over", opacity=step) for i, step in enumerate(_HEAT)},
    **{f"under-{i + 1} weak": Look(stroke="under", opacity=step) for i, step in enumerate(_HEAT)},
    "outline": Look(stroke="ink", width=2),
    "outline-ground": Look(stroke="paper", width=5),
    "badge": Look(fill="paper", stroke="ink", width=1.5),
}
LOOKS = _COMMON | _OF_MAPS

PAPER = "svg.cal { background: var(--paper); }\n"  # a picture that stands alone brings the ground it is drawn for


def _paint(name: str) -> str:
    return name if name == "none" else f"var(--{name})"


def selector(style: str) -> str:
    """Return the class names of a style: ``gap-over weak`` is ``cal-gap-over cal-weak``."""
    return " ".join(f"cal-{part}" for part in style.split())


def _rules(looks: dict[str, Look]) -> str:
    return "".join(f".{selector(style).replace(' ', '.')} {{ {look.css()} }}\n" for style, look in looks.items())


MAPS_STYLE = _rules(_OF_MAPS)  # what maps of the features need beside `STYLE`


def style_of(styles: set[str]) -> str:
    """Return the rules that a picture with these styles needs."""
    return STYLE + (MAPS_STYLE if styles & set(_OF_MAPS) else "")


STYLE = (
    """\
.cal text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--soft);
  font-variant-numeric: tabular-nums; }
.cal text.cal-small { font-size: 11.5px; }
.cal text.cal-faint { fill: var(--axis); }
.cal text.cal-ink { fill: var(--ink); }
.cal text.cal-reverse { fill: var(--paper); }
.cal text.cal-end { text-anchor: end; }
.cal text.cal-middle { text-anchor: middle; }
"""
    + _rules(_COMMON)
    + """\
.cal-area { fill: var(--bar); opacity: .55; }
.cal-null { stroke: var(--ink); stroke-width: 1.5; fill: none; vector-effect: non-scaling-stroke; }
.cal-over, .cal-under, .cal-even { stroke-width: 1.5; stroke-linejoin: round; fill: var(--paper); }
.cal-over { stroke: var(--over); }
.cal-under { stroke: var(--under); }
.cal-even { stroke: var(--soft); }
.cal-over.cal-beyond { fill: var(--over); }
.cal-under.cal-beyond { fill: var(--under); }
.cal-head { stroke: none; }
.cal-span { stroke: var(--ink); stroke-width: 1.5; }
.cal-value { fill: var(--ink); stroke: var(--paper); stroke-width: 1.5; }
.cal-after { fill: var(--paper); stroke: var(--good); stroke-width: 2; }
.cal-tick { stroke: var(--soft); stroke-width: 1.5; }
"""
)


def colours(selector: str) -> str:
    """Return the CSS that gives a selector the colours, light, and dark where the reader asks for it on a screen."""
    light = "".join(f" --{name}: {pair[0]};" for name, pair in COLOURS.items())
    dark = "".join(f" --{name}: {pair[1]};" for name, pair in COLOURS.items())
    return (
        f"{selector} {{ color-scheme: light;{light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ {selector} {{ color-scheme: dark;{dark} }} }}\n"
    )
