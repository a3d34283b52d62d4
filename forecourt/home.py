"""The first page after sign-in, and the switch between organizations."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from tenants.models import Organization
from tenants.scoping import acting_membership, choose_organization, keep_last
from tenants.signed_in import signed_in


@require_safe
@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """Send a person to the first room of the organization they act for."""
    membership = acting_membership(request)
    if membership is None:
        return render(request, "forecourt/no_organization.html")
    return redirect(first_room(membership.organization))


@require_POST
@signed_in
def act_as(request: HttpRequest, slug: str) -> HttpResponse:
    """Read on as another organization of the person's; 404 for one that they are not a member of.

    This browser begins with it again after the next sign-in: the page that a session ended on is one of its pages.
    """
    organization = choose_organization(request, slug).organization
    response = redirect(first_room(organization))
    keep_last(response, organization)
    return response


def first_room(organization: Organization) -> str:
    """Name the address that an organization's people start at."""
    if organization.is_provider:
        return "provider-overview"
    return "operator-pipeline" if organization.is_operator and not organization.is_tenant else "tenant-usage"
