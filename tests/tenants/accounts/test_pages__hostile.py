"""What strangers try at the doors: other places to be led to, other hosts in letters, forged posts, who is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.utils import timezone

from tenants.accounts.leaving import leave
from tenants.accounts.own_data import own_data
from tenants.models import User
from tests.factories import PASSWORD
from tests.tenants.accounts.doors import ask_for_letter, enter, link_in_letter, signed_in

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "http://testserver@evil.example/",
    " //evil.example",
    "/\t/evil.example",
)


@pytest.fixture
def letters(settings: Settings) -> None:
    settings.MAIL_READY = True


def forms_of(answer: Any) -> str:
    """The page without what differs from one request to the next."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.content.decode())
    return re.sub(r"[a-z]+@[a-z.]+", "", text)


@pytest.mark.parametrize("following", ELSEWHERE, ids=repr)
def test_signing_in_leads_nowhere_else(cast: Cast, following: str) -> None:
    assert enter(cast.alice, next=following).headers["Location"] == "/"


@pytest.mark.parametrize("following", ELSEWHERE, ids=repr)
def test_nor_does_what_the_back_office_hands_on(cast: Cast, following: str) -> None:
    led = Client().get("/admin/login/", {"next": following}).headers["Location"]
    assert led.startswith("/sign-in/?next=")
    client = Client()
    answer = client.post(led, {"login": cast.alice.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("following", ELSEWHERE, ids=repr)
def test_nor_does_typing_the_password_again_or_another_language(cast: Cast, following: str) -> None:
    client = signed_in(cast.alice)
    asked = client.post("/account/confirm/", {"password": PASSWORD, "next": following})
    assert "evil" not in asked.headers["Location"]
    assert "javascript" not in asked.headers["Location"]
    spoken = client.post("/i18n/setlang/", {"language": "en", "next": following})
    assert "evil" not in spoken.headers.get("Location", "")
    assert "javascript" not in spoken.headers.get("Location", "")


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    "headers",
    [{"Host": "testserver"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}],
    ids=repr,
)
def test_links_of_letters_name_this_installation(cast: Cast, settings: Settings, headers: dict[str, str]) -> None:
    settings.PUBLIC_URL = "https://billing.example.org"
    ask_for_letter(cast.alice.email, Client(headers=headers))
    body = str(mail.outbox[-1].body)
    assert re.findall(r"https?://[^/\s]+", body) == ["https://billing.example.org"]


@pytest.mark.usefixtures("letters")
def test_a_host_that_is_not_ours_is_not_answered(cast: Cast, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    answer = ask_for_letter(cast.alice.email, Client(headers={"Host": "evil.example"}))
    assert answer.status_code == 400
    assert mail.outbox == []


def test_a_wrong_password_and_a_wrong_address_are_answered_alike(cast: Cast) -> None:
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    wrong = [
        Client().post("/sign-in/", {"login": email, "password": "not the password"})
        for email in (cast.alice.email, cast.bob.email, "nobody@example.org")
    ]
    assert {one.status_code for one in wrong} == {200}
    assert len({forms_of(one) for one in wrong}) == 1


@pytest.mark.usefixtures("letters")
def test_asking_for_a_letter_tells_nobody_who_has_an_account(cast: Cast) -> None:
    answers = [ask_for_letter(email) for email in (cast.alice.email, "nobody@example.org")]
    assert len({forms_of(one) for one in answers}) == 1
    assert [one.to for one in mail.outbox] == [[cast.alice.email]]


@pytest.mark.usefixtures("letters")
def test_a_link_works_once_and_for_nobody_else(cast: Cast) -> None:
    ask_for_letter(cast.alice.email)
    link = link_in_letter("/sign-in/forgotten/")
    stolen = re.sub(r"/forgotten/[^-]+-", "/forgotten/1-", link)
    assert Client().get(stolen).status_code == 200
    client = Client()
    form = client.get(link).headers["Location"]
    told = {"password1": "an entirely other one", "password2": "an entirely other one"}
    assert client.post(form, told).status_code == 302
    assert not client.session.get("_auth_user_id"), "a letter does not sign in"
    again = Client()
    later = again.get(link)
    assert later.status_code == 200, "no form is led to any more"
    cast.alice.refresh_from_db()
    assert cast.alice.check_password("an entirely other one")


@pytest.mark.usefixtures("letters")
def test_a_new_password_ends_what_was_open(cast: Cast) -> None:
    open_before = signed_in(cast.alice)
    ask_for_letter(cast.alice.email)
    client = Client()
    form = client.get(link_in_letter("/sign-in/forgotten/")).headers["Location"]
    client.post(form, {"password1": "an entirely other one", "password2": "an entirely other one"})
    assert open_before.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "address",
    ["/account/", "/account/sessions/", "/account/delete/", "/account/password/", "/account/email/", "/sign-out/"],
)
def test_pages_elsewhere_change_nothing_in_a_persons_name(cast: Cast, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    answer = client.post(address, {"name": "Eve", "email": cast.alice.email, "session": "others"})
    assert answer.status_code == 403
    assert client.get("/account/").status_code == 200
    cast.alice.refresh_from_db()
    assert cast.alice.name != "Eve"


@pytest.mark.parametrize("number", ["0", "-1", "1", "abc", "9" * 17, "9" * 40, "1.5", "", "\u0661"], ids=repr)
def test_sessions_of_others_are_not_ended(cast: Cast, number: str) -> None:
    bob = signed_in(cast.bob)
    alice = signed_in(cast.alice)
    theirs = alice.post("/account/sessions/", {"session": number})
    assert theirs.status_code in (302, 404)
    assert bob.get("/account/").status_code == 200


def test_a_person_is_shown_as_text(cast: Cast) -> None:
    client = signed_in(cast.alice, **{"User-Agent": "<script>alert(1)</script> Firefox/133"})
    client.post("/account/", {"name": "<b onmouseover=alert(1)>", "language": "", "time_zone": "", "theme": ""})
    for page in ("/account/", "/account/sessions/", "/t/members/"):
        answer = client.get(page).content.decode()
        assert "<b onmouseover" not in answer
        assert "<script>alert" not in answer


def test_what_is_posted_beside_the_form_changes_nothing(cast: Cast) -> None:
    client = signed_in(cast.alice)
    more = {"is_staff": "on", "is_superuser": "on", "email": "eve@example.org", "id": str(cast.bob.pk)}
    client.post("/account/", {"name": "Alice", "language": "", "time_zone": "", "theme": "", **more})
    cast.alice.refresh_from_db()
    assert (cast.alice.email, cast.alice.is_staff, cast.alice.is_superuser) == ("alice@example.com", False, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "xx"),
        ("time_zone", "Mars/Base"),
        ("time_zone", "../../etc/passwd"),
        ("theme", "red;"),
        ("name", ""),
    ],
)
def test_choices_that_are_none_are_refused(cast: Cast, field: str, value: str) -> None:
    plain = {"name": "Alice", "language": "", "time_zone": "", "theme": ""}
    assert signed_in(cast.alice).post("/account/", plain | {field: value}).status_code == 422


