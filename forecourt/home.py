"""The first page after sign-in, and the switch between organizations."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from tenants.models import Organization
from tenants.scoping import acting_membership, choose_organization


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Send a person to the first room of the organization they act for."""
    membership = acting_membership(request)
    if membership is None:
        return render(request, "forecourt/no_organization.html")
    return redirect(first_room(membership.organization))


# Who has to sign in first starts anew: a step back to an address that takes no GET would be an error page.
@require_POST
@login_required(redirect_field_name=None)
def act_as(request: HttpRequest, slug: str) -> HttpResponse:
    """Read on as another organization of the person's; 404 for one that they are not a member of."""
    return redirect(first_room(choose_organization(request, slug).organization))


def first_room(organization: Organization) -> str:
    """Name the address that an organization's people start at."""
    if organization.is_provider:
        return "provider-overview"
    return "operator-pipeline" if organization.is_operator and not organization.is_tenant else "tenant-usage"
