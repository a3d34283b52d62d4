"""What an entry changed: the fields that differ, and no others."""

from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from tenants.audit.words import TEXT_CHARACTERS_MAX, Change, changes


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, []),
        (None, {"role": "viewer"}, [Change("role", "", "viewer")]),
        ({"role": "viewer"}, None, [Change("role", "viewer", "")]),
        ({"role": "viewer", "a": 1}, {"role": "owner", "a": 1}, [Change("role", "viewer", "owner")]),
        ({"scopes": ["a"]}, {"scopes": ["a", "b"]}, [Change("scopes", "a", "a, b")]),
        ({"held": True}, {"held": False}, [Change("held", "true", "false")]),
        ({"x": {"deep": "ä"}}, {}, [Change("x", '{"deep": "ä"}', "")]),
        ("before", "after", [Change("", "before", "after")]),
        (None, {"long": "x" * 999}, [Change("long", "", "x" * (TEXT_CHARACTERS_MAX - 1) + "…")]),
        (None, {"empty": ""}, [Change("empty", "", "")]),
    ],
)
def test_changes(before: Any, after: Any, expected: list[Change]) -> None:
    assert changes(before, after) == expected


def test_a_list_has_the_marks_of_the_readers_language() -> None:
    with override("zh-hans"):
        assert changes(None, {"scopes": ["a", "b"]}) == [Change("scopes", "", "a\N{IDEOGRAPHIC COMMA}b")]


FIELDS = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.none(), max_size=5)


@given(FIELDS, FIELDS)
def test_every_field_that_differs_is_told_once(before: dict[str, Any], after: dict[str, Any]) -> None:
    told = [change.field for change in changes(before, after)]
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert len(told) == len(differing)
    assert set(told) == differing
