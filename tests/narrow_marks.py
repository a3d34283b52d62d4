"""Half-width colons, commas and semicolons that a Chinese page shows beside Chinese words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from tests.english_left import AS_WRITTEN, EMPTY, SPOKEN

WITHIN_A_LINE: Final = frozenset(("a", "abbr", "b", "bdi", "em", "i", "small", "span", "strong", "sub", "sup", "time"))
"""Elements that go on with the sentence in which they stand."""
CHINESE: Final = r"[\u4e00-\u9fff]"
NARROW: Final = re.compile(rf"{CHINESE} ?[,:;](?!\d)|[,:;] ?{CHINESE}")
"""`12:00` and `1,000` are figures, whatever stands before them."""
AROUND: Final = 24


class _Lines(HTMLParser):
    """Collects what a page says, a text for each element that is a line of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        written = given.get("lang") == "en" or given.get("translate") == "no" or tag in AS_WRITTEN
        written = written or (bool(self._open) and self._open[-1][1])
        if not written:
            self.said = "\n".join([*(given[name] for name in SPOKEN if name in given), self.said])
        if tag not in WITHIN_A_LINE:
            self.said += "\n"
        if tag not in EMPTY:
            self._open.append((tag, written))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag not in WITHIN_A_LINE:
            self.said += "\n"

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.said += data


def narrow_marks(page: str) -> set[str]:
    """Return what stands around each half-width mark beside a Chinese word."""
    reader = _Lines()
    reader.feed(page)
    lines = (re.sub(r"\s+", " ", line) for line in reader.said.split("\n"))
    return {
        line[max(0, found.start() - AROUND) : found.end() + AROUND] for line in lines for found in NARROW.finditer(line)
    }
