"""Lists followed by what changed in them, for programs that keep a copy: nothing is left out.

Every write of such a row is stamped (`changed_at`) by the database's clock within its transaction, but transactions
end in another order than they were stamped. So what was written while an older transaction still runs is held back
until that one has ended: then nothing can appear any more before a place that was read past.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from tenants.listing.answers import page_by_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from tenants.listing.paging import Paged

HORIZON: Final = "SELECT app_oldest_running()"
"""The owner's answer (`forecourt.rows.rules`): to whom reads here other sessions do not show when they began."""
CHANGED: Final = ("changed_at", "pk")
SINCE: Final = OpenApiParameter(
    "updated_since",
    datetime,
    description="written at or after this instant, by `updated_at`; what changed first comes first then",
)


class SinceSerializer(serializers.Serializer[Any]):
    """From when on changes are asked for."""

    updated_since = serializers.DateTimeField(required=False)


def horizon() -> datetime:
    """Return the instant before which no running transaction can have stamped a row."""
    with connection.cursor() as cursor:
        cursor.execute(HORIZON)
        found: datetime = cursor.fetchone()[0]
    return found


def page_followed(
    request: Request, found: QuerySet[Any], order: Sequence[str], since: datetime | None = None
) -> Paged[Any]:
    """Return a page of what changed since an instant, the oldest change first, or without one a page in an order.

    Whoever asks again from the last `updated_at` that it read gets every later version of every row, and that one row
    once more.
    """
    if since is None:
        return page_by_key(request, found, order)
    # The horizon is read first: a transaction that begins after it stamps later than it.
    return page_by_key(request, found.filter(changed_at__lt=horizon(), changed_at__gte=since), CHANGED)


def asked_since(request: Request) -> datetime | None:
    """Return from when on changes are asked for, if they are. Raises ValidationError."""
    given = request.query_params.get("updated_since")
    asked = SinceSerializer(data={} if given is None else {"updated_since": given})
    asked.is_valid(raise_exception=True)
    since: datetime | None = asked.validated_data.get("updated_since")
    return since
