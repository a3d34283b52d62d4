"""What of a provider sells below its cost now, and since when."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from billing.economics.inversion import DayMargin, Inversion, inversion_of
from billing.economics.uses import UseKind
from billing.models import MarginRow

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.models import Organization

SETTLED_AFTER: Final = timedelta(hours=3)
"""How long after its end a day is looked at: usage that comes in late is charged by then, as a rule."""
DAYS_BACK: Final = timedelta(days=92)
NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Inverted:
    """A model that sells below cost on a cluster, with the run of days."""

    cluster_id: UUID
    cluster: str
    cluster_slug: str
    model: str
    currency: str
    run: Inversion


def inversions_of(provider: Organization, now: datetime) -> list[Inverted]:
    """Return what sells below cost, the greatest loss first; one query.

    A day counts where it earned or cost anything in the currency of the cluster's costs; running days do not.
    """
    until = (now - SETTLED_AFTER).date()
    rows = (
        MarginRow.objects.filter(
            provider=provider,
            day__lt=until,
            day__gte=until - DAYS_BACK,
            cluster__isnull=False,
            kind__in=[UseKind.HELD, UseKind.SERVED],
            costed_ms__gt=0,
        )
        .values_list("cluster_id", "cluster__name", "cluster__slug", "model", "currency", "day")
        .annotate(
            earned=Sum("revenue"),
            spent=Sum(F("gpu_cost") + Coalesce(F("energy_cost"), NOTHING) + F("overhead_cost")),
        )
        .order_by("cluster_id", "model", "day")
    )
    days: dict[tuple[UUID, str, str, str, str], list[DayMargin]] = defaultdict(list)
    for cluster_id, name, slug, model, currency, day, earned, spent in rows:
        if cluster_id is not None:
            days[cluster_id, name or "", slug or "", model, currency].append(DayMargin(day, earned, spent))
    found = [
        Inverted(cluster_id, name, slug, model, currency, run)
        for (cluster_id, name, slug, model, currency), each in days.items()
        if (run := inversion_of(each)) is not None
    ]
    return sorted(found, key=lambda one: (-one.run.loss, one.model, one.cluster))
