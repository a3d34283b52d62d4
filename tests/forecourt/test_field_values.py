"""A program that has only the document knows the words that it must tell apart."""

from __future__ import annotations

from typing import Any

from forecourt.field_values import FIELD_VALUES, list_values
from tests.api.published import published


def test_each_told_field_is_a_text_that_lists_its_words() -> None:
    shapes = published()["components"]["schemas"]
    for name, choices in FIELD_VALUES.items():
        shape, _dot, field = name.partition(".")
        told = shapes[shape]["properties"][field]
        assert (told["type"], told["enum"]) == ("string", list(choices.values)), name


def test_a_shape_that_a_document_lacks_is_passed_over() -> None:
    shapes: dict[str, Any] = {"Contract": {"properties": {"state": {}, "collection": {}, "period_kind": {}}}}
    list_values(shapes)
    assert shapes["Contract"]["properties"]["state"] == {
        "enum": ["draft", "offered", "active", "ended", "terminated"],
    }
