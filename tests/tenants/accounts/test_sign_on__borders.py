"""Whom a provider's word lets in, at every border: domains, letters that look alike, addresses nobody confirmed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from allauth.socialaccount.models import SocialAccount
from hypothesis import given
from hypothesis import strategies as st

from tenants.accounts.sign_on import (
    SignOnRefused,
    WrongSignOn,
    _domains,
    keep_provider,
    providers_of,
    remove_provider,
    require_second_step,
    vouched_person,
)
from tenants.accounts.sign_on_adapter import _vouched
from tenants.models import AuditEntry, Membership, Role, SignOnProvider, User
from tenants.sign_on_models import DOMAINS_MAX
from tests.factories import EPOCH
from tests.tenants.members.people import acting

if TYPE_CHECKING:
    from tests.factories import Cast


@pytest.fixture
def kept(cast: Cast) -> SignOnProvider:
    return SignOnProvider.objects.create(
        organization=cast.tenant,
        issuer="https://login.example.com",
        client_id="c",
        secret_sealed="x",
        domains=["example.com"],
        changed_at=EPOCH,
    )


def word(kept: SignOnProvider, *, userinfo: dict[str, Any] | None, known: User | None = None, **token: Any) -> Any:
    """What django-allauth hands over after a provider has spoken."""
    return SimpleNamespace(
        account=SimpleNamespace(
            extra_data={"id_token": {"sub": "1", **token}, "userinfo": userinfo}, provider=str(kept.pk)
        ),
        is_existing=known is not None,
        user=known,
    )


@pytest.mark.parametrize("said", [False, "false", "False", "FALSE"], ids=repr)
def test_an_address_that_its_provider_has_not_confirmed_lets_nobody_in(kept: SignOnProvider, said: object) -> None:
    told = {"sub": "1", "email": "alice@example.com", "email_verified": said}
    with pytest.raises(SignOnRefused, match="has not confirmed that alice@example"):
        _vouched(word(kept, userinfo=told))
    with pytest.raises(SignOnRefused, match="has not confirmed"):
        _vouched(word(kept, userinfo=None, email="alice@example.com", email_verified=said))


@pytest.mark.parametrize("said", [True, "true", "True", None], ids=repr)
def test_a_confirmed_one_or_one_of_which_nothing_is_said_does(cast: Cast, kept: SignOnProvider, said: object) -> None:
    told: dict[str, Any] = {"sub": "1", "email": "alice@example.com"}
    told |= {} if said is None else {"email_verified": said}
    assert _vouched(word(kept, userinfo=told)) == cast.alice
    assert _vouched(word(kept, userinfo=None, **{**told, "sub": "1"})) == cast.alice


def test_a_confirmation_in_the_token_is_not_one_of_the_address_beside_it(kept: SignOnProvider) -> None:
    told = {"sub": "1", "email": "alice@example.com", "email_verified": False}
    with pytest.raises(SignOnRefused, match="has not confirmed"):
        _vouched(word(kept, userinfo=told, email="eve@example.com", email_verified=True))


def test_who_is_known_already_needs_a_confirmed_address_too(cast: Cast, kept: SignOnProvider) -> None:
    told = {"sub": "1", "email": "alice@example.com", "email_verified": False}
    with pytest.raises(SignOnRefused):
        _vouched(word(kept, userinfo=told, known=cast.alice))


@pytest.mark.parametrize(
    ("userinfo", "token"),
    [
        ({"sub": "2", "email": "alice@example.com"}, {}),
        ({"email": "alice@example.com"}, {}),
        ({"sub": "1", "email": "alice@example.com"}, {"sub": ""}),
        ({"sub": "", "email": "alice@example.com"}, {"sub": ""}),
    ],
)
def test_two_subjects_or_none_let_nobody_in(
    kept: SignOnProvider, userinfo: dict[str, Any], token: dict[str, Any]
) -> None:
    with pytest.raises(SignOnRefused):
        _vouched(word(kept, userinfo=userinfo, **token))


@pytest.mark.parametrize(
    "email",
    [
        "al\u0131ce@example.com",  # a dotless i, whose large letter is that of an i
        "ALICE@example.com\u200b",
        "al\u00edce@example.com",
        "\uff41lice@example.com",
        "alice@example.com.evil.example",
        "alice@evil.example",
        "alice@sub.example.com",
        "alice@xexample.com",
        "alice@example.com ",
        "alice@example.com@evil.example",
        "alice",
        "@example.com",
        "",
        "%@example.com",
        "alice_@example.com",
    ],
)
def test_an_address_that_only_looks_like_a_members_lets_nobody_in(kept: SignOnProvider, email: str) -> None:
    with pytest.raises(SignOnRefused):
        vouched_person(provider=kept, subject="1", email=email, known=None)


@pytest.mark.parametrize("email", ["alice@example.com", "Alice@Example.COM", "alice@EXAMPLE.com"])
def test_small_and_large_letters_are_one_address(cast: Cast, kept: SignOnProvider, email: str) -> None:
    assert vouched_person(provider=kept, subject="1", email=email, known=None) == cast.alice


@pytest.mark.parametrize("name", ["charlie", "petra"])
def test_people_of_other_organizations_are_strangers(cast: Cast, kept: SignOnProvider, name: str) -> None:
    person: User = getattr(cast, name)
    with pytest.raises(SignOnRefused, match="not a member of Tenant"):
        vouched_person(provider=kept, subject="1", email=person.email, known=None)
    with pytest.raises(SignOnRefused, match="not a member of Tenant"):
        vouched_person(provider=kept, subject="1", email="alice@example.com", known=person)


def test_who_is_locked_or_was_taken_out_is_a_stranger(cast: Cast, kept: SignOnProvider) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    with pytest.raises(SignOnRefused):
        vouched_person(provider=kept, subject="1", email="alice@example.com", known=None)
    Membership.objects.filter(user=cast.bob).delete()
    with pytest.raises(SignOnRefused):
        vouched_person(provider=kept, subject="1", email="bob@example.com", known=cast.bob)


def test_staff_are_the_operators_to_vouch_for(cast: Cast, kept: SignOnProvider) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    with pytest.raises(SignOnRefused, match="Staff"):
        vouched_person(provider=kept, subject="1", email="alice@example.com", known=None)
    Membership.objects.create(organization=cast.operator, user=cast.alice, role=Role.OWNER, created_at=EPOCH)
    kept.organization = cast.operator
    assert vouched_person(provider=kept, subject="1", email="alice@example.com", known=None) == cast.alice


@pytest.mark.parametrize("email", ["", "@", "alice", "alice@", "%@example.com", "alice@example.com\n"])
def test_no_way_is_shown_for_what_is_no_members_address(kept: SignOnProvider, email: str) -> None:
    assert providers_of(email) == []


def test_a_way_is_shown_once_to_members_alone(cast: Cast, kept: SignOnProvider) -> None:
    assert providers_of("ALICE@Example.com") == [kept]
    assert providers_of("charlie@example.com") == []
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert providers_of("alice@example.com") == []


@pytest.mark.parametrize(
    "domain",
    [
        "example",
        "com.",
        ".com",
        "-a.com",
        "a-.com",
        "a..com",
        "a_b.com",
        "*.com",
        "a.c",
        "a b.com",
        "@a.com",
        "a.com/",
        "1.2.3.4",
        "例子.中国",
    ],
)
def test_what_is_no_domain_is_named(domain: str) -> None:
    with pytest.raises(WrongSignOn) as refused:
        _domains(["example.com", domain])
    assert refused.value.extra["field"] == "domains"
    assert repr(domain) in refused.value.detail


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{0,8}\.(com|org|co\.uk)", fullmatch=True), min_size=1, max_size=30))
def test_domains_are_kept_once_sorted_and_never_more_than_may_be(domains: list[str]) -> None:
    wanted = {each.lower() for each in domains}
    if len(wanted) > DOMAINS_MAX:
        with pytest.raises(WrongSignOn):
            _domains(domains)
    else:
        assert _domains([f" {each.upper()} " for each in domains]) == sorted(wanted)


def keep(cast: Cast, **more: Any) -> SignOnProvider:
    plain: dict[str, Any] = {
        "issuer": "https://login.example.com/",
        "client_id": "c",
        "secret": "s",
        "domains": ["example.com"],
        "networks": [],
    }
    return keep_provider(actor=acting(cast.tenant), now=EPOCH, **(plain | more))


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"issuer": "javascript:alert(1)"}, "issuer"),
        ({"issuer": "http://login.example.com"}, "issuer"),
        ({"issuer": "https://127.0.0.1"}, "issuer"),
        ({"issuer": "https://169.254.169.254/latest"}, "issuer"),
        ({"issuer": "https://[::1]"}, "issuer"),
        ({"issuer": "https://user:secret@login.example.com"}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "x" * 201}, "client_id"),
        ({"client_id": "a\nb"}, "client_id"),
        ({"secret": ""}, "secret"),
        ({"domains": []}, "domains"),
        ({"domains": ["", "  "]}, "domains"),
        ({"domains": [f"a{n}.com" for n in range(DOMAINS_MAX + 1)]}, "domains"),
    ],
)
def test_a_wrong_provider_is_refused_and_leaves_nothing(cast: Cast, more: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongSignOn) as refused:
        keep(cast, **more)
    assert refused.value.extra["field"] == field
    assert not SignOnProvider.objects.exists()
    assert not AuditEntry.objects.filter(action="sign_on.kept").exists()


def test_another_issuer_needs_its_own_secret_and_forgets_whom_the_old_one_vouched_for(cast: Cast) -> None:
    kept = keep(cast)
    SocialAccount.objects.create(user=cast.alice, provider=str(kept.pk), uid="1")
    assert keep(cast, secret="", client_id="d").client_id == "d"
    assert SocialAccount.objects.exists()
    with pytest.raises(WrongSignOn, match="secret"):
        keep(cast, issuer="https://other.example.com", secret="")
    assert SocialAccount.objects.exists(), "nothing is half done"
    keep(cast, issuer="https://other.example.com", secret="t")
    assert not SocialAccount.objects.exists()


def test_no_secret_is_in_the_log(cast: Cast) -> None:
    keep(cast, secret="a very secret word")
    keep(cast, secret="", client_id="d")
    remove_provider(actor=acting(cast.tenant), now=EPOCH)
    told = [f"{one.before} {one.after}" for one in AuditEntry.objects.all()]
    assert len(told) == 3
    assert not any("very secret" in one for one in told)


def test_what_changes_nothing_is_not_logged(cast: Cast) -> None:
    actor = acting(cast.tenant)
    assert not remove_provider(actor=actor, now=EPOCH)
    assert not require_second_step(actor=actor, required=False, now=EPOCH)
    assert require_second_step(actor=actor, required=True, now=EPOCH)
    assert not require_second_step(actor=actor, required=True, now=EPOCH)
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["sign_in.second_step"]
