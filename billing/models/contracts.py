"""Contracts and their billing periods."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models.prices import PriceBook
from clusters.models import HalfOpenRange
from tenants.ids import new_id
from tenants.models import Organization


class ContractState(models.TextChoices):
    """Where an agreement stands."""

    DRAFT = "draft"
    OFFERED = "offered"
    ACTIVE = "active"
    ENDED = "ended"
    TERMINATED = "terminated"


RUNNING_STATES = (ContractState.ACTIVE, ContractState.TERMINATED)
"""States in which a contract is billed until `to_at`; under one that is to end nothing new begins."""


class PeriodKind(models.TextChoices):
    """How billing periods follow each other."""

    CALENDAR_MONTH = "calendar_month"
    ANNIVERSARY_MONTH = "anniversary_month"
    WEEK = "week"
    FIXED_LENGTH = "fixed_length"


class Collection(models.TextChoices):
    """How an invoice is collected."""

    CHARGE_AUTOMATICALLY = "charge_automatically", "card on file is charged"
    SEND_INVOICE = "send_invoice", "tenant pays by the due date"


class ContractQuerySet(models.QuerySet["Contract"]):
    """Words for choosing contracts."""

    def for_org(self, organization: Organization) -> ContractQuerySet:
        """Contracts that `organization` is a party of, but for what the other party is still drafting."""
        drafted = ~Q(state=ContractState.DRAFT) | Q(drafted_by=organization)
        return self.filter(Q(tenant=organization) | Q(provider=organization), drafted)


class Contract(models.Model):
    """An agreement of one provider and one tenant, in one currency and one IANA time zone, over `[from_at, to_at)`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=32, unique=True, help_text="for people, for example C-0031")
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="contracts_given")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="contracts_taken")
    drafted_by = models.ForeignKey(
        Organization, models.PROTECT, null=True, related_name="+", help_text="who sees it before it is offered"
    )
    currency = models.CharField(max_length=3, help_text="ISO 4217")
    time_zone = models.CharField(max_length=64, help_text="IANA name")
    version = models.PositiveIntegerField(default=1, help_text="the latest; 0 before the first is agreed")
    state = models.CharField(max_length=12, choices=ContractState.choices)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)
    period_kind = models.CharField(max_length=20, choices=PeriodKind.choices)
    period_length_s = models.PositiveIntegerField(null=True)
    price_book = models.ForeignKey(PriceBook, models.PROTECT, null=True, related_name="contracts")
    collection = models.CharField(max_length=24, choices=Collection.choices)
    due_days = models.PositiveSmallIntegerField(default=14)
    grace_hours = models.PositiveSmallIntegerField(default=48, help_text="how long closing waits for late readings")
    event_grace_minutes = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="how long closing waits for gateways that do not say how far they have sent"
    )
    operator_fee_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    name = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="for people; no part of what is hashed"
    )
    provider_reference = models.CharField(max_length=100, blank=True, default="", db_default="")
    tenant_reference = models.CharField(max_length=100, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="when the row was last written, by the database's own clock"
    )

    objects = ContractQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(to_at__isnull=True) | Q(to_at__gt=F("from_at")), name="contract_span"),
            models.CheckConstraint(
                condition=Q(period_kind="fixed_length", period_length_s__gt=0)
                | (~Q(period_kind="fixed_length") & Q(period_length_s__isnull=True)),
                name="fixed_period_has_length",
            ),
            models.CheckConstraint(
                condition=Q(operator_fee_percent__gte=0, operator_fee_percent__lte=100),
                name="operator_fee_within_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class PeriodState(models.TextChoices):
    """Where a billing period stands."""

    OPEN = "open"
    CLOSED = "closed"


class BillingPeriod(models.Model):
    """Half-open instants `[from_at, to_at)` of a contract, computed once and stored; periods never overlap."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="periods", db_index=False)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    whole_seconds = models.PositiveIntegerField(
        null=True, help_text="length of the period uncut, for amounts per period; null: nothing was cut off"
    )
    state = models.CharField(max_length=8, choices=PeriodState.choices, default=PeriodState.OPEN)
    rated_at = models.DateTimeField(null=True, help_text="usage before this instant is charged")
    closed_at = models.DateTimeField(null=True)
    restated_at = models.DateTimeField(null=True, help_text="usage stored before this instant is on some bill")
    ready_at = models.DateTimeField(null=True, help_text="when it last was complete and waited for its approval")
    ready_amount = models.DecimalField(
        max_digits=38, decimal_places=4, null=True, help_text="what its invoice came to then, before tax"
    )
    ready_tax = models.DecimalField(max_digits=38, decimal_places=4, null=True, help_text="and the tax on that")
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, blank=True, default="")
    tax_wait = models.JSONField(
        default=dict, db_default={}, help_text="what the taxes of its bill wait for; empty: nothing"
    )
    accepted_gaps = models.JSONField(default=list, help_text="what had not been reported when it closed")
    gap_acceptances = models.JSONField(
        default=list, db_default=[], help_text="what a person accepts to be missing, before it closes: why, who, when"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contract", "from_at"], name="billing_period_once"),
            models.CheckConstraint(condition=Q(to_at__gt=F("from_at")), name="billing_period_span"),
            models.CheckConstraint(
                condition=Q(approved_at__isnull=True) | Q(ready_at__isnull=False, ready_amount__isnull=False),
                name="approved_is_ready",
            ),
            ExclusionConstraint(
                name="billing_periods_apart",
                expressions=[
                    ("contract", RangeOperators.EQUAL),
                    (
                        HalfOpenRange("from_at", "to_at", RangeBoundary(inclusive_lower=True, inclusive_upper=False)),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "to_at"], name="billing_period_due"),
            # With the id, so that the database looks a contract's periods up in it and not in that of `periods_apart`,
            # which it holds to be as cheap and which takes up to a hundred times as long.
            models.Index(fields=["contract", "to_at"], include=["id"], name="billing_period_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.contract_id} {self.from_at:%F}"
