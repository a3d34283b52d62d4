"""One browser at which people take turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.test import Client
from playwright.sync_api import Page, expect

from tests.factories import PASSWORD

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer


class Desk:
    """One browser, at which people take turns."""

    def __init__(self, page: Page, server: LiveServer) -> None:
        self.page, self.url = page, server.url

    def sit_down(self, email: str) -> None:
        """Sign in, and look at the first page."""
        client = Client()
        assert client.login(email=email, password=PASSWORD)
        self.page.context.clear_cookies()
        self.page.context.add_cookies(
            [{"name": name, "value": one.value, "url": self.url} for name, one in client.cookies.items()]
        )
        self.page.goto(f"{self.url}/")

    def go(self, item: str) -> None:
        """Take an item of the menu."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=item, exact=True).click()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label).fill(text)

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.locator("main")).to_contain_text(text)
