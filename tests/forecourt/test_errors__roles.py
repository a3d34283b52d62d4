"""A page that one's role does not include says what it takes, who has it, and who can give it; nothing to strangers."""

from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tenants.models import Membership, Role, User
from tenants.roles import PERMISSIONS, ROLE_ALLOWS, NotAllowed, roles_that
from tests.factories import EPOCH, PASSWORD

if TYPE_CHECKING:
    from tests.factories import Cast


def as_developer(cast: Cast) -> Client:
    """Bob, whom his role keeps from invoices."""
    Membership.objects.filter(user=cast.bob).update(role=Role.DEVELOPER)
    client = Client()
    client.force_login(cast.bob)
    return client


def refused(client: Client, url: str = "/t/invoices/") -> str:
    answer = client.get(url)
    assert answer.status_code == 403
    return unescape(answer.content.decode())


def test_it_says_what_it_takes_and_who_can_give_it(cast: Cast) -> None:
    Membership.objects.filter(user=cast.alice).update(role=Role.OWNER)
    words = refused(as_developer(cast))
    assert "Your role does not include this" in words
    assert "Read invoices, payments and settings" in words
    assert "<b>developer</b>" in words
    assert "<b>owner, admin, billing, viewer</b>" in words
    assert f'href="mailto:{cast.alice.email}"' in words
    assert cast.tenant.name in words


def test_only_who_may_give_a_role_is_named_and_never_the_reader(cast: Cast) -> None:
    Membership.objects.filter(user=cast.alice).update(role=Role.VIEWER)
    words = refused(as_developer(cast))
    assert "mailto:" not in words
    assert "Who can give you one" not in words


def test_people_of_other_organizations_and_who_left_are_not_named(cast: Cast) -> None:
    Membership.objects.filter(user=cast.alice).update(role=Role.OWNER)
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    words = refused(as_developer(cast))
    for person in (cast.alice, cast.petra, cast.charlie):
        assert person.email not in words


def test_no_more_than_five_are_named_owners_and_admins_alike(cast: Cast) -> None:
    for place in range(7):
        person = User.objects.create_user(f"admin-{place}@example.com", PASSWORD, name=f"Admin {place}")
        Membership.objects.create(organization=cast.tenant, user=person, role=Role.ADMIN, created_at=EPOCH)
    Membership.objects.filter(user=cast.alice).update(role=Role.VIEWER)
    words = refused(as_developer(cast))
    assert words.count("mailto:") == 5
    assert "Admin 0" in words


def test_what_is_posted_without_the_right_is_refused_in_the_same_words(cast: Cast) -> None:
    client = as_developer(cast)
    answer = client.post("/t/members/", {"email": "new@example.com", "role": Role.VIEWER})
    assert answer.status_code == 403
    assert "Invite members, change roles, take members out" in unescape(answer.content.decode())


def test_it_speaks_chinese(cast: Cast) -> None:
    client = as_developer(cast)
    client.cookies["django_language"] = "zh-hans"
    words = refused(client)
    assert "你的角色不包含此权限" in words
    assert "<b>开发者</b>" in words or "<b>开发人员</b>" in words


def test_what_is_not_theirs_is_still_not_there(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.petra)
    assert client.get("/t/invoices/").status_code == 404


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_the_roles_named_are_those_of_the_table(permission: str) -> None:
    assert set(roles_that(permission)) == {role for role, may in ROLE_ALLOWS.items() if permission in may}
    assert roles_that(permission)[0] == Role.OWNER


def test_no_role_may_do_what_is_no_permission() -> None:
    assert roles_that("nonsense") == ()
    assert NotAllowed("usage:read").permission == "usage:read"
