"""Django's admin in the portal's colours, under the same strict policy."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.portal.admin_only")]


@pytest.fixture
def operator(transactional_db: None, page: Page, live_server: LiveServer) -> None:
    people = get_user_model()._default_manager
    person = people.create_superuser(email="operator@example.com", password="a long enough sample password")
    client = Client()
    client.force_login(person)
    page.context.add_cookies(
        [{"name": name, "value": cookie.value, "url": live_server.url} for name, cookie in client.cookies.items()]
    )


def test_the_sign_in_of_the_back_office_has_no_complaint(live_server: LiveServer, watched: Page, scheme: str) -> None:
    watched.goto(f"{live_server.url}/admin/login/")
    expect(watched.get_by_role("link", name="Forecourt operations")).to_be_visible()


def test_the_back_office_has_no_complaint_and_wears_our_colours(
    live_server: LiveServer, operator: None, watched: Page, scheme: str
) -> None:
    watched.goto(f"{live_server.url}/admin/")
    expect(watched.get_by_role("link", name="Forecourt operations")).to_be_visible()
    canvas = watched.evaluate("getComputedStyle(document.body).backgroundColor")
    assert canvas == {"light": "rgb(244, 245, 247)", "dark": "rgb(11, 15, 21)"}[scheme]
    face = watched.evaluate("getComputedStyle(document.body).fontFamily")
    assert "Portal Sans" in face
