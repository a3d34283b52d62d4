"""Energy of a provider's clusters day by day, from the days worked out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db.models import Sum

from billing.models import MarginRow

if TYPE_CHECKING:
    from datetime import date

    from tenants.models import Organization


def energy_days(
    provider: Organization, first: date, last: date, *, cluster_slug: str = ""
) -> dict[str, dict[date, int]]:
    """Return the metered energy in mJ of each cluster, by name and UTC day, both ends included; one query.

    A day on which nothing was metered is not there: unknown, and not zero.
    """
    rows = MarginRow.objects.filter(
        provider=provider, day__gte=first, day__lte=last, cluster__isnull=False, metered_ms__gt=0
    )
    if cluster_slug:
        rows = rows.filter(cluster__slug=cluster_slug)
    found: dict[str, dict[date, int]] = defaultdict(dict)
    for name, day, total in (
        rows.order_by("cluster__name", "day").values_list("cluster__name", "day").annotate(total=Sum("energy_mj"))
    ):
        found[name or ""][day] = int(total)
    return dict(found)
