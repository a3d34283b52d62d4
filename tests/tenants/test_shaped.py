"""What fits a shape comes back read, and whatever else says where it is wrong."""

from typing import Any

import pytest
from rest_framework import serializers

from tenants.shaped import valid


class PairSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    count = serializers.IntegerField(default=7)


def test_what_fits_is_read_and_filled_in() -> None:
    assert valid(PairSerializer, {"name": "a", "count": "3", "other": 1}) == {"name": "a", "count": 3}
    assert valid(PairSerializer, {"name": "a"}) == {"name": "a", "count": 7}


@pytest.mark.parametrize(
    ("given", "where"), [({}, "name"), ({"name": "a", "count": "x"}, "count"), (["a"], "non_field_errors")]
)
def test_what_does_not_fit_says_where(given: object, where: str) -> None:
    with pytest.raises(serializers.ValidationError) as wrong:
        valid(PairSerializer, given)
    assert set(wrong.value.get_full_details()) == {where}
