"""Keys: within reach of who handles them, rotated with overlap, on record, and never twice told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.actors import Actor
from tenants.api_keys import OF_PROVIDERS, OF_PROVIDERS_AND_OPERATORS, SCOPE_NEEDS, SCOPES, UnknownScope, find_key
from tenants.keys import managing
from tenants.keys.managing import WrongApiKey, checked_networks, scopes_within_reach
from tenants.models import ApiKey, AuditEntry, Role
from tests.tenants.members.people import NOW, acting

if TYPE_CHECKING:
    from tenants.api_keys import IssuedKey
    from tenants.models import Organization
    from tests.factories import Cast

DAY = timedelta(days=1)


def make(cast: Cast, *, by: Actor | None = None, **given: Any) -> IssuedKey:
    said = {"name": "gateway", "scopes": ["usage:read", "events:write"], "now": NOW, **given}
    return managing.make_key(actor=by or acting(cast.tenant), **said)


def rotate(cast: Cast, made: IssuedKey, **given: Any) -> IssuedKey:
    return managing.rotate_key(**{"actor": acting(cast.tenant), "key_id": made.key.pk, "now": NOW + DAY, **given})


def test_every_scope_needs_a_permission() -> None:
    assert set(SCOPE_NEEDS) == set(SCOPES)


def test_an_owner_may_put_every_scope_into_a_key_and_others_what_their_role_may(cast: Cast) -> None:
    reach = {role: set(scopes_within_reach(acting(cast.tenant, role))) for role in Role}
    assert reach[Role.OWNER] == reach[Role.ADMIN] == set(SCOPES)
    assert reach[Role.DEVELOPER] == {
        "usage:read",
        "events:write",
        "fleet:read",
        "prices:read",
        "webhooks:read",
        "webhooks:write",
        "members:read",
        "organizations:read",
        "keys:read",
        "keys:write",
        "projects:write",
    }
    assert not reach[Role.VIEWER] & {scope for scope in SCOPES if scope.endswith(":write")} - {"events:write"}
    program = Actor(cast.tenant, "API key fk_1", Role.ADMIN, frozenset({"keys:write", "usage:read"}))
    assert scopes_within_reach(program) == ["usage:read", "keys:write"]


def test_scopes_are_offered_to_who_has_use_for_them(cast: Cast) -> None:
    def offered(organization: Organization, role: Role = Role.OWNER) -> set[str]:
        return set(managing.scopes_to_offer(acting(organization, role)))

    assert offered(cast.provider) == set(SCOPES)
    assert set(SCOPES) - offered(cast.operator) == OF_PROVIDERS
    assert set(SCOPES) - offered(cast.tenant) == OF_PROVIDERS | OF_PROVIDERS_AND_OPERATORS
    assert offered(cast.provider, Role.DEVELOPER) == set(scopes_within_reach(acting(cast.provider, Role.DEVELOPER)))


def test_a_key_is_made_and_on_record_without_its_secret(cast: Cast) -> None:
    made = make(cast, name="  my\tgateway ", networks=["203.0.113.7/24", " 2001:db8::1 "], expires_at=NOW + DAY)
    key = ApiKey.objects.get()
    assert find_key(made.secret, NOW) == key
    assert (key.name, key.created_by, key.expires_at) == ("my gateway", "alice@example.com", NOW + DAY)
    assert key.networks == ["203.0.113.0/24", "2001:db8::1/128"]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("api_key.issued", key.prefix)
    assert made.secret not in f"{entry.before}{entry.after}"


def test_nobody_puts_more_into_a_key_than_they_may(cast: Cast) -> None:
    with pytest.raises(managing.ScopeOutOfReach, match="invoices:read"):
        make(cast, by=acting(cast.tenant, Role.DEVELOPER), scopes=["usage:read", "invoices:read"])
    program = Actor(cast.tenant, "API key fk_1", Role.ADMIN, frozenset({"keys:write"}))
    with pytest.raises(managing.ScopeOutOfReach, match="usage:read"):
        make(cast, by=program, scopes=["keys:write", "usage:read"])
    with pytest.raises(UnknownScope, match="'everything'"):
        make(cast, scopes=["everything"])
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"expires_at": NOW}, "expires_at"),
        ({"networks": ["somewhere"]}, "networks"),
        ({"networks": ["10.0.0.0/33"]}, "networks"),
        ({"networks": [f"10.0.0.{number}" for number in range(51)]}, "networks"),
    ],
)
def test_what_a_key_cannot_be_is_named(cast: Cast, given: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongApiKey) as refused:
        make(cast, **given)
    assert refused.value.extra["field"] == field
    assert not ApiKey.objects.exists()


@given(st.lists(st.ip_addresses().map(str), max_size=9))
def test_networks_are_kept_once_each_and_again_as_they_are(addresses: list[str]) -> None:
    kept = checked_networks([*addresses, *addresses])
    assert len(kept) == len(set(kept)) == len(set(addresses))
    assert checked_networks(kept) == kept


def test_there_is_an_end_to_keys(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managing, "KEYS_MAX", 2)
    first, _ = make(cast), make(cast)
    with pytest.raises(managing.TooManyKeys):
        make(cast)
    managing.end_key(actor=acting(cast.tenant), key_id=first.key.pk, now=NOW)
    assert make(cast).key.pk


def test_rotated_both_work_for_the_overlap_and_then_the_new_one_alone(cast: Cast) -> None:
    old = make(cast, networks=["203.0.113.0/24"])
    new = rotate(cast, old, overlap=timedelta(hours=1))
    assert new.secret != old.secret
    assert (new.key.name, new.key.scopes, new.key.networks) == (old.key.name, old.key.scopes, ["203.0.113.0/24"])
    assert (new.key.rotated_from, new.key.expires_at) == (old.key, None)
    before_end, end = NOW + DAY + timedelta(minutes=59), NOW + DAY + timedelta(hours=1)
    assert find_key(old.secret, before_end) == old.key
    assert find_key(old.secret, end) is None
    assert find_key(new.secret, end) == new.key
    entry = AuditEntry.objects.get(action="api_key.rotated")
    assert entry.after == {"successor": new.key.prefix, "works_until": end.isoformat()}


def test_a_key_that_ends_gets_a_successor_that_lasts_as_long(cast: Cast) -> None:
    old = make(cast, expires_at=NOW + 10 * DAY)
    new = rotate(cast, old, now=NOW + 9 * DAY, overlap=7 * DAY)
    assert new.key.expires_at == NOW + 19 * DAY
    old.key.refresh_from_db()
    assert old.key.expires_at == NOW + 10 * DAY


def test_without_overlap_the_old_one_ends_at_once(cast: Cast) -> None:
    old = make(cast)
    rotate(cast, old, overlap=timedelta(0))
    assert find_key(old.secret, NOW + DAY) is None
    with pytest.raises(managing.KeyOver):
        rotate(cast, old)
    with pytest.raises(WrongApiKey, match="0 to 30 days"):
        rotate(cast, make(cast), overlap=31 * DAY)


def test_rotating_does_not_hand_out_more_than_one_may(cast: Cast) -> None:
    strong = make(cast, scopes=["invoices:read"])
    developer = acting(cast.tenant, Role.DEVELOPER)
    with pytest.raises(managing.ScopeOutOfReach):
        rotate(cast, strong, actor=developer)
    with pytest.raises(managing.ScopeOutOfReach):
        managing.change_key(actor=developer, key_id=strong.key.pk, name="mine", networks=[], now=NOW)
    managing.end_key(actor=developer, key_id=strong.key.pk, now=NOW)
    assert find_key(strong.secret, NOW) is None


def test_a_key_is_changed_and_ended_once_on_record(cast: Cast) -> None:
    made = make(cast)
    for name in ("other", "other"):
        managing.change_key(actor=acting(cast.tenant), key_id=made.key.pk, name=name, networks=["10.0.0.1"], now=NOW)
    for _ in range(2):
        managing.end_key(actor=acting(cast.tenant), key_id=made.key.pk, now=NOW)
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["api_key.issued", "api_key.changed", "api_key.revoked"]
    with pytest.raises(managing.KeyOver):
        managing.change_key(actor=acting(cast.tenant), key_id=made.key.pk, name="late", networks=[], now=NOW)


def test_anothers_key_is_not_there(cast: Cast) -> None:
    made = make(cast)
    charlie = acting(cast.outsider, name="charlie@example.com")
    for act in (
        lambda: managing.end_key(actor=charlie, key_id=made.key.pk, now=NOW),
        lambda: managing.rotate_key(actor=charlie, key_id=made.key.pk, now=NOW),
        lambda: managing.change_key(actor=charlie, key_id=made.key.pk, name="mine", networks=[], now=NOW),
    ):
        with pytest.raises(ApiKey.DoesNotExist):
            act()
    assert find_key(made.secret, NOW) is not None
