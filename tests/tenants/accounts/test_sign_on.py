"""The rules of single sign-on by themselves: what is kept, what is refused, and who may be vouched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.socialaccount.models import SocialAccount
from hypothesis import given
from hypothesis import strategies as st

from tenants.accounts.sealing import unseal
from tenants.accounts.sign_on import (
    DOMAIN,
    SignOnRefused,
    WrongSignOn,
    keep_provider,
    providers_of,
    remove_provider,
    require_second_step,
    vouched_person,
)
from tenants.actors import Actor
from tenants.models import AuditEntry, Membership, Role, SignOnProvider, User
from tests.factories import EPOCH
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast


def keep(cast: Cast, **changed: Any) -> SignOnProvider:
    given: dict[str, Any] = {
        "actor": Actor(cast.tenant, "alice@example.com", Role.OWNER),
        "issuer": "https://login.example",
        "client_id": "client",
        "secret": "a secret",
        "domains": ["example.com"],
        "networks": [],
        "now": EPOCH,
    }
    return keep_provider(**(given | changed))


kept = kept(keep)


def test_it_is_kept_once_for_an_organization_and_its_secret_sealed(cast: Cast) -> None:
    first = keep(cast, domains=[" Example.com ", "example.org", "example.com"])
    second = keep(cast, secret="", client_id="another")
    assert second.pk == first.pk == SignOnProvider.objects.get().pk
    assert first.domains == ["example.com", "example.org"]
    assert unseal(SignOnProvider.objects.get().secret_sealed) == "a secret"
    assert "a secret" not in SignOnProvider.objects.get().secret_sealed
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    assert entry.before == {"issuer": "https://login.example", "client_id": "client", "domains": first.domains}
    assert entry.after == {
        "issuer": "https://login.example",
        "client_id": "another",
        "domains": ["example.com"],
        "secret": "kept",
    }


def test_another_issuer_needs_a_secret_and_forgets_whom_the_old_one_knew(cast: Cast, kept: SignOnProvider) -> None:
    SocialAccount.objects.create(user=cast.alice, provider=str(kept.pk), uid="1")
    with pytest.raises(WrongSignOn):
        keep(cast, issuer="https://elsewhere.example", secret="")
    assert SocialAccount.objects.exists()
    keep(cast, issuer="https://elsewhere.example")
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"issuer": "http://login.example"}, "issuer"),
        ({"issuer": "https://user:word@login.example"}, "issuer"),
        ({"issuer": "https://127.0.0.1"}, "issuer"),
        ({"client_id": " "}, "client_id"),
        ({"client_id": "x" * 201}, "client_id"),
        ({"domains": []}, "domains"),
        ({"domains": ["example"]}, "domains"),
        ({"domains": ["*.example.com"]}, "domains"),
        ({"domains": ["alice@example.com"]}, "domains"),
        ({"secret": ""}, "secret"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_by_its_field(cast: Cast, changed: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongSignOn) as refused:
        keep(cast, **changed)
    assert refused.value.extra["field"] == field
    assert refused.value.detail.startswith(f"{field}:")
    assert not SignOnProvider.objects.exists()


@given(st.text(max_size=40))
def test_a_domain_is_nothing_else(text: str) -> None:
    if DOMAIN.fullmatch(text):
        assert "." in text
        assert not set(text) & set("@ /:,*\n")
        assert text == text.lower()


def test_to_remove_twice_is_to_remove(cast: Cast) -> None:
    keep(cast)
    actor = Actor(cast.tenant, "alice@example.com", Role.OWNER)
    assert remove_provider(actor=actor, now=EPOCH)
    assert not remove_provider(actor=actor, now=EPOCH)
    assert AuditEntry.objects.filter(action="sign_on.removed").count() == 1


def test_the_way_is_shown_to_members_with_such_an_address(cast: Cast, kept: SignOnProvider) -> None:
    assert providers_of("ALICE@Example.com") == [kept]
    assert providers_of("petra@example.com") == providers_of("alice@example.org") == providers_of("alice") == []
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert providers_of("alice@example.com") == []


def vouch(kept: SignOnProvider, email: str = "alice@example.com", **changed: Any) -> User:
    given: dict[str, Any] = {"provider": kept, "subject": "1", "email": email, "known": None}
    return vouched_person(**(given | changed))


def test_a_member_is_let_in_by_address_or_by_subject(cast: Cast, kept: SignOnProvider) -> None:
    assert vouch(kept, "Alice@EXAMPLE.com") == cast.alice
    assert vouch(kept, "new@example.com", known=cast.alice) == cast.alice


@pytest.mark.parametrize("email", ["petra@example.com", "nobody@example.com", "alice@example.org", "", "alice"])
def test_others_are_not(cast: Cast, email: str) -> None:
    with pytest.raises(SignOnRefused):
        vouch(keep(cast), email)


def test_neither_who_left_nor_who_is_switched_off_nor_staff_is(cast: Cast, kept: SignOnProvider) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    with pytest.raises(SignOnRefused, match="own password"):
        vouch(kept)
    User.objects.filter(pk=cast.alice.pk).update(is_staff=False, is_active=False)
    with pytest.raises(SignOnRefused):
        vouch(kept)
    Membership.objects.filter(user=cast.bob).delete()
    with pytest.raises(SignOnRefused):
        vouch(kept, "bob@example.com", known=cast.bob)
    with pytest.raises(SignOnRefused):
        vouch(kept, subject="")


def test_a_second_step_is_asked_for_once_and_no_longer(cast: Cast) -> None:
    actor = Actor(cast.tenant, "alice@example.com", Role.OWNER)
    assert [require_second_step(actor=actor, required=wanted, now=EPOCH) for wanted in (True, True, False)] == [
        True,
        False,
        True,
    ]
    entries = AuditEntry.objects.order_by("pk")
    assert [one.after for one in entries] == [{"second_step_required": True}, {"second_step_required": False}]
