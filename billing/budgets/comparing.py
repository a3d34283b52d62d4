"""Comparing the use of each model with its own past, and telling once a day of hours that are unlike it."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import transaction

from billing.budgets.noting import write_letters
from billing.budgets.profile import unlike_hours
from billing.budgets.rules import HOUR, Measure, Scope
from billing.models import SpendAlert, SpendAlertKind
from billing.queries.usage import Side
from billing.telling import tell_subject
from metering.queries import usage_in, usage_totals
from tenants.instants import instant_text

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization

WEEKS: Final = 8
LOOKED_AT_HOURS: Final = 6
SETTLED: Final = HOUR
"""An hour is compared once it is over for so long: before that what is missing may only be late."""
QUIET: Final = timedelta(hours=24)
COUNTED: Final = ("input", "cache_write", "output")
"""Every token once: cached input is a part of input, reasoning of output."""


def compare_use(*, organization: Organization, side: Side, now: datetime) -> list[SpendAlert]:
    """Tell of the hours that have ended lately and are unlike the weeks before; return what was told."""
    to_at = (now - SETTLED).replace(minute=0, second=0, microsecond=0)
    from_at = to_at - timedelta(weeks=WEEKS)
    told = []
    for model, (begun, hours) in sorted(_hours(organization, side, from_at, to_at).items()):
        for unlike in unlike_hours(hours, latest=LOOKED_AT_HOURS):
            at = from_at + (begun + unlike.place) * HOUR
            alert = _tell(organization, side, model, (at, unlike.used, unlike.usual), now)
            if alert is not None:
                told.append(alert)
    return told


def _hours(
    organization: Organization, side: Side, from_at: datetime, to_at: datetime
) -> dict[str, tuple[int, list[int]]]:
    """Tokens by model and hour, and in which hour they begin; of two witnesses the one that counted more.

    Hours before a model was first used are no past to compare with.
    """
    mine = {"tenant": organization} if side is Side.TENANT else {"deployment__provider": organization}
    usage = usage_in(organization=organization, from_at=from_at, to_at=to_at).filter(quantity__in=COUNTED, **mine)
    sums: dict[tuple[str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for total in usage_totals(usage=usage, granularity="hour"):
        assert total.at is not None
        model = dict(total.groups)["model"] or ""
        sums[model, total.witness][(total.at - from_at) // HOUR] += total.value
    count = (to_at - from_at) // HOUR
    found: dict[str, list[int]] = {}
    for (model, _witness), by_hour in sorted(sums.items()):
        hours = found.setdefault(model, [0] * count)
        for place, tokens in by_hour.items():
            hours[place] = max(hours[place], tokens)
    begun = {
        model: next((place for place, tokens in enumerate(hours) if tokens), count) for model, hours in found.items()
    }
    return {model: (begun[model], hours[begun[model] :]) for model, hours in found.items()}


@transaction.atomic
def _tell(
    organization: Organization, side: Side, model: str, unlike: tuple[datetime, int, int], now: datetime
) -> SpendAlert | None:
    at, used, usual = unlike
    before = SpendAlert.objects.filter(
        organization=organization, side=side, kind=SpendAlertKind.ANOMALY, subject=model, at__gt=now - QUIET
    )
    if before.exists():
        return None
    alert, is_new = SpendAlert.objects.get_or_create(
        organization=organization,
        side=side,
        kind=SpendAlertKind.ANOMALY,
        budget=None,
        scope=Scope.MODEL,
        subject=model,
        from_at=at,
        defaults={
            "measure": Measure.TOKENS,
            "to_at": at + HOUR,
            "amount": Decimal(usual),
            "used": Decimal(used),
            "at": now,
        },
    )
    if not is_new:
        return None
    write_letters(alert, now)
    tell_subject(
        (organization.pk,),
        "usage.anomaly",
        subject_id=alert.pk,
        at=now,
        side=str(side),
        model=model,
        used=str(used),
        usual=str(usual),
        period_from=instant_text(at),
        period_to=instant_text(at + HOUR),
    )
    return alert
