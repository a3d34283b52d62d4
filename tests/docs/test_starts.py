"""The pages that somebody begins with call what is in the portal by the words that stand there."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from tests.docs.pages import ROOT, text_of

NAMED = re.compile(r"\*\*([^*]+)\*\*")
PART = re.compile(r"%\(\w+\)s")


def said_in_the_portal() -> list[re.Pattern[str]]:
    """Every message, with anything in the place of its parts; up to the first one it may also be cut short."""
    found = []
    for file in ROOT.glob("*/locale/zh_Hans/LC_MESSAGES/django.po"):
        with file.open("rb") as opened:
            messages = [one.id if isinstance(one.id, str) else one.id[0] for one in read_po(opened) if one.id]
        for message in messages:
            first, *rest = [re.escape(" ".join(part.split())) for part in PART.split(message)]
            more = "".join(rf"\s*\S+\s*{part}" for part in rest)
            found.append(re.compile(rf"{first}(?:{more})?" if first else more))
    return found


@pytest.mark.parametrize(
    "page", ["docs/start-provider.md", "docs/start-tenant.md", "docs/start-api.md", "docs/journeys.md"]
)
def test_what_is_named_stands_in_the_portal(page: str) -> None:
    named = {" ".join(words.split()) for words in NAMED.findall(text_of(page))}
    assert named
    messages = said_in_the_portal()
    assert sorted(words for words in named if not any(one.fullmatch(words) for one in messages)) == []
