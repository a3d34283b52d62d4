"""The look's own pages: theme, language, signing in and out, keyboard help, errors."""

import logging

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.urls("tests.portal.gallery")
PASSWORD = "a long enough sample password"


@pytest.fixture
def alice(db: None) -> None:
    get_user_model()._default_manager.create_user(email="alice@example.com", password=PASSWORD)


def sign_in(client: Client, email: str, password: str, follow_to: str = "") -> str:
    answer = client.post(reverse("portal:sign-in"), {"username": email, "password": password, "next": follow_to})
    return answer.headers.get("Location", answer.content.decode())


def test_a_theme_is_kept_in_a_cookie_and_leads_back(client: Client) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/margin/?a=1"})
    assert answer.headers["Location"] == "/margin/?a=1"
    cookie = answer.cookies["theme"]
    assert cookie.value == "dark"
    assert cookie["samesite"] == "Lax"
    assert 'data-theme="dark"' in client.get("/margin/").content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_a_theme_never_leads_to_another_site(client: Client, elsewhere: str) -> None:
    assert client.post("/theme/", {"theme": "light", "next": elsewhere}).headers["Location"] == "/"


def test_an_unknown_theme_means_the_systems_own(client: Client) -> None:
    assert client.post("/theme/", {"theme": "<x>"}).cookies["theme"].value == ""


def test_a_theme_is_not_set_by_a_link(client: Client) -> None:
    assert client.get("/theme/?theme=dark").status_code == 405


def test_the_language_button_turns_the_page_chinese_and_back(client: Client, built_look: None) -> None:
    answer = client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/help/shortcuts/"}, follow=True)
    assert 'lang="zh-hans"' in answer.content.decode()
    assert "键盘快捷键" in answer.content.decode()
    assert "English</button>" in answer.content.decode()


def test_the_keyboard_help_is_a_page(client: Client) -> None:
    text = client.get("/help/shortcuts/").content.decode()
    assert "<kbd>?</kbd>" in text
    assert text.count("<h1>") == 1


def test_every_page_carries_the_strict_policy(client: Client) -> None:
    for address in ("/", "/sign-in/", "/nowhere/"):
        policy = client.get(address).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("address", ["/", "/occupancy/", "/margin/", "/invoice/", "/components/", "/sign-in/"])
def test_no_page_has_an_inline_script_style_or_handler(client: Client, address: str) -> None:
    text = client.get(address).content.decode()
    assert " style=" not in text
    assert "<style" not in text
    assert " onclick=" not in text
    assert all("src=" in tag for tag in text.split("<script")[1:])


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/damaged/", 400, "cannot be read"),
        ("/forbidden/", 403, "may not see"),
        ("/nowhere/", 404, "nothing at this address"),
        ("/broken/", 500, "failed on our side"),
    ],
)
def test_an_error_says_what_happened_and_where_to_go(
    client: Client, caplog: pytest.LogCaptureFixture, address: str, status: int, words: str
) -> None:
    client.raise_request_exception = False
    with caplog.at_level(logging.CRITICAL, "django"):
        answer = client.get(address)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert '<a class="btn pri" href="/">' in answer.content.decode()


def test_a_forged_form_is_told_that_it_is_too_old(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(enforce_csrf_checks=True)
    with caplog.at_level(logging.CRITICAL, "django"):
        answer = client.post("/theme/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "too old" in answer.content.decode()


def test_a_person_signs_in_with_an_e_mail_address_and_a_password(client: Client, alice: None) -> None:
    assert sign_in(client, "alice@example.com", PASSWORD, "/invoice/") == "/invoice/"
    assert client.get(reverse("portal:sign-in")).headers["Location"] == settings.LOGIN_REDIRECT_URL


def test_signing_in_never_leads_to_another_site(client: Client, alice: None) -> None:
    assert sign_in(client, "alice@example.com", PASSWORD, "https://evil.example/") == settings.LOGIN_REDIRECT_URL


def test_a_refusal_does_not_tell_who_has_an_account(client: Client, alice: None) -> None:
    wrong_password = sign_in(client, "alice@example.com", "wrong")
    nobody = sign_in(client, "nobody@example.com", "wrong")
    for answer in (wrong_password, nobody):
        assert "do not go together" in answer
    assert wrong_password.count('role="alert"') == nobody.count('role="alert"') == 1


def test_signing_out_takes_a_button_and_not_a_link(client: Client, alice: None) -> None:
    sign_in(client, "alice@example.com", PASSWORD)
    assert client.get(reverse("portal:sign-out")).status_code == 405
    assert client.post(reverse("portal:sign-out")).headers["Location"] == reverse("portal:sign-in")
    assert client.get(reverse("portal:sign-in")).status_code == 200
