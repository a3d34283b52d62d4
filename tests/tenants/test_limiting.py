"""Requests read for whoever makes them, from the look-up of their session to the last piece of their answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from tenants.limiting import LimitedRows
from tenants.limits.reader import NOBODY, Reader, reader_now
from tenants.models import Membership, Organization, Role, User
from tests.factories import EPOCH, make_organization
from tests.filled import api_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DEEP = 99
"""More transactions than are open around a test: within a use case."""


def ask(person: User | AnonymousUser, path: str = "/", method: str = "get") -> list[Reader | None]:
    """For whom a view reads: at once, and within a transaction of its own."""
    seen: list[Reader | None] = []

    def view(request: HttpRequest) -> HttpResponseBase:
        seen.extend((reader_now(0), reader_now(DEEP)))
        return HttpResponse()

    request = getattr(RequestFactory(), method)(path)
    request.user, request.session = person, SessionStore()
    LimitedRows(view)(request)
    assert reader_now(0) is None
    return seen


def test_nobody_is_read_for_where_nobody_signed_in() -> None:
    assert ask(AnonymousUser()) == [NOBODY, NOBODY]
    assert ask(AnonymousUser(), method="post") == [NOBODY, None]


def test_a_person_reads_for_the_organization_they_act_for(cast: Cast) -> None:
    mine = Reader(cast.tenant.id, cast.alice.id)
    assert ask(cast.alice) == [mine, mine]
    assert ask(cast.alice, method="post") == [mine, None]
    assert ask(cast.alice, "/admin/") == [mine, mine]


def test_a_person_without_an_organization_reads_their_own(db: None) -> None:
    lonely = User.objects.create_user("lonely@example.com", name="Lonely")
    assert ask(lonely)[0] == Reader(None, lonely.id)


def test_staff_sees_all_in_the_back_office_alone(cast: Cast) -> None:
    cast.alice.is_staff = True
    assert ask(cast.alice, "/admin/billing/") == [None, None]
    assert ask(cast.alice, "/t/usage/")[0] == Reader(cast.tenant.id, cast.alice.id)


def test_the_operators_people_see_all(cast: Cast) -> None:
    operator = Organization.objects.get(is_operator=True)
    olga = User.objects.create_user("olga@example.com", name="Olga")
    Membership.objects.create(organization=operator, user=olga, role=Role.OWNER, created_at=EPOCH)
    assert ask(olga) == [None, None]


def test_what_is_streamed_is_read_for_who_asked(cast: Cast) -> None:
    seen: list[Reader | None] = []

    def pieces() -> Iterator[bytes]:
        seen.append(reader_now(0))
        yield b"a"
        seen.append(reader_now(0))
        yield b"b"

    request = RequestFactory().get("/")
    request.user, request.session = cast.petra, SessionStore()
    answer = LimitedRows(lambda _: StreamingHttpResponse(pieces()))(request)
    assert isinstance(answer, StreamingHttpResponse)
    assert seen == []
    assert b"".join(answer) == b"ab"
    assert seen == [Reader(cast.provider.id, cast.petra.id)] * 2


def test_an_error_of_a_view_ends_the_limit_too(cast: Cast) -> None:
    def view(request: HttpRequest) -> HttpResponseBase:
        raise ZeroDivisionError

    request = RequestFactory().get("/")
    request.user, request.session = cast.petra, SessionStore()
    with pytest.raises(ZeroDivisionError):
        LimitedRows(view)(request)
    assert reader_now(0) is None


def test_several_organizations_are_switched_between(cast: Cast) -> None:
    second = make_organization("second")
    Membership.objects.create(organization=second, user=cast.alice, role=Role.OWNER, created_at=EPOCH)
    client = Client()
    client.force_login(cast.alice)
    for slug in ("second", "tenant", "second"):
        assert client.post(f"/as/{slug}/").status_code == 302
        assert slug.title() in client.get("/t/invoices/").content.decode()


def test_a_program_reads_for_the_organization_of_its_key(cast: Cast) -> None:
    def numbers(organization: Organization) -> int:
        headers = {"Authorization": f"Bearer {api_key(organization)}"}
        return Client(headers=headers).get("/api/v1/contracts").status_code

    assert [numbers(one) for one in (cast.tenant, cast.provider, cast.outsider)] == [200] * 3
    assert Client(headers={"Authorization": "Bearer fk_wrong"}).get("/api/v1/contracts").status_code == 401
