"""Every link and picture of the documentation leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import LINK, ROOT, all_pages, anchors_of

PICTURE_BYTES_MAX = 250_000


@pytest.mark.parametrize("document", all_pages(), ids=lambda one: str(one.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    wrong = []
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if re.match(r"https?://", link):
            continue
        path, _, part = link.partition("#")
        target = (document.parent / path) if path else document
        if not target.exists() or (part and part not in anchors_of(target)):
            wrong.append(link)
    assert not wrong


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "pictures").iterdir())
    assert pictures
    assert [one.name for one in pictures if one.stat().st_size > PICTURE_BYTES_MAX] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    waiting, seen = [ROOT / "README.md"], set()
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")))
        waiting += [(page.parent / link).resolve() for link in links if link and "://" not in link]
    assert set(all_pages()) - seen == set()
