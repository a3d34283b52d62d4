"""Prepaid credit as it is used up, and coupons: rows that are added and never changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.contracts import BillingPeriod, Contract
from billing.models.terms import Term
from tenants.ids import new_id
from tenants.models import Organization


class MovementKind(models.TextChoices):
    """Why a grant has less than before."""

    DRAWN = "drawn", "paid for a billing period"
    EXPIRED = "expired", "what was left as it expired"
    RETURNED = "returned", "given back to who bought it"
    TAKEN = "taken", "the payment for it was charged back"


class CreditMovement(models.Model):
    """What left a grant of a credit term: a balance is the grant less these. Append-only.

    A period that closes draws and lets expire. What is given back or charged back in between is of the first period
    that was open then, and counts in it: `reference` says for which refund or chargeback it was.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="credit_movements")
    grant = models.CharField(max_length=32, help_text="name of the grant within its term")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="credit_movements")
    kind = models.CharField(max_length=8, choices=MovementKind.choices)
    amount = models.DecimalField(max_digits=50, decimal_places=18)
    at = models.DateTimeField()
    reference = models.CharField(max_length=150, blank=True, default="", help_text="the refund or chargeback it is for")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["term", "grant", "period", "kind"], condition=Q(reference=""), name="credit_movement_once"
            ),
            models.UniqueConstraint(
                fields=["reference"], condition=~Q(reference=""), name="credit_movement_once_a_reference"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("drawn", "expired"), reference="")
                | (Q(kind__in=("returned", "taken")) & ~Q(reference="")),
                name="credit_movement_between_says_why",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_movement_takes"),
        ]

    def __str__(self) -> str:
        return f"{self.grant} {self.amount}"


class Coupon(models.Model):
    """A discount that a provider's tenants get by its code, so many of them until an instant. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="coupons")
    code = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    document = models.JSONField(help_text="the wording of the discount")
    redeem_by = models.DateTimeField(null=True)
    redemptions_most = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "code"], name="coupon_code_once")]

    def __str__(self) -> str:
        return self.code


class CouponRedemption(models.Model):
    """A contract that got a coupon's discount, as the term that it is. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="redemptions")
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="coupon_redemptions")
    term = models.ForeignKey(Term, models.PROTECT, related_name="coupon_redemptions")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["coupon", "contract"], name="coupon_once_a_contract"),
        ]

    def __str__(self) -> str:
        return f"{self.coupon_id} {self.contract_id}"


class CouponEnd(models.Model):
    """When a provider stopped offering a coupon. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    coupon = models.OneToOneField(Coupon, models.PROTECT, related_name="end")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.coupon_id} {self.at}"


class CouponTry(models.Model):
    """A try to redeem a code under a contract; kept for as long as it counts (see `billing.coupons`)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="coupon_tries")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.contract_id} {self.at}"
