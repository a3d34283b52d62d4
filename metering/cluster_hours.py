"""Sums of what the nodes of a cluster show and use, by hour: a fleet's day is read from these and not node by node.

An instant is summed once nobody can still be writing of it as of one that is not settled. Whoever writes of a settled
instant adds a row of its own beside the sum, in the same transaction (a trigger does), so that both together are what
the nodes come to at every moment; the next sweep makes one row of them again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Count

from metering.card_models import ClusterHour, ClusterHoursSummed

if TYPE_CHECKING:
    from datetime import datetime

SETTLED: Final = timedelta(minutes=65)
"""So long after an hour began its nodes have all written of it, but those that are late; the triggers say the same."""
MARGIN: Final = timedelta(minutes=1)
"""What begins is seen to run a moment later."""
KEPT: Final = timedelta(days=2)
"""Pages show the last 24 hours."""
INSTANTS: Final = "(at >= %(from_at)s AND at < %(to_at)s OR at = ANY (%(changed)s::timestamptz[]))"
# One statement, so that what it takes away and what it adds up are of one moment.
SUM: Final = f"""
    WITH parts AS (DELETE FROM metering_clusterhour WHERE {INSTANTS})
    INSERT INTO metering_clusterhour
        (cluster_id, at, utilisation_percent_sum, utilisation_samples, energy_mj, energy_hours)
    SELECT node.cluster_id, at, sum(utilisation_percent_sum), sum(utilisation_samples), sum(energy_mj),
        sum(energy_hours)
    FROM metering_fleethour JOIN clusters_node node ON node.id = node_id
    WHERE {INSTANTS}
    GROUP BY 1, 2
"""  # noqa: S608 - as said


def sum_cluster_hours(*, now: datetime) -> int:
    """Sum clusters at the instants that are settled by now, and again where something was written since.

    Returns how many sums were made. One transaction; done twice it finds nothing more to do.
    """
    settled_at = _settled_at(now)
    with transaction.atomic():
        begun_at = settled_at - KEPT
        ClusterHoursSummed.objects.get_or_create(pk=1, defaults={"from_at": begun_at, "to_at": begun_at})
        kept = ClusterHoursSummed.objects.select_for_update().get()
        # What is settled stays so, also while something old runs.
        to_at = max(kept.to_at, settled_at)
        from_at = to_at - KEPT
        made = _sum(max(kept.to_at, from_at), to_at, _changed(from_at, kept.to_at))
        ClusterHour.objects.filter(at__lt=from_at).delete()
        kept.from_at, kept.to_at = from_at, to_at
        kept.save()
    return made


def _changed(from_at: datetime, to_at: datetime) -> list[datetime]:
    """Instants of which something was written after they were summed."""
    parts = ClusterHour.objects.filter(at__gte=from_at, at__lt=to_at).values("cluster", "at").annotate(n=Count("id"))
    return sorted(set(parts.filter(n__gt=1).values_list("at", flat=True)))


def _sum(from_at: datetime, to_at: datetime, changed: list[datetime]) -> int:
    asked: dict[str, Any] = {"from_at": from_at, "to_at": to_at, "changed": changed}
    with connection.cursor() as cursor:
        cursor.execute(SUM, asked)
        return int(cursor.rowcount)


def _settled_at(now: datetime) -> datetime:
    """Return the instant before which whoever writes from here on adds to the sums."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_oldest_running()")
        (running_at,) = cursor.fetchone()
    settled_at: datetime = min(now, running_at) - SETTLED - MARGIN
    return settled_at
