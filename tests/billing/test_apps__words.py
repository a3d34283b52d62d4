"""The Chinese catalogue says everything that the pages of billing say."""

from pathlib import Path

import billing
from portal.catalogue import Message, catalogue_messages, folder_messages, python_messages, template_messages

BILLING = Path(billing.__file__).parent
CATALOGUE = BILLING / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


TENANT_SOURCES = (
    *(BILLING / "pages").glob("usage*.py"),
    *(BILLING / "pages").glob("invoice*.py"),
    *(BILLING / "templates" / "billing").glob("tenant_*.html"),
    BILLING / "templates" / "billing" / "partials" / "invoice_table.html",
)


def test_every_message_of_the_tenants_pages_is_in_the_chinese_catalogue() -> None:
    said: set[Message] = set()
    for source in TENANT_SOURCES:
        read = python_messages if source.suffix == ".py" else template_messages
        said |= read(source.read_text(encoding="utf-8"))
    assert len(said) > 100
    assert said - set(catalogue_messages(CATALOGUE)) == set()


def test_the_catalogue_says_nothing_that_nobody_asks_for() -> None:
    assert set(catalogue_messages(CATALOGUE)) - folder_messages(BILLING) == set()


def test_every_message_is_translated_with_its_placeholders() -> None:
    assert [key for key, done in catalogue_messages(CATALOGUE).items() if not done] == []
    entries = CATALOGUE.read_text(encoding="utf-8").split("\n\n")[1:]
    for entry in entries:
        said = entry.partition("\nmsgstr")[2]
        for name in {part.partition(")")[0] for part in entry.partition("\nmsgstr")[0].split("%(")[1:]}:
            assert f"%({name})s" in said, entry


def test_nobody_is_addressed_with_the_formal_you() -> None:
    formal = "\N{CJK UNIFIED IDEOGRAPH-60A8}"
    assert formal not in CATALOGUE.read_text(encoding="utf-8")
