"""Signing in by password and second step: who gets in, what the refusals say, and that guesses are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.test import Client

from tenants.models import SignInAttempt
from tenants.sign_in import PAIR_FAILURES_MAX
from tests.factories import PASSWORD
from tests.tenants.accounts.doors import code_of, enter, signed_in, with_app

if TYPE_CHECKING:
    from tests.factories import Cast


def test_a_person_signs_in_with_an_e_mail_address_in_any_case_and_a_password(cast: Cast) -> None:
    client = Client()
    answer = client.post("/sign-in/", {"login": " Alice@Example.com ", "password": PASSWORD, "next": "/t/prices/"})
    assert answer.headers["Location"] == "/t/prices/"
    assert client.get("/sign-in/").headers["Location"] == "/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(cast: Cast, elsewhere: str) -> None:
    assert enter(cast.alice, next=elsewhere).headers["Location"] == "/"


def test_a_refusal_does_not_tell_who_has_an_account(cast: Cast) -> None:
    client = Client()
    wrong = enter(cast.alice, client, "wrong").content.decode()
    nobody = client.post("/sign-in/", {"login": "nobody@example.com", "password": "wrong"}).content.decode()
    for answer in (wrong, nobody):
        assert "do not go together" in answer
        assert answer.count('role="alert"') == 1


def test_signing_out_takes_a_button_and_not_a_link(cast: Cast) -> None:
    client = signed_in(cast.alice)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/account/").status_code == 302


def test_nobody_signs_up(client: Client, db: None) -> None:
    for answer in (client.get("/sign-in/invitation/"), client.post("/sign-in/invitation/", {"email": "a@example.com"})):
        assert "By invitation" in answer.content.decode()


def test_who_has_an_app_is_asked_for_its_code_before_anything_opens(cast: Cast) -> None:
    secret = with_app(cast.alice)
    client = Client()
    assert enter(cast.alice, client, next="/t/prices/").headers["Location"] == "/sign-in/code/"
    assert client.get("/t/usage/").status_code == 302
    assert "not right" in client.post("/sign-in/code/", {"code": "000000"}).content.decode()
    assert client.post("/sign-in/code/", {"code": code_of(secret)}).headers["Location"] == "/t/prices/"
    assert client.get("/account/").status_code == 200


@pytest.mark.parametrize("steps", [-1, 1])
def test_a_clock_may_go_wrong_by_a_step(cast: Cast, steps: int) -> None:
    secret = with_app(cast.alice)
    client = Client()
    enter(cast.alice, client)
    assert client.post("/sign-in/code/", {"code": code_of(secret, steps)}).status_code == 302


def test_a_code_works_once(cast: Cast) -> None:
    code = code_of(with_app(cast.alice))
    first, second = Client(), Client()
    for client in (first, second):
        enter(cast.alice, client)
    assert first.post("/sign-in/code/", {"code": code}).status_code == 302
    assert second.post("/sign-in/code/", {"code": code}).status_code == 200
    assert second.get("/account/").status_code == 302


def test_a_recovery_code_stands_in_and_works_once(cast: Cast) -> None:
    with_app(cast.alice)
    code = RecoveryCodes.activate(cast.alice).generate_codes()[0]
    first, second = Client(), Client()
    for client in (first, second):
        enter(cast.alice, client)
    assert first.post("/sign-in/code/", {"code": code}).status_code == 302
    assert second.post("/sign-in/code/", {"code": code}).status_code == 200


def test_guesses_of_codes_are_counted_by_person_for_every_process(cast: Cast) -> None:
    secret = with_app(cast.alice)
    client = Client()
    for number in range(PAIR_FAILURES_MAX):
        enter(cast.alice, client)
        assert client.post("/sign-in/code/", {"code": f"{number:06}"}).status_code == 200
    refused = client.post("/sign-in/code/", {"code": code_of(secret)})
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_a_right_code_takes_its_count_back(cast: Cast) -> None:
    secret = with_app(cast.alice)
    client = Client()
    enter(cast.alice, client)
    client.post("/sign-in/code/", {"code": "123456"})
    client.post("/sign-in/code/", {"code": code_of(secret)})
    assert not SignInAttempt.objects.exists()


def test_guesses_of_the_current_password_are_counted_too(cast: Cast) -> None:
    client = signed_in(cast.alice)
    form = {"oldpassword": "wrong", "password1": "another long sentence", "password2": "another long sentence"}
    for _ in range(PAIR_FAILURES_MAX):
        assert "not your current password" in client.post("/account/password/", form).content.decode()
    assert client.post("/account/password/", form | {"oldpassword": PASSWORD}).status_code == 429


def test_a_key_of_an_app_is_sealed_where_it_is_stored(cast: Cast) -> None:
    secret = with_app(cast.alice)
    assert secret not in str(Authenticator.objects.get().data)


def test_no_passkey_is_asked_of_who_has_none(cast: Cast) -> None:
    with_app(cast.alice)
    door = enter(cast.alice).client.get("/sign-in/code/").content.decode()
    assert "Type the code that your authenticator app shows" in door
    assert "data-passkey" not in door
