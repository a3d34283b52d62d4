"""Organizations as a file, the same as the operator's page with the same filters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.views.decorators.http import require_safe

from tenants.listing.csv_files import csv_answer
from tenants.organizations.fees import with_fee
from tenants.organizations.reading import kinds_of, organizations
from tenants.roles import MANAGE_ORGANIZATIONS
from tenants.scoping import operator_page

if TYPE_CHECKING:
    from django.http import HttpRequest, StreamingHttpResponse

    from tenants.models import Organization

HEAD = ("name", "slug", "kinds", "country", "time_zone", "members", "fee_percent", "created_at", "suspended_at")


@require_safe
@operator_page(MANAGE_ORGANIZATIONS)
def operator_organizations_csv(request: HttpRequest, organization: Organization) -> StreamingHttpResponse:  # noqa: ARG001  every page takes it
    """Send the organizations that the page lists."""
    now = datetime.now(UTC)  # noqa: TID251  an entry point
    search, kind = request.GET.get("q", "").strip()[:200], request.GET.get("kind", "")
    rows = (
        (
            one.name,
            one.slug,
            " ".join(kinds_of(one)),
            one.country,
            one.time_zone,
            getattr(one, "people", 0),
            getattr(one, "fee_now", one.fee_percent),
            one.created_at,
            one.suspended_at,
        )
        for one in with_fee(organizations(search=search, kind=kind), now)
    )
    return csv_answer("organizations.csv", HEAD, rows)
