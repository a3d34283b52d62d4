"""Rules of tenants about credit that runs low, and what they were told by them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.contracts import Contract
from billing.models.terms import Term
from tenants.ids import new_id


class BalanceRule(models.Model):
    """What a tenant wants to happen as a contract's credit falls below an amount. Its figures are never changed.

    Without `buy_amount` it is only told of. `is_low` and `crossing` say where its watch stands.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="balance_rules")
    term = models.ForeignKey(Term, models.PROTECT, related_name="balance_rules", help_text="what credit is bought for")
    below_amount = models.DecimalField(max_digits=38, decimal_places=4)
    buy_amount = models.DecimalField(max_digits=38, decimal_places=4, null=True)
    month_max_amount = models.DecimalField(max_digits=38, decimal_places=4, null=True)
    set_by = models.CharField(max_length=254)
    set_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=254, blank=True, default="")
    end_reason = models.CharField(max_length=200, blank=True, default="")
    is_low = models.BooleanField(default=False)
    crossing = models.PositiveIntegerField(default=0, help_text="how often it was told of")
    next_look_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contract"], condition=Q(ended_at=None), name="balance_rule_once"),
            models.CheckConstraint(condition=Q(below_amount__gt=0), name="balance_rule_below_something"),
            models.CheckConstraint(
                condition=Q(buy_amount=None, month_max_amount=None)
                | Q(
                    buy_amount__isnull=False,
                    buy_amount__gt=0,
                    month_max_amount__isnull=False,
                    month_max_amount__gte=F("buy_amount"),
                ),
                name="balance_rule_is_bounded",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_look_at"], condition=Q(ended_at=None), name="balance_rule_watched")
        ]

    def __str__(self) -> str:
        return f"{self.contract_id} below {self.below_amount}"


class BalanceNoticeKind(models.TextChoices):
    """What a tenant is told of its credit."""

    LOW = "low", "credit is below the agreed amount"
    FAILED = "failed", "the card was not charged, and no more is bought"


class LowOutcome(models.TextChoices):
    """What happens as credit runs low."""

    TOLD = "told", "nothing is bought"
    BUYS = "buys", "the card is going to be charged"
    MONTH_MAX = "month_max", "nothing is bought: the month's most would be passed"
    NO_CARD = "no_card", "nothing is bought: there is no card on file"


class BalanceNotice(models.Model):
    """One thing that a tenant is told by a rule: shown in the portal, and sent as a letter."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rule = models.ForeignKey(BalanceRule, models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=8, choices=BalanceNoticeKind.choices)
    crossing = models.PositiveIntegerField()
    left_amount = models.DecimalField(max_digits=50, decimal_places=18)
    outcome = models.CharField(max_length=9, choices=LowOutcome.choices, blank=True, default="")
    charge_at = models.DateTimeField(null=True, help_text="when the card is charged, where it is")
    reason = models.CharField(max_length=300, blank=True, default="", help_text="why it was not charged")
    at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="when the letter is to be sent")
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    sent_to = models.JSONField(default=list)
    last_error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "kind", "crossing"], name="balance_notice_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="balance_notice_unsent")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.kind} {self.crossing}"
