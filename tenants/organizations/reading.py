"""Choosing organizations, for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Count, Q

from tenants.models import Organization

if TYPE_CHECKING:
    from django.db.models import QuerySet

KINDS: Final = ("operator", "provider", "tenant")


def organizations(*, search: str = "", kind: str = "", suspended: bool = False) -> QuerySet[Organization]:
    """Return organizations in the order they were made, with `people`, how many members each has."""
    found = Organization.objects.annotate(people=Count("memberships")).select_related("introduced_by").order_by("id")
    if search:
        found = found.filter(Q(name__icontains=search) | Q(slug__icontains=search))
    if kind in KINDS:
        found = found.filter(**{f"is_{kind}": True})
    return found.filter(suspended_at__isnull=False) if suspended else found


def kinds_of(organization: Organization) -> list[str]:
    """Return what an organization is."""
    return [kind for kind in KINDS if getattr(organization, f"is_{kind}")]
