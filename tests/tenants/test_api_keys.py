"""Keys: shown once, found by hash, useless when revoked or expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tenants.api_keys import (
    SHOWN_CHARACTERS,
    IssuedKey,
    NotFromHere,
    UnknownScope,
    find_key,
    issue_key,
    require_network,
    revoke_key,
)
from tenants.models import ApiKey, AuditEntry

if TYPE_CHECKING:
    from tests.factories import Cast

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def issue(cast: Cast, *, expires_at: datetime | None = None) -> IssuedKey:
    return issue_key(
        organization=cast.tenant, name="export", scopes=["usage:read"], actor="alice", now=NOW, expires_at=expires_at
    )


def test_the_secret_opens_the_key_and_is_not_stored(cast: Cast) -> None:
    issued = issue(cast)
    found = find_key(issued.secret, NOW)
    assert found is not None
    assert found == issued.key
    assert found.organization == cast.tenant
    stored = ApiKey.objects.values().get()
    assert issued.secret not in str(stored)
    assert stored["prefix"] == issued.secret[:SHOWN_CHARACTERS]
    assert issued.secret not in repr(issued)


def test_two_keys_never_share_a_secret(cast: Cast) -> None:
    assert issue(cast).secret != issue(cast).secret


@pytest.mark.parametrize("secret", ["", "fk_", "fk_wrong", "sk_something", "fk_" + "x" * 200])
def test_a_wrong_secret_opens_nothing(cast: Cast, secret: str) -> None:
    issue(cast)
    assert find_key(secret, NOW) is None


def test_a_key_ends_at_its_instant(cast: Cast) -> None:
    issued = issue(cast, expires_at=NOW + timedelta(hours=1))
    assert find_key(issued.secret, NOW + timedelta(minutes=59)) is not None
    assert find_key(issued.secret, NOW + timedelta(hours=1)) is None


def test_a_revoked_key_opens_nothing(cast: Cast) -> None:
    issued = issue(cast)
    assert revoke_key(key_id=issued.key.id, organization=cast.tenant, actor="alice", now=NOW)
    assert find_key(issued.secret, NOW) is None
    assert not revoke_key(key_id=issued.key.id, organization=cast.tenant, actor="alice", now=NOW)
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "api_key.issued",
        "api_key.revoked",
    ]


def test_charlie_cannot_revoke_anothers_key(cast: Cast) -> None:
    issued = issue(cast)
    assert not revoke_key(key_id=issued.key.id, organization=cast.outsider, actor="charlie", now=NOW)
    assert find_key(issued.secret, NOW) is not None


def test_an_unknown_scope_is_named(cast: Cast) -> None:
    with pytest.raises(UnknownScope, match="'everything' is not one of"):
        issue_key(organization=cast.tenant, name="x", scopes=["everything"], actor="alice", now=NOW)
    assert not ApiKey.objects.exists()


def test_last_use_is_noted_to_the_minute(cast: Cast) -> None:
    issued = issue(cast)
    for at in (NOW, NOW + timedelta(seconds=30), NOW + timedelta(seconds=90)):
        find_key(issued.secret, at)
    issued.key.refresh_from_db()
    assert issued.key.last_used_at == NOW + timedelta(seconds=90)
    find_key(issued.secret, NOW + timedelta(seconds=91))
    issued.key.refresh_from_db()
    assert issued.key.last_used_at == NOW + timedelta(seconds=90)


def test_the_written_out_query_reads_what_the_models_read(cast: Cast) -> None:
    issued = issue(cast, expires_at=NOW + timedelta(hours=1))
    # The first look notes that the key was used.
    assert find_key(issued.secret, NOW) is not None
    found = find_key(issued.secret, NOW)
    assert found is not None
    expected = ApiKey.objects.usable(NOW).select_related("organization").get()
    for one, other in ((found, expected), (found.organization, expected.organization)):
        assert one._state.db == other._state.db
        for field in other._meta.concrete_fields:
            ours, theirs = getattr(one, field.attname), getattr(other, field.attname)
            assert bytes(ours) == bytes(theirs) if isinstance(theirs, memoryview) else ours == theirs


def test_from_where_a_key_was_used_is_noted(cast: Cast) -> None:
    issued = issue(cast)
    for minute, (address, kept) in enumerate(
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.8", "203.0.113.8"),
            ("2001:DB8::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("unknown", None),
        ]
    ):
        find_key(issued.secret, NOW + timedelta(minutes=minute), address)
        issued.key.refresh_from_db()
        assert issued.key.last_used_from == kept


@pytest.mark.parametrize(
    ("networks", "address", "passes"),
    [
        ([], "anything", True),
        (["203.0.113.0/24"], "203.0.113.255", True),
        (["203.0.113.0/24"], "::ffff:203.0.113.255", True),
        (["203.0.113.0/24"], "203.0.114.0", False),
        (["203.0.113.0/24", "2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "203.0.113.1", False),
        (["0.0.0.0/0"], "unknown", False),
        (["0.0.0.0/0"], "", False),
    ],
)
def test_a_key_works_from_its_networks_alone(cast: Cast, networks: list[str], address: str, passes: bool) -> None:
    key = issue_key(
        organization=cast.tenant, name="x", scopes=["usage:read"], actor="alice", now=NOW, networks=networks
    ).key
    if passes:
        require_network(key, address)
        return
    with pytest.raises(NotFromHere, match="may be used from"):
        require_network(key, address)
