"""One's own account: choices, second steps, sessions, one's data, and leaving; nothing of anyone else's."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.test import Client

from tenants.models import AuditEntry, Membership, Role, User
from tenants.tasks import send_asked_letters
from tests.factories import EPOCH, PASSWORD
from tests.tenants.accounts.doors import ask_for_letter, code_of, confirmed, enter, link_in_letter, signed_in, with_app

if TYPE_CHECKING:
    from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

    from tests.factories import Cast

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


@pytest.fixture(autouse=True)
def mail_is_set_up(settings: Settings) -> None:
    settings.MAIL_READY = True
    settings.PUBLIC_URL = "https://forecourt.example"


def test_choices_are_kept_and_follow_a_person_into_another_browser(cast: Cast) -> None:
    client = signed_in(cast.alice)
    chosen = {"name": "Alice Ng", "language": "zh-hans", "time_zone": "Asia/Shanghai", "theme": "dark"}
    answer = client.post("/account/", chosen, follow=True)
    assert "已保存" in answer.content.decode()
    assert 'data-theme="dark"' in answer.content.decode()
    cast.alice.refresh_from_db()
    assert {name: getattr(cast.alice, name) for name in chosen} == chosen
    elsewhere = signed_in(cast.alice)
    page = elsewhere.get("/account/").content.decode()
    assert 'lang="zh-hans" data-theme="dark"' in page
    assert "CST" in page or "GMT+8" in page


def test_a_choice_is_taken_back(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.pk).update(language="zh-hans", theme="dark")
    client = signed_in(cast.alice)
    client.post("/account/", {"name": "Alice", "language": "", "time_zone": "", "theme": ""})
    assert client.cookies["theme"].value == client.cookies["django_language"].value == ""
    assert User.objects.get(pk=cast.alice.pk).theme == ""


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"language": "xx"}, {"time_zone": "Mars/Olympus"}, {"theme": "pink"}, {"name": "x" * 201}]
)
def test_a_choice_that_does_not_exist_is_refused(cast: Cast, wrong: dict[str, str]) -> None:
    client = signed_in(cast.alice)
    assert client.post("/account/", {"name": "Alice"} | wrong).status_code == 422
    assert User.objects.get(pk=cast.alice.pk).name == cast.alice.name


def test_the_account_names_the_organizations_and_the_way_to_each(cast: Cast) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.BILLING, created_at=EPOCH)
    page = signed_in(cast.alice).get("/account/").content.decode()
    assert 'action="/as/tenant/"' in page
    assert "Outsider" not in page


def test_a_password_is_changed_by_the_old_one_and_ends_other_sessions(cast: Cast) -> None:
    here, there = signed_in(cast.alice), signed_in(cast.alice)
    new = "another long sentence of mine"
    answer = here.post("/account/password/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert answer.status_code == 302
    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302
    assert enter(cast.alice, password=new).status_code == 302
    assert AuditEntry.objects.get(action="person.password_changed").organization_id == cast.tenant.pk
    assert "Your password was changed" in mail.outbox[0].subject


@pytest.mark.parametrize("weak", ["short", "passwordpassword1"[:8], "123456789012"])
def test_a_weak_password_is_refused(cast: Cast, weak: str) -> None:
    client = signed_in(cast.alice)
    answer = client.post("/account/password/", {"oldpassword": PASSWORD, "password1": weak, "password2": weak})
    assert answer.status_code == 200
    assert enter(cast.alice).status_code == 302


def test_who_forgot_the_password_chooses_a_new_one_by_a_letter(cast: Cast) -> None:
    stolen = signed_in(cast.alice)
    client = Client()
    ask_for_letter("ALICE@example.com", client)
    assert "https://forecourt.example/sign-in/forgotten/" in str(mail.outbox[0].body)
    used = link_in_letter("/sign-in/forgotten/")
    form = client.get(used, follow=True)
    address = form.redirect_chain[-1][0]
    new = "another long sentence of mine"
    assert client.post(address, {"password1": new, "password2": new}).status_code == 302
    assert stolen.get("/account/").status_code == 302
    assert enter(cast.alice, password=new).status_code == 302
    assert "too old" in client.get(used, follow=True).content.decode()
    assert AuditEntry.objects.filter(action="person.password_reset").exists()


def test_asking_for_a_letter_does_not_tell_who_has_an_account(cast: Cast) -> None:
    known, unknown = (ask_for_letter(email) for email in ("alice@example.com", "nobody@example.com"))
    assert known.redirect_chain == unknown.redirect_chain
    first, second = (
        re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", one.content.decode()) for one in (known, unknown)
    )
    assert first == second
    assert [letter.to for letter in mail.outbox] == [["alice@example.com"]]


def test_letters_are_not_sent_without_end(cast: Cast) -> None:
    answers = [Client().post("/sign-in/forgotten/", {"email": "alice@example.com"}).status_code for _ in range(11)]
    assert answers == [302] * 10 + [429]
    send_asked_letters()
    assert len(mail.outbox) == 10
    assert enter(cast.alice).status_code == 302


def test_an_address_is_changed_when_its_link_is_opened_and_not_before(cast: Cast) -> None:
    client = confirmed(cast.alice)
    client.post("/account/email/", {"email": "alice.ng@example.com", "action_add": "1"})
    assert User.objects.get(pk=cast.alice.pk).email == "alice@example.com"
    assert "alice.ng@example.com waits" in client.get("/account/email/").content.decode()
    link = link_in_letter("/sign-in/address/")
    assert "sign in as alice.ng@example.com" in client.get(link).content.decode()
    client.post(link)
    assert User.objects.get(pk=cast.alice.pk).email == "alice.ng@example.com"
    assert list(EmailAddress.objects.values_list("email", "verified")) == [("alice.ng@example.com", True)]
    told = mail.outbox[-1]
    assert (told.to, told.subject) == (["alice@example.com"], "Your e-mail address was changed")
    entry = AuditEntry.objects.get(action="person.email_changed")
    assert (entry.before, entry.after) == ({"email": "alice@example.com"}, {"email": "alice.ng@example.com"})


def test_somebody_elses_address_is_never_taken(cast: Cast) -> None:
    client = confirmed(cast.alice)
    client.post("/account/email/", {"email": "bob@example.com", "action_add": "1"})
    client.post(link_in_letter("/sign-in/address/"))
    assert sorted(User.objects.filter(email__startswith="bob").values_list("pk")) == [(cast.bob.pk,)]
    assert User.objects.get(pk=cast.alice.pk).email == "alice@example.com"


@pytest.mark.usefixtures("told_contexts")
def test_an_app_is_set_up_with_recovery_codes_and_removed(
    cast: Cast, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    client = confirmed(cast.alice)
    page = client.get("/account/second-step/app/")
    secret = page.context["form"].secret
    assert secret in page.content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post("/account/second-step/app/", {"code": code_of(secret)})
    assert answer.headers["Location"] == "/account/second-step/recovery-codes/"
    codes = client.get("/account/second-step/recovery-codes/").content.decode()
    assert codes.count("<li><code>") == 10
    text = client.get("/account/second-step/recovery-codes.txt").content.decode()
    assert len(text.split()) == 10
    assert client.post("/account/second-step/app/remove/").status_code == 302
    assert not Authenticator.objects.exists()
    assert [one.action for one in AuditEntry.objects.order_by("pk")] == [
        "person.authenticator_added",
        "person.authenticator_removed",
    ]


def test_the_code_that_sets_an_app_up_signs_nobody_in(cast: Cast) -> None:
    client = confirmed(cast.alice)
    client.get("/account/second-step/app/")
    code = code_of(client.session["mfa.totp.secret"])
    assert client.post("/account/second-step/app/", {"code": code}).status_code == 302
    other = Client()
    assert enter(cast.alice, other).headers["Location"] == "/sign-in/code/"
    assert other.post("/sign-in/code/", {"code": code}).status_code == 200
    assert other.get("/account/").status_code == 302


def test_a_wrong_first_code_sets_up_nothing(cast: Cast) -> None:
    client = confirmed(cast.alice)
    client.get("/account/second-step/app/")
    assert "not right" in client.post("/account/second-step/app/", {"code": "000000"}).content.decode()
    assert not Authenticator.objects.exists()


def test_a_session_found_open_cannot_change_who_signs_in(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    for address in ("second-step/app/", "second-step/passkeys/add/", "delete/"):
        asked = client.get(f"/account/{address}")
        assert asked.headers["Location"].startswith("/account/confirm/?next="), address
    confirmed = client.post("/account/confirm/", {"password": PASSWORD, "next": "/account/second-step/app/"})
    assert confirmed.headers["Location"] == "/account/second-step/app/"
    assert client.get("/account/second-step/app/").status_code == 200


def test_sessions_are_listed_and_ended_one_by_one_and_together(cast: Cast) -> None:
    here, there, third = (signed_in(cast.alice, user_agent=FIREFOX) for _ in range(3))
    others = signed_in(cast.bob)
    page = here.get("/account/sessions/").content.decode()
    assert page.count("Firefox on Linux <") == 3
    assert page.count("this one") == 1
    number = UserSession.objects.get(session_key=there.session.session_key).pk
    here.post("/account/sessions/", {"session": str(number)})
    assert [client.get("/account/").status_code for client in (here, there, third)] == [200, 302, 200]
    here.post("/account/sessions/", {"session": "others"})
    assert [client.get("/account/").status_code for client in (here, third, others)] == [200, 302, 200]
    own = UserSession.objects.get(session_key=here.session.session_key).pk
    assert here.post("/account/sessions/", {"session": str(own)}).headers["Location"] == "/sign-in/"


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "9" * 30])
def test_a_session_of_nobody_or_another_cannot_be_ended(cast: Cast, number: str) -> None:
    client, others = signed_in(cast.alice), signed_in(cast.bob)
    theirs = UserSession.objects.get(user=cast.bob).pk
    for wrong in (number, str(theirs)):
        assert client.post("/account/sessions/", {"session": wrong}).status_code == 404
    assert others.get("/account/").status_code == 200


def test_an_organization_that_asks_for_a_second_step_is_closed_until_there_is_one(cast: Cast) -> None:
    cast.tenant.second_step_required = True
    cast.tenant.save(update_fields=["second_step_required"])
    client = signed_in(cast.alice)
    led = client.get("/t/prices/", follow=True)
    assert led.redirect_chain == [("/account/second-step/", 302)]
    assert "Tenant asks its members for a second step." in led.content.decode()
    assert client.get("/t/usage/").status_code == client.get("/t/invoices/").status_code == 302
    with_app(cast.alice)
    assert client.get("/t/prices/").status_code == 200
    assert signed_in(cast.charlie).get("/t/prices/").status_code == 200


def test_ones_data_comes_as_a_file_without_secrets(cast: Cast) -> None:
    secret = with_app(cast.alice)
    client = Client()
    client.force_login(cast.alice)
    answer = client.get("/account/data.json")
    assert "attachment" in answer.headers["Content-Disposition"]
    data = json.loads(answer.content)
    assert data["person"]["email"] == "alice@example.com"
    assert data["second_steps"][0]["kind"] == "totp"
    assert [one["slug"] for one in data["organizations"]] == ["tenant"]
    for hidden in (secret, cast.alice.password, "bob@example.com", client.session.session_key):
        assert str(hidden) not in answer.content.decode()


def test_a_person_leaves_and_is_told_so(cast: Cast) -> None:
    client = confirmed(cast.bob)
    assert "law asks" in client.get("/account/delete/").content.decode()
    assert client.post("/account/delete/", {"email": "alice@example.com"}).status_code == 422
    gone = client.post("/account/delete/", {"email": "Bob@example.com"})
    assert "Your account is deleted" in gone.content.decode()
    assert "and a letter says so" in gone.content.decode()
    assert (mail.outbox[-1].to, mail.outbox[-1].subject) == (["bob@example.com"], "Your account was deleted")
    assert enter(cast.bob).status_code == 200
    assert client.get("/account/").status_code == 302


def test_the_last_owner_is_told_what_to_do_first(cast: Cast) -> None:
    client = confirmed(cast.alice)
    reason = "Without you nobody owns Tenant."
    assert reason in client.get("/account/delete/").content.decode()
    refused = client.post("/account/delete/", {"email": "alice@example.com"})
    assert (refused.status_code, refused.content.decode().count(reason)) == (422, 1)
    assert User.objects.get(pk=cast.alice.pk).is_active


@pytest.mark.parametrize(("host", "made"), [("localhost", True), ("127.0.0.1", False)])
def test_a_passkey_is_asked_for_only_where_a_browser_makes_one(cast: Cast, host: str, made: bool) -> None:
    page = confirmed(cast.alice).get("/account/second-step/passkeys/add/", headers={"host": host}).content.decode()
    assert ('data-passkey="make"' in page) == made
    assert ('href="http://localhost/account/second-step/passkeys/add/"' in page) != made
    door = Client().get("/sign-in/", headers={"host": host}).content.decode()
    assert ("Browsers use a passkey only at a name" in door) != made


def test_no_letter_is_promised_where_none_is_sent(cast: Cast, settings: Settings) -> None:
    settings.MAIL_READY = False
    gone = confirmed(cast.bob).post("/account/delete/", {"email": cast.bob.email}).content.decode()
    assert "Your account is deleted" in gone
    assert "You are signed out everywhere. What you did" in gone
