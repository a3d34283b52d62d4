"""Prepaid credit that tenants buy through Stripe."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.refilling import BalanceRule
from billing.models.terms import Term
from tenants.ids import new_id


class TopUpState(models.TextChoices):
    """What became of a top-up."""

    OPEN = "open"
    PAID = "paid"
    EXPIRED = "expired"
    DIFFERS = "differs", "another amount was paid than was asked for"
    FAILED = "failed", "the card on file was not charged"
    STOPPED = "stopped", "the rule was ended before the card was charged"


class TopUp(models.Model):
    """An amount of credit that a tenant wants to buy. Looked at until it is paid or over; paid, it is a grant.

    One that a rule bought (`rule`) has no page: the card on file is charged from `next_look_at` on.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="top_ups", help_text="the credit term it goes to")
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=TopUpState.choices, default=TopUpState.OPEN)
    session_id = models.CharField(max_length=100, blank=True, default="")
    url = models.TextField(blank=True, default="", help_text="Stripe's page, while the top-up is open")
    payment_intent_id = models.CharField(max_length=100, blank=True, default="")
    charge_id = models.CharField(max_length=100, blank=True, default="", help_text="what Stripe took; '' until asked")
    started_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    next_look_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    rule = models.ForeignKey(BalanceRule, models.PROTECT, null=True, related_name="top_ups", help_text="what bought it")
    crossing = models.PositiveIntegerField(null=True, help_text="which time that credit ran low")
    begun_at = models.DateTimeField(null=True, help_text="from when the card may have been charged")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="top_up_of_something"),
            models.UniqueConstraint(fields=["rule", "crossing"], name="top_up_once_a_crossing"),
            models.CheckConstraint(
                condition=Q(rule=None, crossing=None) | Q(rule__isnull=False, crossing__isnull=False),
                name="top_up_by_rule_has_crossing",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["next_look_at"], condition=Q(state="open"), name="top_up_open")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.state}"

    @property
    def grant_name(self) -> str:
        """The name of the grant that it is, once it was paid."""
        return f"topup-{self.pk.hex[-12:]}"
