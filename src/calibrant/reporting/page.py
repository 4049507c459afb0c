"""From a report to its page. The only module that imports jinja2; everything is escaped unless drawn by us."""

from __future__ import annotations

from importlib import resources

import jinja2

from calibrant.plot import svg
from calibrant.plot.svg.elements import clean
from calibrant.reporting.record import Report
from calibrant.reporting.view import view

_PAGE = "page.html.jinja"
_STYLE, _LOCAL_STYLE = "page.css", "local.css"


def render(report: Report) -> str:
    """Return the page as one HTML document that loads nothing."""
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_text),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    shown = view(report)
    maps, local = (svg.theme.MAPS_STYLE, _text(_LOCAL_STYLE)) if shown["local"] else ("", "")
    style = svg.theme.colours(":root") + svg.theme.STYLE + maps + _text(_STYLE) + local
    return clean(environment.get_template(_PAGE).render(**shown, style=style))


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
