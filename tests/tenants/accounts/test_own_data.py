"""What is kept of a person, whole, without secrets, and without other people."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress

from tenants.accounts import own_data as room
from tenants.accounts.own_data import own_data
from tenants.models import AuditEntry, Membership, Role
from tests.factories import EPOCH
from tests.tenants.accounts.doors import signed_in, with_app

if TYPE_CHECKING:
    import pytest

    from tests.factories import Cast


def log(cast: Cast, actor: str, action: str, minutes: int = 0) -> None:
    AuditEntry.objects.create(
        organization=cast.tenant,
        actor=actor,
        action=action,
        subject="sample",
        at=EPOCH + timedelta(minutes=minutes),
    )


def test_it_says_who_how_where_and_since_when(cast: Cast) -> None:
    signed_in(cast.alice, user_agent="Sample/1.0")
    EmailAddress.objects.create(user=cast.alice, email="waits@example.com")
    found = own_data(cast.alice, EPOCH)
    assert found["made_at"] == "2026-03-01T00:00:00+00:00"
    assert found["person"]["email"] == "alice@example.com"
    assert found["person"]["has_password"]
    assert found["addresses"] == [
        {"email": "alice@example.com", "confirmed": True, "in_use": True},
        {"email": "waits@example.com", "confirmed": False, "in_use": False},
    ]
    assert [(one["from_address"], one["browser"]) for one in found["sessions"]] == [("127.0.0.1", "Sample/1.0")]
    assert found["organizations"] == [
        {"slug": "tenant", "name": "Tenant", "role": "owner", "member_since": "2026-03-01T00:00:00+00:00"}
    ]
    json.dumps(found)


def test_it_holds_no_secret(cast: Cast) -> None:
    client = signed_in(cast.alice)
    secret = with_app(cast.alice)
    text = json.dumps(own_data(cast.alice, EPOCH))
    assert '"kind": "totp"' in text
    for hidden in (secret, cast.alice.password, str(client.session.session_key)):
        assert hidden not in text


def test_of_the_log_it_holds_ones_own_entries_newest_first(cast: Cast) -> None:
    log(cast, "alice@example.com", "first")
    log(cast, "bob@example.com", "anothers", 1)
    log(cast, "alice@example.com", "second", 2)
    found = own_data(cast.alice, EPOCH)
    assert [one["action"] for one in found["log_entries"]] == ["second", "first"]
    assert not found["log_entries_left_out"]


def test_the_log_of_an_organization_that_one_left_is_its_own(cast: Cast) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)
    log(cast, "alice@example.com", "there")
    Membership.objects.filter(user=cast.alice, organization=cast.tenant).delete()
    assert own_data(cast.alice, EPOCH)["log_entries"] == []


def test_a_log_without_end_says_that_more_is_left_out(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ENTRIES_MAX", 2)
    for number in range(3):
        log(cast, "alice@example.com", f"n{number}", number)
    found = own_data(cast.alice, EPOCH)
    assert [one["action"] for one in found["log_entries"]] == ["n2", "n1"]
    assert found["log_entries_left_out"]
