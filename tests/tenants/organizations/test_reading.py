"""Choosing organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.organizations.reading import kinds_of, organizations
from tests.tenants.members.people import NOW

if TYPE_CHECKING:
    from tests.factories import Cast


def test_organizations_are_found_by_name_kind_and_state(cast: Cast) -> None:
    cast.tenant.suspended_at = NOW
    cast.tenant.save()
    assert {one.slug: getattr(one, "people", 0) for one in organizations()} == {
        "operator": 0,
        "provider": 1,
        "tenant": 2,
        "outsider": 1,
    }
    assert [one.slug for one in organizations(search="TEN")] == ["tenant"]
    assert [one.slug for one in organizations(kind="provider")] == ["provider", "outsider"]
    assert [one.slug for one in organizations(kind="moon", search="out")] == ["outsider"]
    assert [one.slug for one in organizations(suspended=True)] == ["tenant"]
    assert kinds_of(cast.outsider) == ["provider", "tenant"]
