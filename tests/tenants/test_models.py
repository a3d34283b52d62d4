"""Organizations and people: one operator, e-mail addresses in any letter case, roles once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db.utils import IntegrityError

from tenants.models import Membership, Organization, Role, User
from tests.factories import EPOCH, PASSWORD, make_organization

if TYPE_CHECKING:
    from tests.factories import Cast


def test_there_is_one_operator(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="one_operator"):
        make_organization("second", is_operator=True)


def test_an_address_is_one_person_in_any_letter_case(cast: Cast) -> None:
    assert User.objects.get_by_natural_key("ALICE@Example.com") == cast.alice
    with pytest.raises(IntegrityError, match="email_in_any_case"):
        User.objects.create_user("Alice@Example.com", PASSWORD, name="Another")


def test_a_member_has_one_role(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="one_role_per_member"):
        Membership.objects.create(organization=cast.tenant, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)


def test_organizations_of_a_person(cast: Cast) -> None:
    assert list(Organization.objects.of_person(cast.charlie)) == [cast.outsider]


def test_a_superuser_may_enter_the_back_office(cast: Cast) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD, name="Root")
    assert root.is_staff
    assert root.is_superuser
    assert root.check_password(PASSWORD)
    assert str(root) == "root@example.com"


def test_names_are_what_people_read(cast: Cast) -> None:
    assert str(cast.tenant) == "Tenant"
