"""The desk of the journeys: a browser in which a person finds the way by what can be read on the pages alone.

Nothing here types an address after the first page, and nothing looks at markup: links, buttons, labels and words.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.core import mail
from django.test import Client
from playwright.sync_api import Download, Page, expect

from tests.factories import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator
    from pytest_django.live_server_helper import LiveServer

WAIT_MS = 20_000
"""How long a page is waited for: the first one of a process makes everything ready, beside other tests."""


class Desk:
    """One browser, at which people take turns."""

    def __init__(self, page: Page, server: LiveServer) -> None:
        page.set_default_timeout(WAIT_MS)
        self.page, self.url = page, server.url

    @property
    def main(self) -> Locator:
        return self.page.locator("main")

    def sit_down(self, email: str) -> None:
        """Be signed in, and look at the first page. How one signs in is a journey of its own."""
        client = Client()
        assert client.login(email=email, password=PASSWORD)
        self.page.context.clear_cookies()
        self.page.context.add_cookies(
            [{"name": name, "value": one.value, "url": self.url} for name, one in client.cookies.items()]
        )
        self.page.goto(f"{self.url}/")

    def stand_up(self) -> None:
        """Be signed in nowhere, at the door."""
        self.page.context.clear_cookies()
        self.page.goto(f"{self.url}/")

    def open_letter(self, to: str) -> str:
        """Open the one link in the last letter to somebody, as a person who is signed in nowhere; its subject."""
        letter = [one for one in mail.outbox if one.to == [to]][-1]
        (link,) = re.findall(rf"{re.escape(self.url)}\S+", str(letter.body))
        self.page.context.clear_cookies()
        self.page.goto(link)
        return str(letter.subject)

    def go(self, item: str) -> None:
        """Take an item of the menu."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=item, exact=True).click()

    def own_account(self) -> None:
        """Open the menu with the own name, and take the account."""
        self.page.get_by_text("Your account", exact=True).first.locator("..").click()
        self.page.get_by_role("link", name="Your account", exact=True).click()

    def sign_out(self) -> None:
        """Open the menu with the own name, and leave; the browser keeps what it knows of the way in."""
        self.page.get_by_text("Your account", exact=True).first.locator("..").click()
        self.page.get_by_role("button", name="Sign out", exact=True).click()

    def follow(self, name: str, *, within: str = "") -> None:
        """Follow a link of the page; `within` is the heading of the card that it is in."""
        self._in(within).get_by_role("link", name=name, exact=True).first.click()

    def press(self, name: str, *, within: str = "") -> None:
        self._in(within).get_by_role("button", name=name, exact=True).first.click()

    def form(self, heading: str = "") -> Filling:
        """Begin to fill in the form in the card of a heading, or of the page."""
        return Filling(self._in(heading))

    def unfold(self, text: str) -> None:
        self.main.get_by_text(text, exact=True).first.click()

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.main).to_contain_text(text)

    def is_at(self, heading: str) -> None:
        expect(self.main.get_by_role("heading", level=1)).to_contain_text(heading)

    def is_told(self, text: str) -> None:
        expect(self.page.get_by_role("status").first).to_contain_text(text)

    def reads(self, pattern: str) -> str:
        """What stands on the page where a pattern has its group."""
        found = re.search(pattern, self.main.inner_text())
        assert found, (pattern, self.main.inner_text())
        return found.group(1)

    @contextmanager
    def saving(self) -> Iterator[list[str]]:
        """The lines of the file that a click gives; they are there when the block is over."""
        lines: list[str] = []
        with self.page.expect_download() as given:
            yield lines
        download: Download = given.value
        lines += download.path().read_text().splitlines()

    def _in(self, heading: str) -> Locator:
        return self.page.get_by_role("region", name=heading, exact=True) if heading else self.main


class Filling:
    """A form that is filled in, label by label."""

    def __init__(self, form: Locator) -> None:
        self.form = form

    def text(self, label: str, value: str) -> Filling:
        self.form.get_by_label(label, exact=True).first.fill(value)
        return self

    def choice(self, label: str, words: str) -> Filling:
        """Take the first choice that has these words, once the page's script hears of it: some apply at once."""
        box = self.form.get_by_label(label, exact=True).first
        box.wait_for()
        box.page.wait_for_load_state("domcontentloaded")
        box.select_option(box.locator("option").filter(has_text=words).first.get_attribute("value"))
        return self

    def month(self, words: str) -> Filling:
        """Choose a month as a person does: where it is too long ago to be offered, by the oldest that is."""
        box = self.form.get_by_label("Month", exact=True).first
        box.wait_for()
        while not box.locator("option").filter(has_text=words).count():
            oldest = box.locator("option").last.get_attribute("value")
            with box.page.expect_navigation():
                box.select_option(oldest)
        return self.choice("Month", words)

    def tick(self, label: str) -> Filling:
        self.form.get_by_label(label).first.check()
        return self
