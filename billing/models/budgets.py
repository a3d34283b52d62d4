"""Budgets of an organization over what it uses, or sells, and what their sweep found: alerts, stops, letters."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from tenants.ids import new_id
from tenants.models import Organization


class SpendAlertKind(models.TextChoices):
    """What an alert tells of."""

    THRESHOLD = "threshold"
    FORECAST = "forecast"
    STOPPED = "stopped"
    ANOMALY = "anomaly"


class Budget(models.Model):
    """A limit to what one scope uses in a period of time; what was before a change stands in the audit log."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="budgets")
    side = models.CharField(max_length=8, help_text="tenant: what is bought; provider: what is sold")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=12, help_text="organization, contract, model, project, key")
    subject = models.CharField(max_length=300, blank=True, default="", help_text="which one of the scope")
    measure = models.CharField(max_length=8, help_text="cost or tokens")
    currency = models.CharField(max_length=3, blank=True, default="", help_text="of a cost")
    per = models.CharField(max_length=8, help_text="hour, day, week, month")
    zone = models.CharField(max_length=64, help_text="whose days, weeks and months; set once")
    amount = models.DecimalField(max_digits=38, decimal_places=6)
    thresholds = models.JSONField(help_text="percent of the amount, whole numbers that rise")
    on_forecast = models.BooleanField(default=False, help_text="tell when the period is on course to pass the amount")
    stops = models.BooleanField(default=False, help_text="refuse new use from the amount on")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="budget_amount"),
            models.UniqueConstraint(
                fields=["organization", "side", "name"], condition=Q(retired_at__isnull=True), name="budget_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BudgetLook(models.Model):
    """How a budget stood when it was last looked at: a copy of what can be worked out again at any time."""

    budget = models.OneToOneField(Budget, models.PROTECT, primary_key=True, related_name="look")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    used = models.DecimalField(max_digits=38, decimal_places=6)
    expected = models.DecimalField(max_digits=38, decimal_places=6, null=True, help_text="at the end of the period")
    looked_at = models.DateTimeField()
    days = models.JSONField(null=True, help_text="what of it was used on which day, as text; of no hour")
    days_at = models.DateTimeField(null=True, help_text="when that was found: a sum alone is found more often")

    def __str__(self) -> str:
        return f"{self.budget_id} {self.looked_at:%F %T}"


class BudgetStop(models.Model):
    """A budget was used up, and new use is refused until the period ends or it is lifted. Append-only.

    At one amount there is another in a period only where use was corrected below the amount in between.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    budget = models.ForeignKey(Budget, models.PROTECT, related_name="budget_stops")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    amount = models.DecimalField(max_digits=38, decimal_places=6)
    used = models.DecimalField(max_digits=38, decimal_places=6)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "from_at", "amount", "at"], name="budget_stop_once"),
            models.CheckConstraint(condition=Q(to_at__gt=F("from_at")), name="budget_stop_span"),
        ]
        indexes: ClassVar = [models.Index(fields=["budget", "-to_at"], name="budget_stop_latest")]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.at:%F %T}"


class BudgetLift(models.Model):
    """Use may go on although the period runs: a person said so, or the budget was changed. Append-only."""

    stop = models.OneToOneField(BudgetStop, models.PROTECT, primary_key=True, related_name="lift")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reason


class SpendAlert(models.Model):
    """What an organization was told of its use, once. Append-only.

    Of a budget: once by period, kind, threshold and amount, so that a raised amount is told of anew. An anomaly has no
    budget: once by what it is of and its period.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    side = models.CharField(max_length=8)
    budget = models.ForeignKey(Budget, models.PROTECT, null=True, related_name="alerts")
    kind = models.CharField(max_length=12, choices=SpendAlertKind.choices)
    scope = models.CharField(max_length=12)
    subject = models.CharField(max_length=300, blank=True, default="")
    measure = models.CharField(max_length=8)
    currency = models.CharField(max_length=3, blank=True, default="")
    from_at = models.DateTimeField(help_text="of the period, or of the hours that are unlike the others")
    to_at = models.DateTimeField()
    percent = models.PositiveIntegerField(default=0, help_text="the threshold")
    amount = models.DecimalField(max_digits=38, decimal_places=6, help_text="the budget, or what was to be expected")
    used = models.DecimalField(max_digits=38, decimal_places=6, help_text="used, or on course to be used")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "from_at", "kind", "percent", "amount"], name="spend_alert_of_budget_once"
            ),
            models.UniqueConstraint(
                fields=["organization", "side", "kind", "scope", "subject", "from_at"],
                condition=Q(budget__isnull=True),
                name="spend_alert_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "side", "-at", "-id"], name="spend_alert_latest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%F %T}"


class SpendMail(models.Model):
    """One letter about an alert to one address; it waits here until it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    alert = models.ForeignKey(SpendAlert, models.PROTECT, related_name="mails")
    address = models.EmailField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="not tried before")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "address"], name="spend_mail_once")]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="spend_mail_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.address}"


class SpendWatch(models.Model):
    """When the use of an organization is looked at next, as one side of its contracts."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    side = models.CharField(max_length=8)
    due_at = models.DateTimeField()
    profiled_at = models.DateTimeField(null=True, help_text="forecast and compared with its own past")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "side"], name="spend_watch_once")]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="spend_watch_due")]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.side}"


class SpendForecast(models.Model):
    """What a running month is expected to come to: a copy of what can be worked out again from the days before.

    `low` and `high` are the 80 % range; None where too few past days could be tried.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    side = models.CharField(max_length=8)
    currency = models.CharField(max_length=3)
    month = models.DateField(help_text="its first day")
    zone = models.CharField(max_length=64)
    spent = models.DecimalField(max_digits=38, decimal_places=6)
    expected = models.DecimalField(max_digits=38, decimal_places=6)
    low = models.DecimalField(max_digits=38, decimal_places=6, null=True)
    high = models.DecimalField(max_digits=38, decimal_places=6, null=True)
    tries = models.PositiveIntegerField(help_text="past days from which the same was foretold and compared")
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "side", "currency"], name="spend_forecast_once")
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.month:%Y-%m} {self.currency}"
