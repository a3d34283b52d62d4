"""What pages, files and the API list: of one organization alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.members.inviting import letter_failed, letter_sent
from tenants.members.reading import answer_to, letter_of, members_of, open_invitations
from tenants.models import Role
from tests.tenants.members.people import NOW, invited

if TYPE_CHECKING:
    from tests.factories import Cast


def test_members_are_found_by_name_address_and_role(cast: Cast) -> None:
    assert [one.user for one in members_of(cast.tenant)] == [cast.alice, cast.bob]
    assert [one.user for one in members_of(cast.tenant, search="BOB")] == [cast.bob]
    assert [one.user for one in members_of(cast.tenant, search="alice@ex")] == [cast.alice]
    assert [one.user for one in members_of(cast.tenant, role=Role.VIEWER)] == [cast.bob]
    assert members_of(cast.tenant, role="emperor").count() == 2
    assert not members_of(cast.tenant, search="charlie").exists()


def test_where_an_invitation_and_its_letter_stand(cast: Cast) -> None:
    one, _ = invited(cast.tenant)
    invited(cast.outsider)
    assert list(open_invitations(cast.tenant)) == [one]
    assert (letter_of(one), answer_to(one, expired=False), answer_to(one, expired=True)) == (
        "waiting",
        "open",
        "expired",
    )
    letter_failed(invitation=one, error="refused", now=NOW)
    one.refresh_from_db()
    assert letter_of(one) == "failed"
    letter_sent(invitation=one, now=NOW)
    one.refresh_from_db()
    assert letter_of(one) == "sent"
    one.revoked_at = NOW
    assert answer_to(one, expired=True) == "revoked"
    one.accepted_at = NOW
    assert answer_to(one, expired=True) == "accepted"
