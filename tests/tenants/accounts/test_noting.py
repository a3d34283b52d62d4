"""Who changes how they sign in is in the log of every organization of theirs, and of no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.accounts.letters import NOTICES
from tenants.accounts.noting import ACTIONS, note
from tenants.models import AuditEntry, Membership, Role, User
from tests.factories import EPOCH, PASSWORD

if TYPE_CHECKING:
    from tests.factories import Cast


def test_every_organization_of_the_person_is_told(cast: Cast) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)
    assert note(cast.alice, "person.sample", EPOCH, before={"a": "1"}, after={"a": "2"}) == 2
    entries = AuditEntry.objects.all()
    assert {one.organization_id for one in entries} == {cast.tenant.pk, cast.provider.pk}
    assert {(one.actor, one.subject, one.action) for one in entries} == {
        ("alice@example.com", "person alice@example.com", "person.sample")
    }
    assert all((one.before, one.after, one.at) == ({"a": "1"}, {"a": "2"}, EPOCH) for one in entries)


def test_who_belongs_nowhere_leaves_no_entry(db: None) -> None:
    assert note(User.objects.create_user("new@example.com", PASSWORD, name="New"), "person.sample", EPOCH) == 0


def test_whatever_is_logged_is_told_to_the_person_too() -> None:
    assert set(ACTIONS) <= set(NOTICES)
    assert all(action.startswith("person.") for action in ACTIONS.values())
