"""Pages: the acting organization is one of the person's own; anything else is 404, a missing permission 403."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from tenants.models import Membership, Role
from tenants.scoping import acting_membership, choose_organization, memberships_in, provider_page, tenant_page
from tests.factories import EPOCH

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenants.models import Organization, User
    from tests.factories import Cast


@tenant_page("usage:read")
def usage(request: HttpRequest, organization: Organization) -> HttpResponse:
    return HttpResponse(organization.slug)


@tenant_page("invoices:read")
def invoices(request: HttpRequest, organization: Organization) -> HttpResponse:
    return HttpResponse(organization.slug)


@provider_page("fleet:read")
def fleet(request: HttpRequest, organization: Organization, slug: str) -> HttpResponse:
    return HttpResponse(f"{organization.slug}/{slug}")


def request_of(person: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/somewhere/")
    request.user = person
    request.session = SessionStore()
    return request


def text_of(response: HttpResponseBase) -> str:
    assert isinstance(response, HttpResponse)
    return response.content.decode()


def test_a_member_reads_as_their_organization(cast: Cast) -> None:
    assert text_of(usage(request_of(cast.alice))) == "tenant"
    assert text_of(fleet(request_of(cast.petra), slug="a")) == "provider/a"


@pytest.mark.parametrize("address", ["/somewhere/?q=%00", "/some%00where/"])
def test_nothing_is_found_by_a_character_that_no_text_has(cast: Cast, address: str) -> None:
    request = request_of(cast.alice)
    request.META |= {"QUERY_STRING": address.partition("?")[2]}
    request.path = unquote(address.partition("?")[0])
    with pytest.raises(Http404):
        usage(request)


def test_a_tenants_page_is_404_to_a_provider_and_the_other_way_round(cast: Cast) -> None:
    with pytest.raises(Http404):
        usage(request_of(cast.petra))
    with pytest.raises(Http404):
        fleet(request_of(cast.alice), slug="a")


def test_who_is_not_signed_in_is_sent_to_sign_in(cast: Cast) -> None:
    answer = usage(request_of(AnonymousUser()))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/?next=")


def test_a_role_without_the_permission_is_refused(cast: Cast) -> None:
    Membership.objects.filter(user=cast.bob).update(role=Role.DEVELOPER)
    assert usage(request_of(cast.bob)).status_code == 200
    with pytest.raises(PermissionDenied):
        invoices(request_of(cast.bob))


def test_a_person_without_membership_finds_nothing(cast: Cast) -> None:
    Membership.objects.filter(user=cast.bob).delete()
    request = request_of(cast.bob)
    assert acting_membership(request) is None
    with pytest.raises(Http404):
        usage(request)


def test_the_switch_reaches_ones_own_organizations_only(cast: Cast) -> None:
    Membership.objects.create(user=cast.alice, organization=cast.provider, role=Role.VIEWER, created_at=EPOCH)
    request = request_of(cast.alice)
    assert {one.organization.slug for one in memberships_in(request)} == {"tenant", "provider"}
    assert choose_organization(request, "tenant").organization == cast.tenant
    with pytest.raises(Http404):
        choose_organization(request, "outsider")
    again = request_of(cast.alice)
    again.session = request.session
    membership = acting_membership(again)
    assert membership is not None
    assert membership.organization == cast.tenant


def test_a_choice_that_ended_falls_back_to_what_is_left(cast: Cast) -> None:
    Membership.objects.create(user=cast.alice, organization=cast.provider, role=Role.VIEWER, created_at=EPOCH)
    request = request_of(cast.alice)
    choose_organization(request, "provider")
    Membership.objects.filter(user=cast.alice, organization=cast.provider).delete()
    again = request_of(cast.alice)
    again.session = request.session
    assert text_of(usage(again)) == "tenant"
