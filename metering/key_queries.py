"""Reading use by key and by project, for whoever needs it: pages, budgets, alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F, OuterRef, Q, Subquery, Sum

from metering.key_models import KeyHour, Project, ProjectKey, UsageKey
from metering.key_sums import BILLS, COUNTED
from tenants.limits.written_once import written_once

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What a key used of a model over a window, while it was in one project (None: in none).

    `counts` has tokens by class, other quantities and `requests`. Cached input is a part of input, reasoning of output.
    """

    key_id: UUID
    label: str
    project: str | None
    model: str
    counts: Mapping[str, int]

    @property
    def tokens(self) -> int:
        """Every token once."""
        return self.counts["input"] + self.counts["cache_write"] + self.counts["output"]


def usage_by_key(
    *,
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    key_ids: Collection[UUID] | None = None,
    project: str = "",
    model: str = "",
) -> list[KeyUsage]:
    """Return what a tenant's keys used over `[from_at, to_at)`, of the reports that bill, in order; one query.

    With `project` (a slug) what keys used while they were in it. Usage without a key is in none of them: the tenant's
    usage hours less these are it. A part of an hour belongs to the window that it begins in.
    """
    rows = KeyHour.objects.filter(tenant=organization, quality=BILLS, from_at__gte=from_at, from_at__lt=to_at)
    if key_ids is not None:
        rows = rows.filter(key_id__in=key_ids)
    if model:
        rows = rows.filter(model=model)
    told = rows.annotate(label=F("key__label"), project=Subquery(stay_at("key_id", "from_at").values("project__slug")))
    if project:
        told = told.filter(project=project)
    sums = (
        told.values_list("key_id", "label", "project", "model")
        .annotate(**{f"sum_{name}": Sum(name) for name in COUNTED})
        .order_by("label", "project", "model")
    )
    return [
        KeyUsage(key_id, label, slug, served, dict(zip(COUNTED, map(int, counts), strict=True)))
        for key_id, label, slug, served, *counts in sums
    ]


def stay_at(key: str, at: str) -> QuerySet[ProjectKey]:
    """Return the stay of the outer query's `key` in a project at its `at`."""
    return ProjectKey.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=OuterRef(at)), key=OuterRef(key), from_at__lte=OuterRef(at)
    )


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A tenant's key as lists show it: its project by now (slug and name), and when it was last used.

    That is known by the hour: of one that still runs it is now, so that nobody reads of use to come.
    """

    id: UUID
    label: str
    project: str
    project_name: str
    first_counted_at: datetime
    last_used_at: datetime | None
    deleted_at: datetime | None


def known_keys(organization: Organization, *, now: datetime, text: str = "") -> list[KnownKey]:
    """Return a tenant's keys by label, those whose label holds a text; one query."""
    asked = (organization.pk, now)
    return [
        KnownKey(
            one.id,
            one.label,
            one.project or "",
            one.project_name or "",
            one.first_counted_at,
            one.last_used_at and min(one.last_used_at, now),
            one.deleted_at,
        )
        for one in (_keys(*asked).filter(label__icontains=text) if text else _all_keys(*asked))
    ]


def _keys(tenant: UUID, now: datetime) -> QuerySet[Any]:
    """Keys with what `KnownKey` has of them, by label."""
    last = KeyHour.objects.filter(key=OuterRef("id")).order_by("-from_at").values("to_at")[:1]
    stay = ProjectKey.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=now), key=OuterRef("id"), from_at__lte=now)
    rows = UsageKey.objects.filter(tenant=tenant).annotate(
        last_used_at=Subquery(last),
        project=Subquery(stay.values("project__slug")[:1]),
        project_name=Subquery(stay.values("project__name")[:1]),
    )
    return rows.order_by("label")


_all_keys = written_once(_keys)


def projects_of(organization: Organization) -> list[Project]:
    """Return a tenant's projects by name."""
    return _projects(organization.pk)


@written_once
def _projects(tenant: UUID) -> QuerySet[Project]:
    return Project.objects.filter(tenant=tenant).order_by("name", "slug")
