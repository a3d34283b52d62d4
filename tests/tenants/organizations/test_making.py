"""Organizations are made with their owner invited: any by the operator, tenants by a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from tenants.invitation_models import Invitation
from tenants.members.accepting import accept_as_new
from tenants.members.inviting import WrongInvitation
from tenants.models import AuditEntry, Organization, Role
from tenants.organizations import making
from tenants.organizations.changing import Facts, WrongOrganization
from tests.factories import PASSWORD
from tests.tenants.members.people import DORA, NOW, acting

if TYPE_CHECKING:
    from tests.factories import Cast

FACTS = Facts(name="Sample Compute", country="FR", billing_email="bills@sample.example", time_zone="Europe/Paris")


def make(maker: Organization, **given: Any) -> tuple[Organization, Invitation, str]:
    said: dict[str, Any] = {"given": FACTS, "kinds": ["tenant"], "owner_email": DORA, **given}
    return making.make_organization(
        actor=acting(maker, name="olga@example.com"), language="en", secret_key=settings.SECRET_KEY, now=NOW, **said
    )


def test_the_operator_makes_one_whose_owner_comes_by_the_letter(cast: Cast) -> None:
    made, invitation, token = make(cast.operator, kinds=["provider", "tenant", "tenant"])
    assert (made.slug, made.is_provider, made.is_tenant, made.is_operator) == ("sample-compute", True, True, False)
    assert (made.introduced_by, made.time_zone) == (cast.operator, "Europe/Paris")
    owner = accept_as_new(invitation_id=invitation.pk, token=token, name="Dora", password=PASSWORD, now=NOW)
    assert (owner.organization, owner.role) == (made, Role.OWNER)
    for organization in (made, cast.operator):
        entry = AuditEntry.objects.get(organization=organization, action="organization.made")
        assert entry.after["kinds"] == ["provider", "tenant"] if entry.after else False
        assert entry.after["owner"] == DORA if entry.after else False


def test_a_provider_makes_tenants_alone(cast: Cast) -> None:
    made, _, _ = make(cast.provider)
    assert (made.is_tenant, made.is_provider, made.introduced_by) == (True, False, cast.provider)
    for kinds in (["provider"], ["provider", "tenant"], ["operator"], []):
        with pytest.raises(WrongOrganization, match="kinds"):
            make(cast.provider, kinds=kinds)
    with pytest.raises(WrongOrganization, match="kinds"):
        make(cast.operator, kinds=["operator"])


def test_a_wrong_owner_leaves_no_organization_behind(cast: Cast) -> None:
    before = Organization.objects.count()
    with pytest.raises(WrongInvitation):
        make(cast.operator, owner_email="nobody")
    assert Organization.objects.count() == before
    assert not AuditEntry.objects.exists()


def test_words_for_addresses_are_each_given_once(cast: Cast) -> None:
    slugs = [make(cast.operator, given=Facts(name=name, country="CN", billing_email="b@x.example"))[0].slug
             for name in ("Tenant", "tenant!", "词元公司", "词元", "x" * 90)]  # fmt: skip
    assert slugs == ["tenant-2", "tenant-3", "organization", "organization-2", "x" * 50]


def test_there_is_an_end_to_organizations_that_nobody_joins(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "WAITING_MAX", 1)
    _, invitation, token = make(cast.provider)
    with pytest.raises(making.TooManyWaiting):
        make(cast.provider)
    accept_as_new(invitation_id=invitation.pk, token=token, name="Dora", password=PASSWORD, now=NOW)
    assert make(cast.provider, owner_email="eve@example.com")[0].pk
