"""The look's own pages: theme, language, keyboard help, errors."""

import logging

import pytest
from django.test import Client

pytestmark = pytest.mark.urls("tests.portal.gallery")


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


def test_the_language_button_turns_the_page_chinese_and_back(client: Client) -> None:
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
