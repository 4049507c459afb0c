"""Drawing: records in, SVG text out. Nothing is computed here but where things go.

``draw`` gives a picture that stands alone; the other functions give parts of a page that carries `theme.STYLE`.
"""

from calibrant.plot import theme
from calibrant.plot.svg.drawing import draw, draw_class, draw_legend
from calibrant.plot.svg.errors_strip import draw_errors
from calibrant.plot.svg.span import Span, draw_span

__all__ = ["Span", "draw", "draw_class", "draw_errors", "draw_legend", "draw_span", "theme"]
