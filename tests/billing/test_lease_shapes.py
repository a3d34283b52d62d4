"""Shapes of the API of capacity, quotes and leases."""

from __future__ import annotations

from typing import Any

import pytest

from billing.lease_shapes import (
    CAPACITY_PARAMETERS,
    CapacityQuerySerializer,
    EndSerializer,
    ExtendSerializer,
    LeaseSerializer,
    QuoteRequestSerializer,
    StepSerializer,
    WishSerializer,
)
from billing.models import LeaseEndReason, LeaseStep
from clusters.capacity import COUNT_MAX
from clusters.models import SliceKind

WISH: dict[str, Any] = {"model": "sample", "count": 2, "from": "2026-03-01T00:00", "to": "2026-04-01T00:00"}


def test_a_wish_needs_only_its_model_count_and_span() -> None:
    wish = WishSerializer(data=WISH)
    assert wish.is_valid()
    assert wish.validated_data == {**WISH, "kind": SliceKind.WHOLE, "profile": ""}
    nothing = WishSerializer(data={})
    assert not nothing.is_valid()
    assert set(nothing.errors) == set(WISH)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", ""),
        ("model", "m" * 101),
        ("count", 0),
        ("count", COUNT_MAX + 1),
        ("count", "two"),
        ("kind", "half"),
        ("profile", "p" * 33),
        ("share_permille", 0),
        ("share_permille", 1001),
        ("from", "2" * 41),
        ("to", ""),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(field: str, value: object) -> None:
    wish = WishSerializer(data={**WISH, field: value})
    assert not wish.is_valid()
    assert list(wish.errors) == [field]


@pytest.mark.parametrize("share", [None, 1, 1000])
def test_any_share_of_a_card_or_none_may_be_wished_for(share: int | None) -> None:
    assert WishSerializer(data={**WISH, "share_permille": share}).is_valid()


def test_a_quote_is_under_a_contract_and_capacity_may_be() -> None:
    assert CapacityQuerySerializer(data=WISH).is_valid()
    quote = QuoteRequestSerializer(data=WISH)
    assert not quote.is_valid()
    assert list(quote.errors) == ["contract"]
    assert QuoteRequestSerializer(data={**WISH, "contract": "C-1"}).is_valid()


def test_the_documented_parameters_are_those_that_are_read() -> None:
    fields = CapacityQuerySerializer().fields
    assert {parameter.name for parameter in CAPACITY_PARAMETERS} == set(fields)
    assert {one.name for one in CAPACITY_PARAMETERS if one.required} == {
        name for name, field in fields.items() if field.required
    }


def test_another_end_is_named_by_what_it_does() -> None:
    assert list(ExtendSerializer().fields) == ["to"]
    assert list(EndSerializer().fields) == ["at"]
    assert not ExtendSerializer(data={"at": "2026-03-01T00:00"}).is_valid()


@pytest.mark.parametrize("reason", [None, *LeaseEndReason.values])
def test_every_step_of_a_lease_can_be_told(reason: str | None) -> None:
    for step in LeaseStep.values:
        said = {"step": step, "at": "2026-03-01T00:00:00Z", "to": None, "reason": reason}
        assert StepSerializer(data=said).is_valid()
    assert {"from", "to", "state", "steps"} <= set(LeaseSerializer().fields)
