"""Single sign-on against a provider over HTTP: who gets in, how far, and what a provider that lies comes to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client

from tenants.accounts.sealing import seal
from tenants.models import AskedLetter, AuditEntry, Membership, Organization, Role, SignOnProvider, User
from tenants.tasks import send_asked_letters
from tests.factories import EPOCH
from tests.servers.openid import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.tenants.accounts.doors import code_of, confirmed, signed_in, with_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from tests.factories import Cast


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    with running_provider() as running:
        yield running


def set_up(provider: Provider, organization: Organization, *domains: str) -> SignOnProvider:
    return SignOnProvider.objects.create(
        organization=organization,
        issuer=provider.url,
        client_id=CLIENT_ID,
        secret_sealed=seal(CLIENT_SECRET),
        domains=list(domains) or ["example.com"],
        changed_at=EPOCH,
    )


def come_in(kept: SignOnProvider, client: Client | None = None, following: str = "/t/prices/") -> Any:
    """Go to the provider as a browser does, and come back; the answer carries its client."""
    used = client or Client()
    led = used.get(f"/sign-in/organization/{kept.pk}/", {"next": following})
    assert led.status_code == 302, led.content.decode()
    returned = urlsplit(httpx.get(led.headers["Location"]).headers["Location"])
    assert returned.path == f"/sign-in/organization/{kept.pk}/back/"
    return used.get(f"{returned.path}?{returned.query}")


def ask_for_way(email: str, client: Client | None = None) -> str:
    """Ask at the door, and let the sweep send letters; what the door says."""
    answer = (client or Client()).post("/sign-in/organization/", {"email": email})
    send_asked_letters()
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


def test_a_member_is_sent_the_way_comes_in_and_is_led_there_again(
    cast: Cast, provider: Provider, settings: Settings
) -> None:
    settings.MAIL_READY = True
    kept = set_up(provider, cast.tenant)
    client = Client()
    assert "Tenant" not in ask_for_way("Alice@example.com", client)
    (letter,) = mail.outbox
    assert letter.to == ["alice@example.com"]
    assert f"Tenant\n{settings.PUBLIC_URL}/sign-in/organization/{kept.pk}/" in str(letter.body)
    assert "Go on with" not in client.get("/sign-in/organization/").content.decode()
    assert come_in(kept, client).headers["Location"] == "/t/prices/"
    assert client.get("/t/prices/").status_code == 200
    assert SocialAccount.objects.get().user_id == cast.alice.pk
    client.post("/sign-out/")
    remembered = client.get("/sign-in/organization/?next=/t/prices/").content.decode()
    assert "Go on with Tenant" in remembered
    assert f'href="/sign-in/organization/{kept.pk}/?next=%2Ft%2Fprices%2F"' in remembered
    document = "/.well-known/openid-configuration"
    assert provider.calls == [document, "/authorize", document, "/token", "/userinfo"]


def test_who_was_let_in_once_is_known_by_subject_when_the_address_changes(cast: Cast, provider: Provider) -> None:
    kept = set_up(provider, cast.tenant)
    come_in(kept)
    provider.person["email"] = "alice.ng@example.com"
    assert come_in(kept).headers["Location"] == "/t/prices/"
    assert SocialAccount.objects.count() == 1


@pytest.mark.parametrize(
    "email", ["bob@example.com", "nobody@example.com", "charlie@example.com", "alice@evil.example"]
)
def test_nobody_learns_from_the_door_who_signs_in_where(
    cast: Cast, provider: Provider, settings: Settings, email: str
) -> None:
    settings.MAIL_READY = True
    set_up(provider, cast.provider)
    known = ask_for_way("petra@example.com")
    assert [letter.to for letter in mail.outbox] == [["petra@example.com"]]
    assert ask_for_way(email) == known
    assert len(mail.outbox) == 1, "nothing is sent to who is no member, or of another domain"
    assert not AskedLetter.objects.exists(), "nothing is kept of who asked"


@pytest.mark.parametrize("said", ["", "nonsense", "0192f0c5-0000-7000-8000-000000000000"])
def test_a_browser_that_remembers_nothing_real_is_shown_no_way(cast: Cast, provider: Provider, said: str) -> None:
    set_up(provider, cast.provider)
    client = Client()
    client.cookies["way"] = said
    answer = client.get("/sign-in/organization/")
    assert answer.status_code == 200
    assert "Go on with" not in answer.content.decode()


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ({"sub": "9", "email": "charlie@example.com"}, "not a member of Tenant"),
        ({"sub": "9", "email": "nobody@example.com"}, "not a member of Tenant"),
        ({"sub": "9", "email": "alice@elsewhere.example"}, "alice@elsewhere.example is none"),
        ({"sub": "9", "email": ""}, "is none"),
        ({"sub": "", "email": "alice@example.com"}, "subject"),
    ],
)
def test_a_provider_lets_in_members_of_its_own_domains_alone(
    cast: Cast, provider: Provider, person: dict[str, str], words: str
) -> None:
    kept = set_up(provider, cast.tenant)
    provider.person = person
    answer = come_in(kept)
    assert answer.status_code in (403, 502)
    assert words in answer.content.decode() or answer.status_code == 502
    assert not SocialAccount.objects.exists()
    assert answer.client.get("/account/").status_code == 302


def test_who_left_the_organization_is_no_longer_let_in(cast: Cast, provider: Provider) -> None:
    kept = set_up(provider, cast.tenant)
    come_in(kept)
    Membership.objects.filter(user=cast.alice).delete()
    assert come_in(kept).status_code == 403


def test_a_session_that_was_vouched_for_opens_one_organization_and_changes_no_door(
    cast: Cast, provider: Provider
) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.OWNER, created_at=EPOCH)
    client = come_in(set_up(provider, cast.tenant)).client
    assert client.get("/t/prices/").status_code == 200
    assert client.get("/p/fleet/").status_code == 404
    assert client.post("/as/provider/").status_code == 404
    assert "Provider" not in client.get("/account/").content.decode()
    for address in ("email/", "password/", "second-step/", "second-step/app/", "sessions/", "data.json", "delete/"):
        assert client.get(f"/account/{address}").status_code == 403, address
    own = signed_in(cast.alice)
    assert own.post("/as/provider/").status_code == 302
    assert own.get("/account/sessions/").status_code == 200


def test_staff_of_the_installation_are_vouched_for_by_the_operator_alone(cast: Cast, provider: Provider) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_staff=True)
    kept = set_up(provider, cast.tenant)
    refused = come_in(kept)
    assert refused.status_code == 403
    assert refused.client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/sign-in/")


def test_a_second_step_of_ones_own_is_still_asked_for_and_the_session_stays_bound(
    cast: Cast, provider: Provider
) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.OWNER, created_at=EPOCH)
    secret = with_app(cast.alice)
    answer = come_in(set_up(provider, cast.tenant))
    assert answer.headers["Location"] == "/sign-in/code/"
    client = answer.client
    assert client.post("/sign-in/code/", {"code": code_of(secret)}).headers["Location"] == "/t/prices/"
    assert client.post("/as/provider/").status_code == 404


def test_the_organizations_own_provider_stands_for_its_second_step(cast: Cast, provider: Provider) -> None:
    Organization.objects.filter(pk=cast.tenant.pk).update(second_step_required=True)
    client = come_in(set_up(provider, cast.tenant)).client
    assert client.get("/t/prices/").status_code == 200


@pytest.mark.parametrize(
    "lie",
    [
        {"token_claims": {"iss": "https://elsewhere.example"}},
        {"token_claims": {"aud": "another"}},
        {"token_claims": {"exp": 1}},
        {"userinfo_claims": {"sub": "2", "email": "bob@example.com"}},
        {"document": {"token_endpoint": "http://169.254.169.254/token"}},
        {"document": {"token_endpoint": None}},
    ],
    ids=str,
)
def test_a_provider_that_lies_lets_nobody_in(cast: Cast, provider: Provider, lie: dict[str, Any]) -> None:
    kept = set_up(provider, cast.tenant)
    for name, value in lie.items():
        setattr(provider, name, value)
    answer = come_in(kept)
    assert answer.status_code in (403, 502)
    assert answer.client.get("/account/").status_code == 302
    assert "Traceback" not in answer.content.decode()


def test_a_provider_that_is_away_or_unknown_is_a_page(cast: Cast, provider: Provider) -> None:
    kept = set_up(provider, cast.tenant)
    SignOnProvider.objects.filter(pk=kept.pk).update(issuer="http://127.0.0.1:9")
    assert Client().get(f"/sign-in/organization/{kept.pk}/").status_code == 502
    assert Client().get(f"/sign-in/organization/{cast.tenant.pk}/").status_code == 404
    assert Client().get(f"/sign-in/organization/{kept.pk}/back/?code=1&state=forged").status_code == 403


def test_an_owner_sets_a_provider_up_changes_it_and_removes_it(cast: Cast, provider: Provider) -> None:
    client = confirmed(cast.alice)
    form = {"do": "keep", "issuer": provider.url + "/", "client_id": CLIENT_ID, "domains": "Example.com, example.org"}
    assert "expected the secret" in client.post("/t/sign-on/", form).content.decode()
    assert client.post("/t/sign-on/", form | {"secret": CLIENT_SECRET}).status_code == 302
    kept = SignOnProvider.objects.get()
    assert (kept.issuer, kept.domains) == (provider.url, ["example.com", "example.org"])
    page = client.get("/t/sign-on/").content.decode()
    assert f"/sign-in/organization/{kept.pk}/back/" in page
    assert CLIENT_SECRET not in page + kept.secret_sealed
    assert come_in(kept).headers["Location"] == "/t/prices/"
    client.post("/t/sign-on/", form | {"domains": "example.org"})
    assert SocialAccount.objects.count() == 1
    client.post("/t/sign-on/", {"do": "remove"})
    assert not SignOnProvider.objects.exists()
    assert not SocialAccount.objects.exists()
    entries = list(AuditEntry.objects.order_by("pk"))
    assert [one.action for one in entries] == ["sign_on.kept", "sign_on.kept", "sign_on.removed"]
    assert CLIENT_SECRET not in str([(one.before, one.after) for one in entries])


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://elsewhere.example"},
        {"issuer": "https://10.0.0.1"},
        {"issuer": "ftp://x"},
        {"domains": "not a domain"},
        {"domains": ","},
        {"domains": ",".join(f"d{number}.example" for number in range(21))},
        {"client_id": ""},
    ],
    ids=str,
)
def test_what_cannot_be_a_provider_is_refused(cast: Cast, wrong: dict[str, str]) -> None:
    client = confirmed(cast.alice)
    good = {"do": "keep", "issuer": "https://login.example", "client_id": "c", "secret": "s", "domains": "example.com"}
    assert client.post("/t/sign-on/", good | wrong).status_code == 422
    assert not SignOnProvider.objects.exists()


def test_an_owner_asks_for_a_second_step_and_is_told_who_has_none(cast: Cast) -> None:
    client = confirmed(cast.alice)
    assert "2 members have none: alice@example.com, bob@example.com" in client.get("/t/sign-on/").content.decode()
    with_app(cast.alice)
    for _ in range(2):
        assert client.post("/t/sign-on/", {"do": "require"}).status_code == 302
    assert AuditEntry.objects.get().action == "sign_in.second_step"
    assert "Make it optional" in client.get("/t/sign-on/").content.decode()
    client.post("/t/sign-on/", {"do": "allow"})
    assert not Organization.objects.get(pk=cast.tenant.pk).second_step_required
    assert client.post("/t/sign-on/", {"do": "something"}).status_code == 404


def test_who_does_not_confirm_who_they_are_changes_no_door(cast: Cast, provider: Provider) -> None:
    kept, client = set_up(provider, cast.tenant), signed_in(cast.alice)
    page = client.get("/t/sign-on/").content.decode()
    assert "Confirm your password" in page
    assert provider.url in page
    assert 'name="do"' not in page
    for act in ("keep", "remove", "require", "allow"):
        form = {"do": act, "issuer": "https://login.example", "client_id": "c", "secret": "s", "domains": "example.com"}
        assert client.post("/t/sign-on/", form).headers["Location"] == "/account/confirm/?next=%2Ft%2Fsign-on%2F"
    assert "what you typed is not kept" in client.get("/account/confirm/").content.decode()
    assert SignOnProvider.objects.get().issuer == kept.issuer
    assert not Organization.objects.get(pk=cast.tenant.pk).second_step_required
    assert not AuditEntry.objects.exists()
    assert 'name="do"' in confirmed(cast.alice).get("/t/sign-on/").content.decode()
