"""The parties of a sample world: only in an empty database, named as samples, people own what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecourt.sample import NotEmpty, make_cluster, make_parties, make_person
from tenants.models import Membership, Organization, Role, User
from tests.factories import EPOCH, PASSWORD

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast

TENANTS = {"sample-a": "Sample A", "sample-b": "Sample B"}


@pytest.mark.django_db
def test_operator_provider_and_tenants(settings: Settings) -> None:
    settings.OPERATOR_SLUG = "house"
    parties = make_parties(tenants=TENANTS, now=EPOCH)
    assert (parties.operator.slug, parties.operator.is_operator) == ("house", True)
    assert (parties.provider.is_provider, parties.provider.is_tenant) == (True, False)
    assert {slug: one.name for slug, one in parties.tenants.items()} == TENANTS
    assert all(one.is_tenant and not one.is_provider for one in parties.tenants.values())
    assert all("Sample" in one.name for one in Organization.objects.all())
    assert all(one.billing_email.endswith(".example") for one in Organization.objects.all())


def test_a_database_with_organizations_is_left_alone(cast: Cast) -> None:
    before = Organization.objects.count()
    with pytest.raises(NotEmpty) as refused:
        make_parties(tenants=TENANTS, now=EPOCH)
    assert (refused.value.status, refused.value.code) == (409, "not_empty")
    assert Organization.objects.count() == before


@pytest.mark.django_db
def test_a_person_owns_every_organization_given_and_can_sign_in() -> None:
    parties = make_parties(tenants=TENANTS, now=EPOCH)
    person = make_person(
        email="a@sample.example",
        name="Sample Person",
        password=PASSWORD,
        organizations=[parties.provider, parties.tenants["sample-a"]],
        now=EPOCH,
    )
    found = Membership.objects.filter(user=person).values_list("organization__slug", "role")
    assert set(found) == {("sample-provider", Role.OWNER), ("sample-a", Role.OWNER)}
    stored = User.objects.get(email="a@sample.example")
    assert stored.check_password(PASSWORD)
    assert not stored.is_staff


@pytest.mark.django_db
def test_a_cluster_is_the_providers() -> None:
    parties = make_parties(tenants={}, now=EPOCH)
    cluster = make_cluster(provider=parties.provider, slug="sample-site", name="Sample site", now=EPOCH)
    assert (cluster.provider, cluster.slug, cluster.created_at) == (parties.provider, "sample-site", EPOCH)
