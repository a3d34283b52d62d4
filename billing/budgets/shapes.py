"""What callers of the API of budgets send and get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rest_framework import serializers

from billing.api_words import instant
from billing.budgets.noting import amount_text
from billing.budgets.rules import (
    NAME_CHARACTERS_MAX,
    PERCENT_MAX,
    THRESHOLDS,
    THRESHOLDS_MAX,
    Measure,
    Per,
    Rule,
    Scope,
    percent_of,
)
from billing.models import SpendAlertKind
from billing.queries.usage import Side
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.models import Budget, BudgetStop, SpendAlert

SCOPES: Final = [str(one) for one in Scope]
MEASURES: Final = [str(one) for one in Measure]
PERIODS: Final = [str(one) for one in Per]
SIDES: Final = [str(one) for one in Side]


class BudgetRequestSerializer(ClosedSerializer):
    """A budget to be set."""

    name = serializers.CharField(max_length=NAME_CHARACTERS_MAX)
    side = serializers.ChoiceField(
        SIDES, required=False, help_text="tenant: what is bought; provider: what is sold; left out: what you are"
    )
    scope = serializers.ChoiceField(SCOPES, default="organization")
    subject = serializers.CharField(
        max_length=300, default="", allow_blank=True, help_text="number of the contract, name of the model, and so on"
    )
    measure = serializers.ChoiceField(MEASURES, default="cost")
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, help_text="of a cost")
    per = serializers.ChoiceField(PERIODS, default="month", help_text="per hour it limits a rate")
    amount = serializers.DecimalField(max_digits=24, decimal_places=6, help_text="money, or a whole number of tokens")
    thresholds = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=PERCENT_MAX),
        max_length=THRESHOLDS_MAX,
        default=list(THRESHOLDS),
        help_text="percent of the amount at which it is told",
    )
    on_forecast = serializers.BooleanField(default=False, help_text="tell when the month is on course to pass it")
    stops = serializers.BooleanField(default=False, help_text="refuse new use once it is used up; a tenant's only")


class BudgetStopSerializer(serializers.Serializer[Any]):
    """A stop that stands."""

    budget_id = serializers.UUIDField()
    budget = serializers.CharField()
    scope = serializers.ChoiceField(SCOPES)
    subject = serializers.CharField(allow_blank=True)
    stopped_at = serializers.DateTimeField()
    until = serializers.DateTimeField()


class BudgetSerializer(serializers.Serializer[Any]):
    """A budget and how it stood when it was last looked at; nothing of that is known of one that is new."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    side = serializers.ChoiceField(SIDES)
    scope = serializers.ChoiceField(SCOPES)
    subject = serializers.CharField(allow_blank=True)
    measure = serializers.ChoiceField(MEASURES)
    currency = serializers.CharField(allow_null=True)
    per = serializers.ChoiceField(PERIODS)
    time_zone = serializers.CharField(help_text="whose days, weeks and months are counted")
    amount = serializers.CharField()
    thresholds = serializers.ListField(child=serializers.IntegerField())
    on_forecast = serializers.BooleanField()
    stops = serializers.BooleanField()
    period_from = serializers.DateTimeField(allow_null=True)
    period_to = serializers.DateTimeField(allow_null=True)
    used = serializers.CharField(allow_null=True)
    used_percent = serializers.CharField(allow_null=True)
    expected = serializers.CharField(allow_null=True, help_text="by the end of the period; null: not forecast")
    looked_at = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField()


class BudgetListSerializer(PagedSerializer):
    """Budgets in the order they were set."""

    budgets = BudgetSerializer(many=True)


class BudgetLiftRequestSerializer(ClosedSerializer):
    """Why use may go on."""

    reason = serializers.CharField(max_length=200)


class BudgetStandingSerializer(serializers.Serializer[Any]):
    """Whether new use may begin, what stops it, and all budgets that were asked about."""

    allowed = serializers.BooleanField()
    stops = BudgetStopSerializer(many=True)
    budgets = BudgetSerializer(many=True)


class SpendAlertSerializer(serializers.Serializer[Any]):
    """What was told, once."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField([str(one) for one in SpendAlertKind])
    side = serializers.ChoiceField(SIDES)
    budget_id = serializers.UUIDField(allow_null=True)
    budget = serializers.CharField(allow_null=True)
    scope = serializers.ChoiceField(SCOPES)
    subject = serializers.CharField(allow_blank=True)
    measure = serializers.ChoiceField(MEASURES)
    currency = serializers.CharField(allow_null=True)
    percent = serializers.IntegerField(allow_null=True, help_text="the threshold that was reached")
    amount = serializers.CharField(help_text="the budget, or what was to be expected")
    used = serializers.CharField(help_text="used, or on course to be used")
    period_from = serializers.DateTimeField()
    period_to = serializers.DateTimeField()


class SpendAlertListSerializer(PagedSerializer):
    """Alerts, the latest first."""

    alerts = SpendAlertSerializer(many=True)


def read_rule(given: Mapping[str, Any], zone: str) -> Rule:
    """Return what a caller wrote; thresholds in any order, each once."""
    return Rule(
        scope=Scope(given["scope"]),
        subject=given["subject"],
        measure=Measure(given["measure"]),
        currency=given.get("currency", ""),
        per=Per(given["per"]),
        zone=zone,
        amount=given["amount"],
        thresholds=tuple(sorted(set(given["thresholds"]))),
        on_forecast=given["on_forecast"],
        stops=given["stops"],
    )


def budget_row(budget: Budget) -> dict[str, Any]:
    """Return a budget as the API writes it; its look was selected with it."""
    look = getattr(budget, "look", None)
    expected = look.expected if look else None
    return {
        "id": str(budget.pk),
        "name": budget.name,
        "side": budget.side,
        "scope": budget.scope,
        "subject": budget.subject,
        "measure": budget.measure,
        "currency": budget.currency or None,
        "per": budget.per,
        "time_zone": budget.zone,
        "amount": amount_text(budget.amount, budget.currency),
        "thresholds": budget.thresholds,
        "on_forecast": budget.on_forecast,
        "stops": budget.stops,
        "period_from": instant(look.from_at) if look else None,
        "period_to": instant(look.to_at) if look else None,
        "used": amount_text(look.used, budget.currency) if look else None,
        "used_percent": f"{percent_of(look.used, budget.amount):f}" if look else None,
        "expected": None if expected is None else amount_text(expected, budget.currency),
        "looked_at": instant(look.looked_at) if look else None,
        "changed_at": instant(budget.changed_at),
    }


def stop_row(stop: BudgetStop) -> dict[str, Any]:
    """Return a stop as the API writes it."""
    return {
        "budget_id": str(stop.budget_id),
        "budget": stop.budget.name,
        "scope": stop.budget.scope,
        "subject": stop.budget.subject,
        "stopped_at": instant(stop.at),
        "until": instant(stop.to_at),
    }


def alert_row(alert: SpendAlert) -> dict[str, Any]:
    """Return an alert as the API writes it."""
    return {
        "id": str(alert.pk),
        "at": instant(alert.at),
        "kind": alert.kind,
        "side": alert.side,
        "budget_id": str(alert.budget_id) if alert.budget_id else None,
        "budget": alert.budget.name if alert.budget else None,
        "scope": alert.scope,
        "subject": alert.subject,
        "measure": alert.measure,
        "currency": alert.currency or None,
        "percent": alert.percent or None,
        "amount": amount_text(alert.amount, alert.currency),
        "used": amount_text(alert.used, alert.currency),
        "period_from": instant(alert.from_at),
        "period_to": instant(alert.to_at),
    }
