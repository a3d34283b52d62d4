"""Every field of the API says what it holds, and words name only what is there."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from forecourt.api_document import document
from forecourt.field_meanings import ALL_WORDS, BULLET, FIELD_WORDS, describe_fields, is_told, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = re.compile(r"`((?:[a-z-]+/)+[^`\s]*\{[^`\s]*)`")


def shapes_of(part: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything within a part of the document that has fields, with the name that it stands under."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and "type" in part:
            yield name, part
        for key, each in part.items():
            yield from shapes_of(each, f"{name}.{key}" if name else key)
    elif isinstance(part, list):
        for each in part:
            yield from shapes_of(each, name)


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document()["components"]["schemas"]
    return found


def test_no_field_of_the_published_document_lacks_words(shapes: dict[str, dict[str, Any]]) -> None:
    found = [*shapes_of(shapes), *shapes_of(document()["paths"], "paths"), *shapes_of(document()["webhooks"], "hooks")]
    assert sum(len(shape["properties"]) for _, shape in found) > 2_000
    untold = [
        f"{at}.{name}" for at, shape in found for name, each in shape["properties"].items() if not is_told(each, shapes)
    ]
    assert untold == []


def test_no_words_are_only_the_name_again(shapes: dict[str, dict[str, Any]]) -> None:
    def bare(text: str) -> str:
        return re.sub(r"^(the|a|an) ", "", plain(text))

    fields = [(name, each) for _, shape in shapes_of(shapes) for name, each in shape["properties"].items()]
    again = {name for name, each in fields if bare(each.get("description", "").partition("\n")[0]) == bare(name)}
    assert again == set()


def test_all_words_are_used_and_no_two_say_the_same_key(shapes: dict[str, dict[str, Any]]) -> None:
    used = {
        key
        for at, shape in shapes.items()
        for name, each in shape.get("properties", {}).items()
        for key in (f"{at}.{name}", name)
        if key in FIELD_WORDS and each.get("description", "").partition("\n\n")[0] == FIELD_WORDS[key]
    }
    assert set(FIELD_WORDS) - used == set()
    assert [key for key, count in Counter(key for floor in ALL_WORDS for key in floor).items() if count > 1] == []


def test_every_address_that_words_name_is_one_of_the_api() -> None:
    named = {(key, address) for key, words in FIELD_WORDS.items() for address in ADDRESS.findall(words)}
    assert len(named) > 60
    assert {one for one in named if f"/api/v1/{one[1]}" not in document()["paths"]} == set()


def test_words_are_one_line_of_plain_english() -> None:
    for key, words in FIELD_WORDS.items():
        assert words.isascii() or set(words) <= {*map(chr, range(32, 127)), "…"}, key
        assert words == words.strip(), key
        assert not words.endswith("."), key
        assert "\n" not in words, key


def described(**shapes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = json.loads(json.dumps(shapes))
    describe_fields(made)
    return made


def test_a_serializer_s_own_words_stay_and_those_of_the_shape_go_before_those_of_the_name() -> None:
    field = {"type": "string"}
    made = described(
        Node={"properties": {"id": field, "created_at": field}},
        Own={"properties": {"created_at": {**field, "description": "its own"}, "never_heard_of": field}},
    )
    assert made["Node"]["properties"]["id"]["description"] == FIELD_WORDS["Node.id"]
    assert made["Node"]["properties"]["created_at"]["description"] == FIELD_WORDS["created_at"]
    assert made["Own"]["properties"]["created_at"]["description"] == "its own"
    assert not is_told(made["Own"]["properties"]["never_heard_of"], made)


def test_a_shape_that_is_referred_to_speaks_for_itself_and_values_stay_below_the_words() -> None:
    made = described(
        Side={"description": f"{BULLET}tenant` - what is bought", "enum": ["tenant"]},
        Per={"description": f"{BULLET}in_all` - In All", "enum": ["in_all"]},
        Rule={"description": "How it is counted."},
        Budget={"properties": {name: {"$ref": f"#/x/{name.title()}"} for name in ("side", "per", "rule")}},
        Margins={"properties": {"total": {"$ref": "#/x/Rule"}}},
    )
    fields = made["Budget"]["properties"]
    assert fields["side"]["description"] == f"{FIELD_WORDS['side']}\n\n{BULLET}tenant` - what is bought"
    assert fields["per"]["description"] == FIELD_WORDS["Budget.per"]
    assert "description" not in fields["rule"]
    assert is_told(fields["rule"], made)
    assert not is_told({"$ref": "#/x/Side"}, made)
    assert made["Margins"]["properties"]["total"]["description"] == FIELD_WORDS["Margins.total"]
