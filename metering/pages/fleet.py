"""A provider's fleet: what is in service, what it does now, and what needs attention."""

from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from metering.fleet import fleet_of
from tenants.models import Organization
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page

VIEW = timedelta(hours=24)


@require_safe
@provider_page(READ_FLEET)
def provider_fleet(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show the clusters of a provider with their nodes and cards."""
    now = datetime.now(UTC)
    clusters = fleet_of(provider=organization, from_at=now - VIEW, to_at=now)
    return render(request, "metering/provider_fleet.html", {"clusters": clusters})
