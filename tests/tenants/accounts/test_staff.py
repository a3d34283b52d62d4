"""The back office asks of staff what the operator asks of its people, however they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tenants.models import Membership, Organization, Role, User
from tenants.scoping import VOUCHED_KEY
from tests.factories import EPOCH, PASSWORD
from tests.kept import kept
from tests.tenants.accounts.doors import code_of, signed_in, with_app

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAGES = ("/admin/", "/admin/tenants/organization/", "/admin/tenants/user/", "/admin/tenants/auditentry/")


@kept
def olga(cast: Cast) -> User:
    """Staff of the installation, a member of the operator."""
    person = User.objects.create_superuser("olga@example.com", PASSWORD, name="Olga")
    Membership.objects.create(organization=cast.operator, user=person, role=Role.OWNER, created_at=EPOCH)
    return person


def asks_for_a_second_step(organization: Organization) -> None:
    organization.second_step_required = True
    organization.save(update_fields=["second_step_required"])


def vouched(person: User, organization: str) -> Client:
    """A browser in a session that a provider of an organization vouched for."""
    client = signed_in(person)
    session = client.session
    session[VOUCHED_KEY] = organization
    session.save()
    return client


@pytest.mark.parametrize("address", PAGES)
def test_without_the_second_step_that_the_operator_asks_for_nothing_opens(cast: Cast, olga: User, address: str) -> None:
    client = signed_in(olga)
    assert client.get(address).status_code == 200
    asks_for_a_second_step(cast.operator)
    answer = client.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/second-step/")


def test_nothing_is_changed_either(cast: Cast, olga: User) -> None:
    asks_for_a_second_step(cast.operator)
    client = signed_in(olga)
    told = {"email": "bob@evil.example", "name": "Bob", "is_active": "on", "is_staff": "on"}
    answer = client.post(f"/admin/tenants/user/{cast.bob.pk}/change/", told)
    assert answer.headers["Location"] == "/account/second-step/"
    cast.bob.refresh_from_db()
    assert (cast.bob.email, cast.bob.is_staff) == ("bob@example.com", False)


def test_staff_who_are_no_members_of_the_operator_are_asked_too(cast: Cast) -> None:
    asks_for_a_second_step(cast.operator)
    cast.bob.is_staff = cast.bob.is_superuser = True
    cast.bob.save()
    assert signed_in(cast.bob).get("/admin/").headers["Location"] == "/account/second-step/"


def test_with_the_second_step_it_opens(cast: Cast, olga: User) -> None:
    asks_for_a_second_step(cast.operator)
    secret = with_app(olga)
    client = signed_in(olga)
    assert client.get("/admin/").status_code == 302, "the password alone is half the way"
    assert client.post("/sign-in/code/", {"code": code_of(secret)}).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_another_organizations_wish_is_not_the_operators(cast: Cast, olga: User) -> None:
    asks_for_a_second_step(cast.tenant)
    assert signed_in(olga).get("/admin/").status_code == 200


@pytest.mark.parametrize("whose", ["tenant", "provider", "outsider"])
def test_a_session_by_the_word_of_another_organization_opens_nothing(cast: Cast, olga: User, whose: str) -> None:
    client = vouched(olga, str(getattr(cast, whose).pk))
    assert client.get("/admin/").status_code == 403
    assert client.post("/admin/tenants/organization/add/", {"name": "x"}).status_code == 403


@pytest.mark.parametrize("whose", ["nowhere", "", "None", "00000000-0000-0000-0000-000000000000"])
def test_a_word_that_names_no_organization_opens_nothing(olga: User, whose: str) -> None:
    assert vouched(olga, whose).get("/admin/").status_code == 403


def test_the_operators_own_provider_stands_for_its_second_step(cast: Cast, olga: User) -> None:
    asks_for_a_second_step(cast.operator)
    assert vouched(olga, str(cast.operator.pk)).get("/admin/").status_code == 200


@pytest.mark.parametrize("path", ["/admin/password_change/", "/admin/password_change/done/"])
def test_a_password_is_changed_where_guesses_are_counted(olga: User, path: str) -> None:
    client = signed_in(olga)
    assert client.get(path).headers["Location"] == "/account/password/"
    told = {
        "old_password": PASSWORD,
        "new_password1": "an entirely other one",
        "new_password2": "an entirely other one",
    }
    assert client.post(path, told).headers["Location"] == "/account/password/"
    olga.refresh_from_db()
    assert olga.check_password(PASSWORD)


def test_whoever_lacks_a_step_can_still_sign_out_of_the_back_office(cast: Cast, olga: User) -> None:
    asks_for_a_second_step(cast.operator)
    client = signed_in(olga)
    client.post("/admin/logout/")
    assert client.get("/account/").status_code == 302


def test_who_is_no_staff_learns_nothing_new(cast: Cast) -> None:
    asks_for_a_second_step(cast.operator)
    for person in (cast.alice, cast.petra):
        answer = signed_in(person).get("/admin/")
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")
    assert Client().get("/admin/").headers["Location"].startswith("/admin/login/")


def test_staff_who_are_locked_are_nobody(olga: User) -> None:
    client = signed_in(olga)
    User.objects.filter(pk=olga.pk).update(is_active=False)
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")
