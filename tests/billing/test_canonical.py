"""One document has one text, whatever order it was written in, and two documents two."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.canonical import canonical, digest
from tests.examples import examples

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab价", max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text("abc价", max_size=4), VALUES, max_size=5)


def turned(value: Any) -> Any:
    """The same document, its members written in the other order at every depth."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=examples(25))
@given(DOCUMENTS)
def test_the_order_of_members_does_not_count(document: dict[str, Any]) -> None:
    assert canonical(document) == canonical(turned(document))


@settings(max_examples=examples(25))
@given(DOCUMENTS)
def test_what_is_read_is_what_was_written_and_is_written_the_same_again(document: dict[str, Any]) -> None:
    read = json.loads(canonical(document))
    assert read == document
    assert canonical(read) == canonical(document)


@settings(max_examples=examples(25))
@given(DOCUMENTS, DOCUMENTS)
def test_two_documents_have_two_texts(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical(one) == canonical(other)) == same


def test_it_has_no_spaces_and_letters_as_they_are() -> None:
    assert canonical({"b": [1, "价"], "a": {"d": None, "c": True}}) == '{"a":{"c":true,"d":null},"b":[1,"价"]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": value})


@settings(max_examples=examples(25))
@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_the_digest_is_the_sha256_of_the_bytes(text: str) -> None:
    assert digest(text) == hashlib.sha256(text.encode()).hexdigest()
    assert len(digest(text)) == 64
