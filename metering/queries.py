"""Reading usage: totals by time and kind, what billing rates, gaps. The number of queries never grows with rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

from django.db.models import Case, Exists, F, JSONField, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import TruncDay, TruncHour, TruncMonth

from clusters.models import Binding
from metering.completeness import nodes_of
from metering.key_models import KeyedUsage, ProjectKey
from metering.models import Quality, UsageGap, UsageHour
from tenants.listing.cursors import Place, WrongCursor, scalar
from tenants.listing.paging import Page, Paged, beyond, page_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

Granularity = Literal["hour", "day", "month", "total"]
GroupBy = Literal["model", "deployment", "tenant", "node", "context_over", "marks", "key", "project"]

BILLED: Final = (Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED)
"""Qualities that count. Quarantined usage is shown and never billed; a gap is not usage."""

GROUP_FIELDS: Final[Mapping[GroupBy, str]] = {
    "model": "model",
    "deployment": "deployment__slug",
    "tenant": "tenant__slug",
    "node": "meter__node__name",
    "context_over": "context_over",
    "marks": "marks",
    "key": "key__label",
    "project": "project",
}
BY_KEY: Final = frozenset({"key", "project"})
"""What usage hours do not know: it is read from the use by key."""
FILTER_FIELDS: Final[Mapping[str, str]] = {
    "model": "model",
    "deployment": "deployment__slug",
    "tenant": "tenant__slug",
    "witness": "witness",
    "class": "quantity",
    "key": "key__label",
    "project": "project",
}
SILENT_AFTER: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """Usage of one kind in one stretch of time.

    `value` counts (`estimated` is the part of it that was spread by time), `quarantined` does not. Never add
    witnesses, nor `cached_input` to `input`, nor `reasoning` to `output`.
    """

    at: datetime | None
    witness: str
    quantity: str
    groups: tuple[tuple[str, str | None], ...]
    value: int
    estimated: int
    quarantined: int
    records: int


def usage_in(
    *,
    organization: Organization | None,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None = None,
    group_by: Collection[str] = (),
) -> QuerySet[UsageHour] | QuerySet[KeyedUsage]:
    """Return the organization's usage hours of a window. Filters: model, deployment, tenant, witness, class.

    Filtered or to be grouped by key or project, they are told apart by key (`KeyedUsage`); keys and projects are the
    tenant's own, so another party finds its usage without any. None is everybody's, for what watches the whole
    installation.
    """
    chosen = {FILTER_FIELDS[name]: value for name, value in (filters or {}).items()}
    if BY_KEY.intersection([*(filters or {}), *group_by]):
        return _keyed(organization).filter(from_at__gte=from_at, from_at__lt=to_at, **chosen)
    usage = UsageHour.objects.all() if organization is None else UsageHour.objects.for_org(organization)
    return usage.filter(from_at__gte=from_at, from_at__lt=to_at, **chosen)


def _keyed(organization: Organization | None) -> QuerySet[KeyedUsage]:
    stay = ProjectKey.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=OuterRef("from_at")),
        key=OuterRef("key_id"),
        from_at__lte=OuterRef("from_at"),
    )
    usage = KeyedUsage.objects.all() if organization is None else KeyedUsage.objects.for_org(organization)
    return usage.annotate(project=Subquery(stay.values("project__slug")[:1]))


def usage_totals(
    *,
    usage: QuerySet[UsageHour] | QuerySet[KeyedUsage],
    granularity: Granularity,
    zone: str = "UTC",
    group_by: Sequence[GroupBy] = ("model",),
    after: Place | None = None,
    limit: int | None = None,
) -> list[UsageTotal]:
    """Sum usage hours by stretches of time in an IANA zone, by witness, class and what is asked for; one query.

    A part of an hour belongs to the day in which it begins. `at` is the start of the stretch, None in total. With
    `after`, a place that `place_of_total` gave, only what comes after it. Raises WrongCursor.
    """
    keys = ["witness", "quantity", *(GROUP_FIELDS[name] for name in group_by)]
    tz = ZoneInfo("UTC" if granularity == "hour" else zone)
    truncate = {"hour": TruncHour, "day": TruncDay, "month": TruncMonth}.get(granularity)
    if truncate is not None:
        # Hours stay hours of UTC: where a clock is set back one hour's name stands for two.
        usage = usage.annotate(at=truncate("from_at", tzinfo=tz))
        keys.insert(0, "at")
    if after is not None:
        usage = usage.filter(_after(keys, after, tz))
    rows = (
        usage.values(*keys)
        .annotate(
            counted=Sum("value", filter=Q(quality__in=BILLED), default=0),
            estimated=Sum("value", filter=Q(quality=Quality.ESTIMATED), default=0),
            quarantined=Sum("value", filter=Q(quality=Quality.QUARANTINED), default=0),
            behind=Sum("records", default=0),
        )
        .order_by(*keys)
    )
    if BY_KEY.intersection(group_by):
        # Where all of it has a key, what is left without one is nothing.
        rows = rows.exclude(counted=0, quarantined=0, behind=0)
    try:
        return [_total(row, group_by, zone) for row in (rows if limit is None else rows[:limit])]
    except (ValueError, TypeError) as error:
        # Only a cursor that nobody gave has a value that does not fit its column.
        raise WrongCursor from error


def place_of_total(total: UsageTotal) -> Place:
    """Return where a sum stands among the others of its query."""
    at = () if total.at is None else (scalar(total.at),)
    return (*at, total.witness, total.quantity, *(value for _, value in total.groups))


def _after(keys: Sequence[str], after: Place, tz: ZoneInfo) -> Q:
    if len(after) != len(keys):
        raise WrongCursor
    values: list[object] = list(after)
    try:
        if keys[0] == "at":
            # The database cuts stretches off what a clock in the zone shows, and knows no zone of that any more.
            values[0] = datetime.fromisoformat(str(after[0])).astimezone(tz).replace(tzinfo=UTC)
        return beyond(keys, values)
    except (ValueError, OverflowError) as error:
        raise WrongCursor from error


def _total(row: dict[str, Any], group_by: Sequence[GroupBy], zone: str) -> UsageTotal:
    at = row.get("at")
    return UsageTotal(
        at=at.astimezone(ZoneInfo(zone)) if at else None,
        witness=row["witness"],
        quantity=row["quantity"],
        groups=tuple((name, _text(row[GROUP_FIELDS[name]])) for name in group_by),
        value=int(row["counted"]),
        estimated=int(row["estimated"]),
        quarantined=int(row["quarantined"]),
        records=int(row["behind"]),
    )


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class DeploymentUsage:
    """Usage of one deployment, model and class in one part of an hour at one quality, over all versions."""

    deployment_id: UUID
    model: str
    quantity: str
    from_at: datetime
    to_at: datetime
    quality: str
    value: int


def usage_of_deployments(
    *, deployment_ids: Collection[UUID], witness: str, from_at: datetime, to_at: datetime
) -> list[DeploymentUsage]:
    """Return what one witness counted for deployments over `[from_at, to_at)`, in order; one query."""
    rows = (
        UsageHour.objects.filter(
            deployment_id__in=deployment_ids, witness=witness, from_at__gte=from_at, from_at__lt=to_at
        )
        .values_list("deployment_id", "model", "quantity", "from_at", "to_at", "quality")
        .annotate(total=Sum("value"))
        .order_by("deployment_id", "model", "quantity", "from_at", "to_at", "quality")
    )
    return [
        DeploymentUsage(deployment, model, quantity, starts_at, ends_at, quality, int(total))
        for deployment, model, quantity, starts_at, ends_at, quality, total in rows
    ]


@dataclass(frozen=True, slots=True)
class Gap:
    """A span that could not be metered; `to_at` is None while it lasts.

    `value_max` says by "class model" what can have gone unseen at most, to the provider only: an endpoint may serve
    others too.
    """

    node: str
    subject: str
    subject_id: str
    from_at: datetime
    to_at: datetime | None
    reason: str
    detail: str
    occurrences: int
    value_max: Mapping[str, int | None] = field(default_factory=dict)


_GAP: Final = ("node__name", "subject", "subject_id", "from_at", "to_at", "reason", "detail", "occurrences", "bounds")


def gaps_for(*, organization: Organization, from_at: datetime, to_at: datetime, limit: int = 500) -> list[Gap]:
    """Return stored gaps that touch a window: all of a provider's nodes, and a tenant's own endpoints."""
    return gap_page(organization=organization, from_at=from_at, to_at=to_at, page=Page(limit)).rows


def gap_page(*, organization: Organization, from_at: datetime, to_at: datetime, page: Page) -> Paged[Gap]:
    """Return a page of what `gaps_for` returns, the oldest first; one query. Raises WrongCursor."""
    bound = Binding.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=OuterRef("from_at")),
        deployment__tenant=organization,
        endpoint__node=OuterRef("node"),
        endpoint__url=OuterRef("subject_id"),
        from_at__lte=OuterRef("to_at"),
    )
    found = (
        UsageGap.objects.filter(from_at__lt=to_at, to_at__gte=from_at)
        .filter(Q(node__cluster__provider=organization) | Q(Exists(bound), subject="endpoint"))
        .annotate(
            bounds=Case(
                When(node__cluster__provider=organization, then=F("value_max")),
                default=Value({}, JSONField()),
            )
        )
    )
    paged = page_values(found, page, ("from_at", "id"), _GAP)
    return Paged([Gap(*row) for row in paged.rows], paged.next_cursor)


def silent_nodes(*, organization: Organization, now: datetime) -> list[Gap]:
    """Return the nodes that should report for the organization and have not, as gaps that last."""
    rows = (
        nodes_of(organization)
        .annotate(since=F("cursor__metered_to_at"))
        .filter(Q(since__isnull=True) | Q(since__lt=now - SILENT_AFTER))
        .order_by("name", "id")
        .values_list("name", "since", "enrolled_at", "created_at")
    )
    return [
        Gap(
            node=name,
            subject="node",
            subject_id="",
            from_at=since or enrolled_at or created_at,
            to_at=None,
            reason="silent",
            detail="The node has not reported since.",
            occurrences=1,
        )
        for name, since, enrolled_at, created_at in rows
    ]
