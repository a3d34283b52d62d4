"""Keys at their borders: no more in one than its maker holds, no more of them than may be, none that comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.actors import Actor
from tenants.api_keys import SCOPE_NEEDS, SCOPES, IssuedKey, UnknownScope, find_key
from tenants.keys import managing
from tenants.keys.managing import (
    KeyOver,
    ScopeOutOfReach,
    TooManyKeys,
    WrongApiKey,
    change_key,
    checked_name,
    checked_networks,
    end_key,
    make_key,
    rotate_key,
    scopes_within_reach,
)
from tenants.models import ApiKey, AuditEntry, Organization, Role
from tenants.roles import allows
from tests.kept import kept
from tests.tenants.members.people import NOW, acting

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)


def program(organization: Organization, *scopes: str) -> Actor:
    return Actor(organization, "API key fk_abcdefg", Role.ADMIN, frozenset(scopes))


def made(cast: Cast, *scopes: str, **more: Any) -> IssuedKey:
    return make_key(actor=acting(cast.tenant), name="Gateway", scopes=scopes or ("usage:read",), now=NOW, **more)


old = kept(made)


@pytest.mark.parametrize("role", Role.values)
def test_a_role_puts_into_a_key_what_it_may_do_itself(role: str) -> None:
    reach = set(scopes_within_reach(Actor(Organization(), "p", role)))
    assert reach == {scope for scope, need in SCOPE_NEEDS.items() if allows(role, need)}


def test_every_scope_says_what_it_needs() -> None:
    assert SCOPE_NEEDS.keys() == SCOPES.keys()


def test_an_unknown_role_reaches_nothing() -> None:
    assert scopes_within_reach(Actor(Organization(), "p", "emperor")) == []


@given(st.frozensets(st.sampled_from(sorted(SCOPES))))
def test_a_program_reaches_its_own_scopes_and_no_role_widens_them(scopes: frozenset[str]) -> None:
    for role in Role.values:
        assert set(scopes_within_reach(Actor(Organization(), "p", role, scopes))) == scopes


@pytest.mark.parametrize("scope", sorted(set(SCOPES) - {"keys:write"}))
def test_a_program_that_makes_keys_gives_none_what_it_lacks(cast: Cast, scope: str) -> None:
    with pytest.raises(ScopeOutOfReach) as refused:
        make_key(actor=program(cast.tenant, "keys:write"), name="x", scopes=["keys:write", scope], now=NOW)
    assert scope in refused.value.detail
    assert not ApiKey.objects.exists()


def test_nor_does_it_learn_the_secret_of_a_stronger_one_by_turning_it(cast: Cast) -> None:
    strong = made(cast, "members:write").key
    weak = program(cast.tenant, "keys:write")
    with pytest.raises(ScopeOutOfReach):
        rotate_key(actor=weak, key_id=strong.pk, now=NOW)
    with pytest.raises(ScopeOutOfReach):
        change_key(actor=weak, key_id=strong.pk, name="x", networks=[], now=NOW)
    assert end_key(actor=weak, key_id=strong.pk, now=NOW).revoked_at == NOW, "ending is what everyone may"


@pytest.mark.parametrize("role", [Role.DEVELOPER])
def test_a_developer_opens_no_invoices_by_a_key(cast: Cast, role: Role) -> None:
    for scope in ("invoices:read", "members:write", "audit:read", "contracts:write", "bank:write"):
        with pytest.raises(ScopeOutOfReach):
            make_key(actor=acting(cast.tenant, role), name="x", scopes=["usage:read", scope], now=NOW)
    assert make_key(actor=acting(cast.tenant, role), name="x", scopes=["usage:read"], now=NOW).key.pk


@pytest.mark.parametrize("act", [rotate_key, end_key])
def test_keys_of_other_organizations_are_not_there(cast: Cast, act: Any) -> None:
    key = made(cast).key
    with pytest.raises(ApiKey.DoesNotExist):
        act(actor=acting(cast.outsider), key_id=key.pk, now=NOW)
    with pytest.raises(ApiKey.DoesNotExist):
        change_key(actor=acting(cast.outsider), key_id=key.pk, name="mine", networks=[], now=NOW)
    key.refresh_from_db()
    assert (key.name, key.revoked_at, key.expires_at) == ("Gateway", None, None)


def test_turning_keys_makes_no_more_of_them_than_may_be(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managing, "KEYS_MAX", 3)
    keys = [made(cast).key for _ in range(2)]
    third = rotate_key(actor=acting(cast.tenant), key_id=keys[0].pk, now=NOW).key
    with pytest.raises(TooManyKeys, match="end at once"):
        rotate_key(actor=acting(cast.tenant), key_id=third.pk, now=NOW)
    with pytest.raises(TooManyKeys):
        made(cast)
    assert ApiKey.objects.usable(NOW).count() == 3
    third.refresh_from_db()
    assert third.expires_at is None, "a refusal leaves the key as it was"


def test_a_leaked_key_is_turned_at_once_however_many_there_are(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managing, "KEYS_MAX", 1)
    old = made(cast)
    new = rotate_key(actor=acting(cast.tenant), key_id=old.key.pk, now=NOW, overlap=timedelta(0))
    assert find_key(old.secret, NOW) is None
    assert find_key(new.secret, NOW) == new.key
    assert ApiKey.objects.usable(NOW).count() == 1


@pytest.mark.parametrize("overlap", [-timedelta(seconds=1), timedelta(days=30, seconds=1), timedelta(days=4_000)])
def test_an_overlap_beyond_its_borders_is_refused(cast: Cast, overlap: timedelta) -> None:
    key = made(cast).key
    with pytest.raises(WrongApiKey) as refused:
        rotate_key(actor=acting(cast.tenant), key_id=key.pk, now=NOW, overlap=overlap)
    assert refused.value.extra["field"] == "overlap_hours"
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("overlap", [timedelta(0), timedelta(microseconds=1), HOUR, timedelta(days=30)])
def test_the_old_key_works_for_the_overlap_and_not_an_instant_longer(
    cast: Cast, overlap: timedelta, old: IssuedKey
) -> None:
    rotate_key(actor=acting(cast.tenant), key_id=old.key.pk, now=NOW, overlap=overlap)
    assert find_key(old.secret, NOW + overlap) is None
    if overlap:
        assert find_key(old.secret, NOW + overlap - timedelta(microseconds=1)) == old.key


def test_an_overlap_never_lengthens_what_was_to_end(cast: Cast) -> None:
    old = made(cast, expires_at=NOW + HOUR)
    new = rotate_key(actor=acting(cast.tenant), key_id=old.key.pk, now=NOW, overlap=timedelta(days=7)).key
    old.key.refresh_from_db()
    assert old.key.expires_at == NOW + HOUR
    assert new.expires_at == NOW + HOUR


def test_a_successor_is_used_from_where_the_key_was(cast: Cast) -> None:
    old = made(cast, networks=["203.0.113.0/24"]).key
    new = rotate_key(actor=acting(cast.tenant), key_id=old.pk, now=NOW).key
    assert (new.networks, new.scopes, new.rotated_from_id) == (["203.0.113.0/24"], ["usage:read"], old.pk)


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_what_is_over_is_neither_turned_nor_changed(cast: Cast, how: str) -> None:
    key = made(cast, expires_at=NOW + HOUR).key
    later = NOW + HOUR
    if how == "revoked":
        end_key(actor=acting(cast.tenant), key_id=key.pk, now=NOW)
    with pytest.raises(KeyOver):
        rotate_key(actor=acting(cast.tenant), key_id=key.pk, now=later)
    with pytest.raises(KeyOver):
        change_key(actor=acting(cast.tenant), key_id=key.pk, name="again", networks=[], now=later)


def test_revoking_twice_is_once(cast: Cast) -> None:
    key = made(cast).key
    for later in (NOW, NOW + HOUR):
        assert end_key(actor=acting(cast.tenant), key_id=key.pk, now=later).revoked_at == NOW
    assert AuditEntry.objects.filter(action="api_key.revoked").count() == 1


@pytest.mark.parametrize(
    ("scopes", "error"),
    [([], WrongApiKey), (["everything"], UnknownScope), (["usage:read", "*"], UnknownScope), ([""], UnknownScope)],
)
def test_scopes_that_are_none_are_refused(cast: Cast, scopes: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        make_key(actor=acting(cast.tenant), name="x", scopes=scopes, now=NOW)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("expires_at", [NOW, NOW - HOUR])
def test_a_key_ends_in_time_to_come(cast: Cast, expires_at: Any) -> None:
    with pytest.raises(WrongApiKey, match="to come"):
        made(cast, expires_at=expires_at)


@pytest.mark.parametrize("name", ["", " ", "\n", "x" * 101, "a\0b", "a\x1bb", "\u202egateway", "a\ud800"])
def test_a_name_that_would_mislead_a_reader_is_refused(name: str) -> None:
    with pytest.raises(WrongApiKey) as refused:
        checked_name(name)
    assert refused.value.extra["field"] == "name"


@given(st.text("ab \t\n中é=<>&", min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_a_name_is_kept_on_one_line_and_kept_the_same_again(name: str) -> None:
    shown = checked_name(name)
    assert checked_name(shown) == shown
    assert "\n" not in shown
    assert "".join(shown.split()) == "".join(name.split())


@pytest.mark.parametrize(
    "network", ["", "localhost", "203.0.113.0/33", "203.0.113.256", "1.2.3", "::/129", "10.0.0.1/8/8", "0x7f.1", "*"]
)
def test_what_is_no_network_is_named(network: str) -> None:
    with pytest.raises(WrongApiKey) as refused:
        checked_networks(["203.0.113.0/24", network])
    assert refused.value.extra["field"] == "networks"
    assert repr(network) in refused.value.detail


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        (["203.0.113.7"], ["203.0.113.7/32"]),
        (["203.0.113.7/24"], ["203.0.113.0/24"]),
        ([" 2001:DB8::1 "], ["2001:db8::1/128"]),
        (["10.0.0.1/8", "10.200.0.0/8"], ["10.0.0.0/8"]),
        ([], []),
    ],
)
def test_networks_are_kept_whole_and_once(given_text: list[str], kept: list[str]) -> None:
    assert checked_networks(given_text) == kept
    assert checked_networks(kept) == kept


def test_no_more_networks_than_may_be() -> None:
    most = [f"10.0.{number}.0/24" for number in range(managing.NETWORKS_MAX)]
    assert checked_networks(most) == most
    with pytest.raises(WrongApiKey, match="at most"):
        checked_networks([*most, "192.0.2.1"])


def test_no_secret_is_kept_or_logged(cast: Cast, old: IssuedKey) -> None:
    first = old
    second = rotate_key(actor=acting(cast.tenant), key_id=first.key.pk, now=NOW)
    told = " ".join(f"{one.subject} {one.before} {one.after}" for one in AuditEntry.objects.all())
    rows = " ".join(str(row) for row in ApiKey.objects.values())
    for issued in (first, second):
        assert issued.secret not in told + rows + repr(issued)
        assert issued.secret[len("fk_") + 8 :] not in told + rows
