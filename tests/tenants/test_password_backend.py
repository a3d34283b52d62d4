"""Every page that asks for a password is behind the limit, and says in words how long to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory

from tenants.models import SignInAttempt, User
from tenants.password_backend import address_of
from tenants.sign_in import PAIR_FAILURES_MAX
from tests.factories import PASSWORD
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast


def enter(
    client: Client, place: str, password: str, *, email: str = "root@example.com", address: str = "192.0.2.1"
) -> Any:
    """Fill in the form at `place`."""
    return client.post(place, {"login": email, "password": password}, REMOTE_ADDR=address)


@kept
def root() -> User:
    return User.objects.create_superuser("root@example.com", PASSWORD, name="Root")


def test_after_ten_failures_even_the_right_password_waits(client: Client, root: User) -> None:
    for _ in range(PAIR_FAILURES_MAX):
        assert enter(client, "/sign-in/", "wrong").status_code == 200
    refused = enter(client, "/sign-in/", PASSWORD)
    assert refused.status_code == 429
    assert 890 <= int(refused.headers["Retry-After"]) <= 900
    text = refused.content.decode()
    assert "Wait 15 minutes, then try again." in text
    assert 'href="/sign-in/"' in text
    assert "_auth_user_id" not in client.session


def test_the_back_office_is_entered_by_the_same_door(client: Client, root: User) -> None:
    asked = client.get("/admin/", follow=True)
    assert asked.redirect_chain[-1][0] == "/sign-in/?next=%2Fadmin%2F"
    entered = client.post("/sign-in/", {"login": "root@example.com", "password": PASSWORD, "next": "/admin/"})
    assert entered.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/login/").headers["Location"] == "/admin/"


def test_who_is_signed_in_and_not_of_the_operators_staff_is_refused_there(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    assert client.get("/admin/", follow=True).status_code == 403


def test_somewhere_else_the_person_gets_in(client: Client, root: User) -> None:
    for _ in range(PAIR_FAILURES_MAX):
        enter(client, "/sign-in/", "wrong")
    assert enter(client, "/sign-in/", PASSWORD, address="192.0.2.2").status_code == 302


def test_success_starts_the_count_anew(client: Client, root: User) -> None:
    for _ in range(2):
        for _ in range(PAIR_FAILURES_MAX - 1):
            enter(client, "/sign-in/", "wrong")
        assert enter(client, "/sign-in/", PASSWORD).status_code == 302
        client.logout()
    assert not SignInAttempt.objects.exists()


def test_an_unknown_person_is_limited_alike(client: Client, root: User) -> None:
    answers = [enter(client, "/sign-in/", "wrong", email="nobody@example.com").status_code for _ in range(11)]
    assert answers == [200] * PAIR_FAILURES_MAX + [429]


def test_the_refusal_is_said_in_chinese_too(client: Client, root: User) -> None:
    client.cookies["django_language"] = "zh-hans"
    for _ in range(PAIR_FAILURES_MAX):
        enter(client, "/sign-in/", "wrong")
    assert "请等待 15 分钟后重试" in enter(client, "/sign-in/", "wrong").content.decode()


def test_code_without_a_request_is_not_limited(cast: Cast) -> None:
    assert authenticate(username="alice@example.com", password=PASSWORD) == cast.alice
    assert authenticate(email="alice@example.com", password=PASSWORD) == cast.alice
    assert authenticate(username="alice@example.com", password="wrong") is None
    assert authenticate(RequestFactory().post("/"), username="alice@example.com") is None
    assert not SignInAttempt.objects.exists()


def test_who_is_switched_off_stays_out_and_counts(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    request = RequestFactory().post("/")
    assert authenticate(request, username="alice@example.com", password=PASSWORD) is None
    assert SignInAttempt.objects.count() == 1


@pytest.mark.parametrize(
    ("secure", "forwarded", "address"),
    [
        (False, "203.0.113.9", "192.0.2.1"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "198.51.100.66, 203.0.113.9", "203.0.113.9"),
        (True, "", "192.0.2.1"),
        (True, None, "192.0.2.1"),
    ],
)
def test_only_a_proxy_says_where_a_request_comes_from(
    settings: Settings, secure: bool, forwarded: str | None, address: str
) -> None:
    settings.SECURE_SSL_REDIRECT = secure
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert address_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR="192.0.2.1")) == address
