"""A provider's occupancy: who holds which card when."""

from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.queries.occupancy import occupancy_view
from tenants.models import Organization
from tenants.roles import READ_FLEET
from tenants.scoping import provider_page


@require_safe
@provider_page(READ_FLEET)
def provider_occupancy(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show who holds a provider's cards."""
    now = datetime.now(UTC)
    view = occupancy_view(organization, now, now + timedelta(days=14))
    return render(request, "billing/occupancy.html", {"view": view})
