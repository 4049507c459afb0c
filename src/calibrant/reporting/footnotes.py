"""Footnotes: each sentence once, numbered in the order of its first use."""

from __future__ import annotations

from collections.abc import Iterable

INFINITE = "∞: at least one row gave probability zero to what happened; one such row makes the mean infinite"


class Footnotes:
    """Collects sentences and gives them numbers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def numbers(self, texts: Iterable[str]) -> list[int]:
        """Return the numbers of the sentences, new ones added at the end."""
        found: list[int] = []
        for sentence in texts:
            text = sentence[:1].upper() + sentence[1:]
            if text not in self.texts:
                self.texts.append(text)
            number = self.texts.index(text) + 1
            if number not in found:
                found.append(number)
        return found
