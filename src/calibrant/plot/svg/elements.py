"""Writing SVG: elements, escaped text, numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax import saxutils

# Characters that XML does not know, and halves of surrogate pairs, which no file can hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Return the text with every character that XML forbids replaced by the replacement character."""
    return _FORBIDDEN.sub("�", text)


def escape(text: str) -> str:
    """Return any text, hostile or not, as the content of an element or of a quoted attribute."""
    return saxutils.escape(clean(text), {'"': "&quot;", "'": "&#39;"})


def number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def tag(name: str, *content: str, **attributes: str | float) -> str:
    """Return one element. Content is markup; attribute names take ``_`` for ``-``, and ``class_`` is ``class``."""
    written = "".join(f' {_attribute(key)}="{_value(value)}"' for key, value in attributes.items() if value != "")
    inner = "".join(content)
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def label(content: str, x: float, y: float, class_: str = "", **attributes: str | float) -> str:
    """Return a line of text at a place."""
    return tag("text", escape(content), x=x, y=y, class_=class_, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def box(x: float, y: float, width: float, height: float, class_: str, hint: str = "") -> str:
    """Return a rectangle, with a hint that shows when pointed at."""
    return tag("rect", *_hint(hint), x=x, y=y, width=width, height=height, class_=class_)


def circle(x: float, y: float, radius: float, class_: str) -> str:
    """Return a disc."""
    return tag("circle", cx=x, cy=y, r=radius, class_=class_)


def polygon(points: Iterable[tuple[float, float]], class_: str, hint: str = "") -> str:
    """Return a closed polygon."""
    return tag("polygon", *_hint(hint), points=coordinates(points), class_=class_)


def coordinates(points: Iterable[tuple[float, float]]) -> str:
    """Return points as SVG writes them."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def picture(
    width: float,
    height: float,
    *content: str,
    title: str,
    description: str = "",
    style: str = "",
    fixed: bool = False,
    **attributes: str,
) -> str:
    """Return an SVG image that says what it shows.

    ``style`` makes it stand alone; ``fixed`` shows it at its own size and not at that of its place.
    """
    head = [tag("title", escape(title))]
    if description:
        head.append(tag("desc", escape(description)))
    if style:
        head.append(tag("style", style))
    size = (number(width), number(height))
    if fixed:
        attributes = {**attributes, "width": size[0], "height": size[1]}
    return tag(
        "svg",
        *head,
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {size[0]} {size[1]}",
        role="img",
        **{"aria-label": title, "class_": "cal", **attributes},
    )


def _hint(text: str) -> tuple[str, ...]:
    return (tag("title", escape(text)),) if text else ()


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else number(value)
