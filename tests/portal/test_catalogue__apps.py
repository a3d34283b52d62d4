"""The Chinese catalogues say everything that the pages of an app say, and nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.pofile import read_po
from django.utils import translation

from portal.catalogue import catalogue_messages, folder_messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from babel.messages.catalog import Message

ROOT = Path(__file__).parents[2]
APPS = ("forecourt", "billing", "metering", "clusters", "portal", "tenants")


@pytest.fixture(params=APPS)
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of an app that says something to people."""
    return ROOT / str(request.param)


def catalogue_of(folder: Path) -> Path:
    return folder / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def messages_of(folder: Path) -> Iterator[Message]:
    with catalogue_of(folder).open("rb") as stream:
        yield from read_po(stream)


def texts_of(message: Message) -> Sequence[str]:
    return [message.string] if isinstance(message.string, str) else message.string or ()


def said(context: str | None, singular: str, plural: str) -> str:
    """What a page shows."""
    if plural:
        return (
            translation.npgettext(context, singular, plural, 2)
            if context
            else translation.ngettext(singular, plural, 2)
        )
    return translation.pgettext(context, singular) if context else translation.gettext(singular)


def test_the_catalogue_holds_every_message_and_no_other(folder: Path) -> None:
    said = folder_messages(folder)
    assert len(said) > 10
    assert set(catalogue_messages(catalogue_of(folder))) == said


def test_every_message_is_translated_with_its_placeholders(folder: Path) -> None:
    assert [key for key, done in catalogue_messages(catalogue_of(folder)).items() if not done] == []
    for entry in catalogue_of(folder).read_text(encoding="utf-8").split("\n\n")[1:]:
        asked, _, said = entry.partition("\nmsgstr")
        for name in {part.partition(")")[0] for part in asked.split("%(")[1:]}:
            assert f"%({name})s" in said, entry


def test_a_page_shows_the_translation_of_its_own_app(folder: Path) -> None:
    """One catalogue is made of all: a word that stands in two, or in a library's, has one translation or a context."""
    other = {}
    with translation.override("zh-hans"):
        for entry in messages_of(folder):
            singular, plural = entry.id if isinstance(entry.id, tuple) else (str(entry.id), "")
            written = entry.string[0] if isinstance(entry.string, tuple) else entry.string
            shown = said(entry.context, singular, plural) if singular else written
            if shown != written:
                other[singular] = (written, shown)
    assert other == {}


def test_marks_between_chinese_words_are_as_wide_as_they_are(folder: Path) -> None:
    narrow = re.compile(r"[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]")
    written = [text for one in messages_of(folder) for text in texts_of(one)]
    assert [text for text in written if narrow.search(text)] == []


def test_no_message_hides_in_a_text_that_is_put_together(folder: Path) -> None:
    """What stands inside an f-string is not found by who gathers the messages, and would stay English."""
    names = {"_", "gettext", "gettext_lazy", "ngettext", "pgettext", "sentence"}
    hidden = [
        f"{file}:{inside.lineno}"
        for file in folder.rglob("*.py")
        for text in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for inside in ast.walk(text)
        if isinstance(inside, ast.Call) and isinstance(inside.func, ast.Name) and inside.func.id in names
    ]
    assert hidden == []


def test_nobody_is_addressed_with_the_formal_you(folder: Path) -> None:
    assert "\N{CJK UNIFIED IDEOGRAPH-60A8}" not in catalogue_of(folder).read_text(encoding="utf-8")
