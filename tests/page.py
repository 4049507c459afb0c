"""Reading an HTML page without a browser: its elements, in order, with balanced tags."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict
    children: list = field(default_factory=list)
    pieces: list = field(default_factory=list)

    def __iter__(self):
        yield self
        for child in self.children:
            yield from child

    def all(self, tag, class_=""):
        found = (e for e in self if e.tag == tag)
        return [e for e in found if not class_ or class_ in (e.attributes.get("class") or "").split()]

    def by_id(self, name):
        (found,) = (e for e in self if e.attributes.get("id") == name)
        return found

    @property
    def text(self):
        return " ".join("".join(p if isinstance(p, str) else p.text for p in self.pieces).split())


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self._add(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self._add(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].pieces.append(data)

    def _add(self, element):
        self.open[-1].children.append(element)
        self.open[-1].pieces.append(element)


def read_page(text):
    """Return the root of a page; every tag that was opened is closed where it should be."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].tag}> is not closed"
    return reader.root
