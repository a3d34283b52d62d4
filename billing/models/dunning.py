"""What happens when an invoice is not paid when it is due: the schedule, each step taken, letters, suspensions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.contracts import Contract
from billing.models.invoices import Invoice
from tenants.ids import new_id
from tenants.models import Organization


class DunningPolicy(models.Model):
    """A provider's schedule, for all its contracts or one; the latest of each counts, no steps is none. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="dunning_policies")
    contract = models.ForeignKey(Contract, models.PROTECT, null=True, related_name="dunning_policies")
    steps = models.JSONField(help_text="list of {after_days, action}")
    follows_provider = models.BooleanField(
        default=False, db_default=False, help_text="of a contract: its provider's schedule counts again"
    )
    by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["provider", "-created_at"], name="dunning_policy_latest")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.created_at:%F}"


class DunningCase(models.Model):
    """An overdue invoice that is followed: swept when `next_at` has come. What was done stands in its steps."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="dunning")
    is_open = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, help_text="null: nothing more is scheduled")
    waits_for = models.CharField(max_length=16, blank=True, default="", help_text="why the next step does not come")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_at"], condition=Q(is_open=True), name="dunning_case_due"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id}"


class DunningStep(models.Model):
    """One step that was taken for an invoice, once by its place in the schedule. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="dunning_steps")
    action = models.CharField(max_length=12, help_text="remind, retry_card, notice, suspend")
    after_days = models.PositiveSmallIntegerField(help_text="days after the due date, by the schedule")
    detail = models.CharField(max_length=200, blank=True, default="")
    announces_at = models.DateTimeField(null=True, help_text="of a notice: not suspended before")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "action", "after_days"], name="dunning_step_once")
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%F}"


class DunningTakenBack(models.Model):
    """A step that was taken back, by whom and why. Append-only."""

    step = models.OneToOneField(DunningStep, models.PROTECT, primary_key=True, related_name="taken_back")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reason


class DunningHold(models.Model):
    """No step is taken for an invoice before `until`; the latest counts. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="dunning_holds")
    until = models.DateTimeField()
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reason


class DunningMail(models.Model):
    """One letter of a step to one address; it waits here until it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    step = models.ForeignKey(DunningStep, models.PROTECT, related_name="mails")
    address = models.EmailField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="not tried before")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["step", "address"], name="dunning_mail_once")]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="dunning_mail_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.step_id} {self.address}"


class Suspension(models.Model):
    """Use under a contract stopped for an unpaid invoice, until it has an end. Append-only."""

    step = models.OneToOneField(DunningStep, models.PROTECT, primary_key=True, related_name="suspension")
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="suspensions")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.contract_id} {self.at:%F}"


class SuspensionEnd(models.Model):
    """Use may go on: the invoice was paid, or a person lifted it. Append-only."""

    suspension = models.OneToOneField(Suspension, models.PROTECT, primary_key=True, related_name="end")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reason
