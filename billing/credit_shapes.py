"""Shapes of the API of prepaid credit, standing and coupons, as its description shows them."""

from typing import Any

from rest_framework import serializers

from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

AMOUNT: dict[str, Any] = {"max_digits": 50, "decimal_places": 18}


class GrantSerializer(serializers.Serializer[Any]):
    """A balance, and what is left of it."""

    term = serializers.CharField(help_text="reference of the credit term")
    name = serializers.CharField()
    amount = serializers.CharField(help_text="as it was granted or bought")
    left_amount = serializers.CharField(help_text="after everything used so far")
    from_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    priority = serializers.IntegerField(help_text="the smallest is drawn first, of one the first to expire")
    bought = serializers.BooleanField()
    open = serializers.BooleanField(help_text="whether it can pay for metered use now")


class CommitmentSerializer(serializers.Serializer[Any]):
    """What is committed, used and left over a period or year."""

    term = serializers.CharField()
    title = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    committed_amount = serializers.CharField()
    used_amount = serializers.CharField()
    left_amount = serializers.CharField()
    recoupable_amount = serializers.CharField(help_text="paid for shortfalls before, and still to be taken off")


class StandingSerializer(serializers.Serializer[Any]):
    """Where a contract stands."""

    contract = serializers.CharField(help_text="number")
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()
    standing = serializers.ChoiceField(["allowed", "stop"])
    suspended = serializers.BooleanField(help_text="for invoices that are long unpaid; lifted as they are paid")
    left_amount = serializers.CharField(help_text="of open grants, less what nothing pays for; below 0: overdrawn")
    unpaid_amount = serializers.CharField(help_text="what open periods owe and no credit pays for")
    overdrawn_amount_most = serializers.CharField(allow_null=True, help_text="by the contract; null without a stop")
    stop_at_amount = serializers.CharField(allow_null=True)
    check_every_s = serializers.IntegerField(allow_null=True, help_text="ask again after so many seconds at most")
    grants = GrantSerializer(many=True)
    commitments = CommitmentSerializer(many=True)


class GrantRequestSerializer(ClosedSerializer):
    """A balance to be granted, or that was bought."""

    term = serializers.CharField(max_length=32)
    name = serializers.CharField(max_length=32)
    amount = serializers.DecimalField(**AMOUNT)
    from_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    priority = serializers.IntegerField(required=False, default=0)
    bought = serializers.BooleanField(required=False, default=False)
    terms = serializers.ListField(
        child=serializers.CharField(max_length=32), required=False, default=list, help_text="in scope; none: all"
    )


class CouponRequestSerializer(ClosedSerializer):
    """A code to redeem."""

    code = serializers.CharField(max_length=32)


class RedeemedSerializer(serializers.Serializer[Any]):
    """The discount that a coupon gave."""

    term = serializers.CharField()
    title = serializers.CharField()
    from_at = serializers.DateTimeField()


class NewCouponSerializer(ClosedSerializer):
    """A coupon to offer: a percentage, or an amount of each billing period, never both."""

    code = serializers.CharField(max_length=32)
    title = serializers.CharField(max_length=200)
    percent = serializers.DecimalField(max_digits=9, decimal_places=6, required=False, allow_null=True, default=None)
    amount_per_period = serializers.DecimalField(**AMOUNT, required=False, allow_null=True, default=None)
    models = serializers.ListField(child=serializers.CharField(max_length=200), required=False, default=list)
    quantities = serializers.ListField(child=serializers.CharField(max_length=32), required=False, default=list)
    periods_most = serializers.IntegerField(
        required=False, allow_null=True, default=None, help_text="billing periods in which it holds; null: all"
    )
    redeem_by = serializers.DateTimeField(required=False, allow_null=True, default=None)
    redemptions_most = serializers.IntegerField(
        required=False, allow_null=True, default=None, max_value=2**31 - 1, help_text="contracts that can redeem it"
    )


class CouponSerializer(serializers.Serializer[Any]):
    """A coupon as its provider sees it."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    title = serializers.CharField()
    percent = serializers.CharField(allow_null=True)
    amount_per_period = serializers.CharField(allow_null=True)
    models = serializers.ListField(child=serializers.CharField())
    quantities = serializers.ListField(child=serializers.CharField())
    periods_most = serializers.IntegerField(allow_null=True)
    redeem_by = serializers.DateTimeField(allow_null=True)
    redemptions_most = serializers.IntegerField(allow_null=True)
    redemptions = serializers.IntegerField(help_text="contracts that have redeemed it")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class CouponsSerializer(PagedSerializer):
    """Coupons of a provider, the latest first."""

    coupons = CouponSerializer(many=True)
