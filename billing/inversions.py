"""The alarm of what sells below its cost: one per cluster and model, from the first losing day of the run on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from billing.models import ClusterCost
from billing.queries.inversions import inversions_of
from metering.alerts import Misfit, write_alerts
from metering.control_models import AlertKind
from portal.figures import EN, money
from tenants.models import Organization

if TYPE_CHECKING:
    from datetime import date

    from billing.queries.inversions import Inverted

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)
MICROS: Final = 1_000_000


@transaction.atomic
def alarm_inversions(*, now: datetime) -> int:
    """Store an alert for each model that sells below cost on a cluster, clear those that no longer do; count them."""
    providers = Organization.objects.filter(clusters__in=ClusterCost.objects.values("cluster")).distinct()
    misfits = [
        _misfit(provider, found) for provider in providers.order_by("pk") for found in inversions_of(provider, now)
    ]
    return write_alerts(misfits=misfits, kinds=[AlertKind.INVERSION], from_at=BEGINNING, to_at=END, now=now)


def _misfit(provider: Organization, found: Inverted) -> Misfit:
    """The figures are millionths of the currency: what it cost, above what it earned."""
    run = found.run
    loss = money(run.loss, found.currency, locale=EN)
    return Misfit(
        kind=AlertKind.INVERSION,
        subject=f"inversion:{found.cluster_id}:{found.model}",
        from_at=_start(run.since),
        to_at=_start(run.last) + timedelta(days=1),
        measured=int(run.cost * MICROS),
        bound=int(run.revenue * MICROS),
        rule=f"{found.cluster}: {loss} {found.currency} · {run.days}",
        provider_id=provider.id,
        model=found.model,
    )


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
