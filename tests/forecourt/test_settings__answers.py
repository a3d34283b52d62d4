"""What every answer says to browsers, where an answer may lead, and what is never written to a log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError, connection
from django.test import Client

from clusters.models import Node
from tenants.models import ApiKey, Organization
from tests.factories import PASSWORD, make_organization
from tests.filled import api_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_django import Settings

    from tests.factories import Cast

PAGES = ("/sign-in/", "/t/invoices/", "/t/usage/", "/account/", "/nowhere/", "/api/v1/invoices", "/admin/login/")
YEAR_S = 31_536_000


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_answer_tells_browsers_what_they_may_not_do(cast: Cast, path: str) -> None:
    client = Client()
    client.force_login(cast.alice)
    check_headers(client.get(path).headers)


@pytest.mark.django_db
def test_the_page_that_says_that_the_database_is_away_tells_them_too(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)

    def away(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("the connection is gone")

    client.raise_request_exception = False
    with connection.execute_wrapper(away):
        answer = client.get("/t/usage/")
    assert answer.status_code == 503
    check_headers(answer.headers)


def check_headers(headers: Mapping[str, str]) -> None:
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_in_public_plain_http_leads_to_https_and_https_is_remembered(settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = YEAR_S
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    plain = Client().get(path)
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://testserver{path}")
    assert "Strict-Transport-Security" not in plain.headers
    said = Client().get(path, secure=True).headers["Strict-Transport-Security"]
    assert said.startswith(f"max-age={YEAR_S}; includeSubDomains")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "https:evil.example"],
)
def test_signing_in_leads_nowhere_else(cast: Cast, elsewhere: str) -> None:
    answer = Client().post(
        "/sign-in/",
        {"login": cast.alice.email, "password": PASSWORD, "next": elsewhere},
        query_params={"next": elsewhere},
    )
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"


@pytest.mark.django_db
def test_signing_in_leads_to_where_one_was(cast: Cast) -> None:
    answer = Client().post("/sign-in/", {"login": cast.alice.email, "password": PASSWORD, "next": "/t/prices/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/t/prices/")


@pytest.mark.django_db
@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_switching_language_or_organization_leads_nowhere_else(cast: Cast, elsewhere: str) -> None:
    client = Client()
    client.force_login(cast.alice)
    answer = client.post("/as/tenant/", {"next": elsewhere, "back": elsewhere})
    assert answer.status_code == 302
    assert "evil.example" not in answer.headers["Location"]


@pytest.mark.django_db
def test_a_log_holds_neither_keys_nor_passwords_nor_what_was_sent(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = api_key(cast.tenant)
    wrong = "fk_" + "w" * 43
    hidden = "a-long-wrong-password-of-alice"
    for token in (secret, wrong):
        client = Client(headers={"Authorization": f"Bearer {token}"})
        client.get("/api/v1/invoices")
        client.get("/api/v1/invoices/nothing-here")
        client.post("/api/v1/events", data='{"broken', content_type="application/json")
        client.post("/api/v1/events", data=[{"prompt": "what-was-asked"}], content_type="application/json")
    for password in (hidden, PASSWORD):
        Client().post("/sign-in/", {"login": cast.alice.email, "password": password})
    assert "/api/v1/invoices" in caplog.text, "the log is looked at"
    for value in (secret, wrong, hidden, PASSWORD, "what-was-asked"):
        assert value not in caplog.text
    assert ApiKey.objects.filter(organization=cast.tenant).exists()


@pytest.mark.django_db(transaction=True)
def test_a_web_process_that_asks_for_nobody_gets_nothing(settings: Settings) -> None:
    make_organization("somebody")
    settings.READS_FOR_SOMEBODY = True
    assert not Organization.objects.exists()
    assert not Node.objects.exists()
    assert Organization.objects.filter(slug="somebody").update(name="Changed") == 0
    settings.READS_FOR_SOMEBODY = False
    assert Organization.objects.get(slug="somebody").name == "Somebody"