def test_leaving_takes_what_providers_told_along(cast: Cast) -> None:
    told = {"email": cast.bob.email, "name": "Bob", "phone_number": "+49 30 123"}
    SocialAccount.objects.create(user=cast.bob, provider="p", uid="7", extra_data=told)
    other = SocialAccount.objects.create(user=cast.alice, provider="p", uid="8", extra_data={})
    leave(person=cast.bob, now=timezone.now())
    assert list(SocialAccount.objects.all()) == [other]
    assert not EmailAddress.objects.filter(user=cast.bob).exists()


def test_ones_own_data_has_what_providers_told_and_nobody_elses(cast: Cast) -> None:
    SocialAccount.objects.create(user=cast.bob, provider="p", uid="7", extra_data={"email": "bob@example.com"})
    SocialAccount.objects.create(user=cast.alice, provider="p", uid="8", extra_data={"email": "alice@example.com"})
    [found] = own_data(cast.bob, timezone.now())["sign_ons"]
    assert (found["subject"], found["told_by_provider"]) == ("7", {"email": "bob@example.com"})
    assert "secret" not in str(own_data(cast.bob, timezone.now())).lower()


@pytest.mark.parametrize(
    "address",
    [
        "/account/",
        "/account/sessions/",
        "/account/second-step/",
        "/t/members/",
        "/t/keys/",
        "/t/organization/",
        "/t/sign-on/",
    ],
)
def test_pages_of_people_are_read_in_chinese(cast: Cast, address: str) -> None:
    answer = signed_in(cast.alice, **{"Accept-Language": "zh-Hans"}).get(address)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert '<html lang="zh-hans"' in text.replace("zh-Hans", "zh-hans")
    assert "您" not in text
    assert re.search(r"<main.*[\u4e00-\u9fff]", text, re.DOTALL)
