"""What a shape does not have is refused by name, on every level, and nothing that it has."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from tenants.closed_shapes import ClosedSerializer
from tenants.shaped import valid


class Part(ClosedSerializer):
    """An object within a body."""

    share = serializers.IntegerField()


class Body(ClosedSerializer):
    """A body with every kind of field that may stand in one."""

    code = serializers.CharField()
    parts = Part(many=True, required=False)
    schedule = serializers.ChoiceField(["weekly", "daily"], required=False)
    state = serializers.CharField(read_only=True)


def refused(given: Any) -> Any:
    with pytest.raises(serializers.ValidationError) as refusal:
        valid(Body, given)
    return refusal.value.detail


def test_what_the_shape_has_is_taken() -> None:
    given = {"code": "A", "parts": [{"share": 1}]}
    assert valid(Body, given) == given


def test_what_was_read_before_may_be_sent_back_with_what_is_only_read() -> None:
    assert valid(Body, {"code": "A", "state": "open"}) == {"code": "A"}


def test_each_unknown_field_is_named_with_what_is_expected() -> None:
    found = refused({"code": "A", "to_at": "2026-01-01", "Code": "B"})
    assert set(found) == {"Code", "to_at"}
    assert found["to_at"] == ["There is no such field here; expected code, parts, schedule."]


def test_one_within_an_object_of_a_list_is_named_where_it_stands() -> None:
    found = refused({"code": "A", "parts": [{"share": 1}, {"share": 2, "shares": 3}]})
    assert found["parts"][1] == {"shares": ["There is no such field here; expected share."]}


def test_what_is_no_object_is_refused_as_ever() -> None:
    assert set(refused(["code"])) == {"non_field_errors"}


def test_of_a_word_that_is_none_of_the_choices_the_choices_are_told() -> None:
    (wrong,) = refused({"code": "A", "schedule": "manual"})["schedule"]
    assert (str(wrong), wrong.code) == (
        '"manual" is not a valid choice. Expected one of weekly, daily.',
        "invalid_choice",
    )
    (missing,) = refused({"schedule": "daily"})["code"]
    assert missing.code == "required"
