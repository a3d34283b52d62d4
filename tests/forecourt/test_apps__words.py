"""The Chinese catalogue says everything that the frame and the documentation of the API say, and nothing else."""

from pathlib import Path

import forecourt
from portal.catalogue import catalogue_messages, folder_messages

FOLDER = Path(forecourt.__file__).parent
CATALOGUE = FOLDER / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def test_the_catalogue_holds_every_message_and_no_other() -> None:
    said = folder_messages(FOLDER)
    assert len(said) > 30
    assert set(catalogue_messages(CATALOGUE)) == said


def test_every_message_is_translated_with_its_placeholders() -> None:
    assert [key for key, done in catalogue_messages(CATALOGUE).items() if not done] == []
    for entry in CATALOGUE.read_text(encoding="utf-8").split("\n\n")[1:]:
        asked, _, said = entry.partition("\nmsgstr")
        for name in {part.partition(")")[0] for part in asked.split("%(")[1:]}:
            assert f"%({name})s" in said, entry


def test_nobody_is_addressed_with_the_formal_you() -> None:
    assert "\N{CJK UNIFIED IDEOGRAPH-60A8}" not in CATALOGUE.read_text(encoding="utf-8")
