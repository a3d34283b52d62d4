"""Shapes of credit and coupons: what a request may say, and what stands where it says nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.credit_shapes import CouponRequestSerializer, GrantRequestSerializer, NewCouponSerializer

GRANT = {"term": "CR-1", "name": "first", "amount": "500.00", "from_at": "2026-03-01T00:00:00Z"}
COUPON = {"code": "HALF", "title": "Half"}


def test_a_grant_is_given_for_all_terms_and_never_expires_unless_it_says_so() -> None:
    shape = GrantRequestSerializer(data=GRANT)
    assert shape.is_valid(), shape.errors
    said = shape.validated_data
    assert (said["expires_at"], said["priority"], said["bought"], said["terms"]) == (None, 0, False, [])
    assert said["amount"] == Decimal("500.00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "much"},
        {"amount": "NaN"},
        {"amount": "Infinity"},
        {"amount": "0." + "1" * 19},
        {"amount": "1" * 33},
        {"from_at": "soon"},
        {"expires_at": "never"},
        {"name": "n" * 33},
        {"name": ""},
        {"term": None},
        {"priority": "first"},
        {"terms": ["t" * 33]},
        {"terms": "P-1"},
    ],
)
def test_a_grant_that_cannot_be_read_names_the_field(wrong: dict[str, Any]) -> None:
    shape = GrantRequestSerializer(data={**GRANT, **wrong})
    assert not shape.is_valid()
    assert set(shape.errors) == set(wrong)


@pytest.mark.parametrize("missing", list(GRANT))
def test_a_grant_says_at_least_what_of_whom_how_much_and_from_when(missing: str) -> None:
    shape = GrantRequestSerializer(data={name: value for name, value in GRANT.items() if name != missing})
    assert not shape.is_valid()
    assert set(shape.errors) == {missing}


def test_an_amount_keeps_every_decimal_that_a_charge_has() -> None:
    shape = GrantRequestSerializer(data={**GRANT, "amount": "12345678901234567890.000000000000000001"})
    assert shape.is_valid(), shape.errors
    assert shape.validated_data["amount"] == Decimal("12345678901234567890.000000000000000001")


def test_a_coupon_holds_for_everything_and_ever_unless_it_says_so() -> None:
    shape = NewCouponSerializer(data=COUPON)
    assert shape.is_valid(), shape.errors
    nothing = ("percent", "amount_per_period", "periods_most", "redeem_by", "redemptions_most")
    assert {name: shape.validated_data[name] for name in nothing} == dict.fromkeys(nothing)
    assert (shape.validated_data["models"], shape.validated_data["quantities"]) == ([], [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"redemptions_most": 2**31},
        {"percent": "12.1234567"},
        {"percent": "half"},
        {"code": "c" * 33},
        {"title": ""},
        {"periods_most": "two"},
        {"models": {"a": 1}},
    ],
)
def test_a_coupon_that_cannot_be_read_names_the_field(wrong: dict[str, Any]) -> None:
    shape = NewCouponSerializer(data={**COUPON, **wrong})
    assert not shape.is_valid()
    assert set(shape.errors) == set(wrong)


@pytest.mark.parametrize("code", ["", None, "c" * 33, ["HALF"]])
def test_a_code_is_a_short_text(code: object) -> None:
    shape = CouponRequestSerializer(data={"code": code})
    assert not shape.is_valid()
    assert set(shape.errors) == {"code"}
