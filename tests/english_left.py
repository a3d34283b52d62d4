"""English words that a page in another language still shows: in its text, and in what is read aloud of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

SPOKEN: Final = ("alt", "aria-label", "aria-description", "placeholder", "title")
"""Attributes that people read or hear."""
EMPTY: Final = frozenset(("area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
"""Elements that have no end."""
AS_WRITTEN: Final = frozenset(("code", "pre", "samp", "kbd", "script", "style", "textarea"))
"""What shows things as a machine writes them."""
TOKEN: Final = re.compile(r"[\w.@/&:'#*-]+", re.ASCII)
WORD: Final = re.compile(r"[A-Za-z][a-z]+(?:'[a-z]+)?[.:]?")
"""A word as sentences have it: names such as `quartz-70b`, `p_1`, `fra1.example`, `a/b` and `GPU` are none."""


class _Texts(HTMLParser):
    """Collects what a page says in its own language."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        foreign = given.get("lang") == "en" or given.get("translate") == "no" or tag in AS_WRITTEN
        foreign = foreign or (bool(self._open) and self._open[-1][1])
        if not foreign:
            self.texts += [given[name] for name in SPOKEN if name in given]
        if tag not in EMPTY:
            self._open.append((tag, foreign))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.texts.append(data)


def english_left(page: str, names: Collection[str] = ()) -> set[str]:
    """Return the English words in a page's texts; `names` are those of others, which stay as they are."""
    reader = _Texts()
    reader.feed(page)
    found: set[str] = set()
    for text in reader.texts:
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, " ")
        found |= {token.rstrip(".:") for token in TOKEN.findall(text) if WORD.fullmatch(token)}
    return found - set(names)
