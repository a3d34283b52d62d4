"""Every tag of the document is told, and every operation has one of them."""

from __future__ import annotations

from django.utils.translation import override

from forecourt.api_sections import TAGS, tags_told
from tests.api.published import published


def test_the_document_tells_each_tag_that_an_operation_has() -> None:
    document = published()
    used = {tag for methods in document["paths"].values() for one in methods.values() for tag in one["tags"]}
    assert [one["name"] for one in document["tags"]] == [tag.name for tag in TAGS]
    assert used == {tag.name for tag in TAGS}


def test_the_document_is_in_english_whoever_asks_first() -> None:
    with override("zh-hans"):
        assert str(TAGS[0].title) == "用量"
        assert tags_told()[0]["description"].startswith("What was used")
