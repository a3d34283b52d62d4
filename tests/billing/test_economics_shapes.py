"""The shapes of the economics API's answers."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from billing.economics_shapes import (
    ComparisonSerializer,
    CrossingSerializer,
    MarginLineSerializer,
    MarginsSerializer,
    SimulatedLineSerializer,
    SimulationSerializer,
)

SHAPES: list[type[serializers.Serializer[Any]]] = [
    MarginLineSerializer,
    MarginsSerializer,
    SimulatedLineSerializer,
    SimulationSerializer,
    ComparisonSerializer,
    CrossingSerializer,
]
COUNTED = {"days", "periods", "contracts"}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_amount_is_a_number_that_a_reader_could_round(shape: type[serializers.Serializer[Any]]) -> None:
    for name, field in shape().fields.items():
        assert not isinstance(field, (serializers.FloatField, serializers.DecimalField)), name
        if isinstance(field, serializers.IntegerField):
            assert name in COUNTED


def test_what_may_be_unknown_may_be_null_and_what_was_counted_may_not() -> None:
    unknown = {name for name, field in MarginLineSerializer().fields.items() if field.allow_null}
    assert unknown == {
        "gpu_cost", "energy_cost", "overhead_cost", "profit", "margin", "energy_kwh", "carbon_g", "cost_per_mtok",
        "price_per_mtok", "tokens_per_currency_unit", "tokens_per_gpu_hour", "tokens_per_kwh",
    }  # fmt: skip
    totals = {name for name, field in MarginsSerializer().fields.items() if field.allow_null}
    assert totals == {"workload_cost", "idle_cost", "overhead_cost", "cost", "next_cursor"}
    assert [name for name, field in CrossingSerializer().fields.items() if field.allow_null] == ["utilisation"]


def test_the_total_has_the_shape_of_its_lines() -> None:
    for shape in (MarginsSerializer, SimulationSerializer):
        fields = shape().fields
        lines = fields["lines"]
        assert isinstance(lines, serializers.ListSerializer)
        assert type(lines.child) is type(fields["total"])


def test_a_sum_with_an_unknown_cost_keeps_its_null() -> None:
    given = {"cheaper_below": "token_price", "cheaper_above": "lease", "volume": "1.500000000000000000",
             "tokens": "1500", "utilisation": None, "amount": "9.000000000000000001"}  # fmt: skip
    assert CrossingSerializer(given).data == given
