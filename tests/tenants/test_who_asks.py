"""What is read of who asks is what Django's own queries give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from tenants.ids import new_id
from tenants.models import Membership, Organization, Role, User
from tenants.who_asks import find_person, memberships_of
from tests.factories import EPOCH, make_organization

if TYPE_CHECKING:
    from django.db.models import Model
    from pytest_django import DjangoAssertNumQueries

    from tests.factories import Cast


def fields_of(row: Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_person_is_the_one_that_django_finds(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.pk).update(
        last_login=timezone.now(), language="zh-hans", time_zone="Asia/Shanghai", theme="dark", is_staff=True
    )
    by_django = get_user_model().objects.get(pk=cast.alice.pk)
    found = find_person(cast.alice.pk)
    assert found is not None
    assert (type(found), found) == (User, by_django)
    assert fields_of(found) == fields_of(by_django)
    assert (found._state.adding, found._state.db) == (False, "default")
    assert found.get_session_auth_hash() == by_django.get_session_auth_hash()


def test_a_person_who_was_found_can_be_changed(cast: Cast) -> None:
    found = find_person(cast.alice.pk)
    assert found is not None
    found.name = "Alice the second"
    found.save()
    assert User.objects.get(pk=cast.alice.pk).name == "Alice the second"
    assert User.objects.filter(email=cast.alice.email).count() == 1


def test_who_left_is_found_and_who_never_was_is_not(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    found = find_person(cast.alice.pk)
    assert found is not None
    assert not found.is_active
    assert find_person(new_id()) is None


def test_memberships_come_with_their_organizations_by_name(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for slug in ("zinc", "amber", "Moss"):
        organization = make_organization(slug, is_provider=True)
        Membership.objects.create(organization=organization, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)
    Organization.objects.filter(slug="amber").update(
        suspended_at=timezone.now(), suspended_because="unpaid", introduced_by=cast.provider, fee_percent="2.5"
    )
    held = Membership.objects.filter(user=cast.alice).select_related("organization")
    by_django = list(held.order_by("organization__name", "organization_id"))
    with django_assert_num_queries(1):
        found = memberships_of(cast.alice)
        organizations = [one.organization for one in found]
        assert all(one.user is cast.alice for one in found)
    assert len(found) == 4
    assert [fields_of(one) for one in found] == [fields_of(one) for one in by_django]
    assert [fields_of(one) for one in organizations] == [fields_of(one.organization) for one in by_django]
    assert not any(one._state.adding for one in (*found, *organizations))


def test_a_membership_that_was_read_can_be_changed(cast: Cast) -> None:
    (found,) = memberships_of(cast.alice)
    found.role = Role.VIEWER
    found.save()
    assert Membership.objects.get(user=cast.alice).role == Role.VIEWER
    assert Membership.objects.filter(user=cast.alice).count() == 1


def test_who_belongs_nowhere_has_no_membership(cast: Cast) -> None:
    Membership.objects.filter(user=cast.alice).delete()
    assert memberships_of(cast.alice) == []


@pytest.mark.parametrize("model", [User, Membership, Organization])
def test_no_column_needs_more_than_the_database_gives(model: type[Model]) -> None:
    # A field that makes something of what is stored would have to be asked to here.
    assert not [field.name for field in model._meta.concrete_fields if hasattr(field, "from_db_value")]
