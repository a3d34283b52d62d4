"""What the fixtures of the browser promise to the tests that use them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from tests.plugins.browser import close_tab

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, CDPSession, Route

pytestmark = pytest.mark.browser

MOVES = "<meta http-equiv='refresh' content='0; URL=/there'>"
SITE = "http://moving.test"


def answer(route: Route) -> None:
    """A page that leads to another one at once."""
    route.fulfill(body=MOVES if route.request.url == f"{SITE}/" else "arrived", content_type="text/html")


def test_a_tab_that_moves_is_closed(context: BrowserContext, closer: CDPSession) -> None:
    """Of such closes Chromium forgets most: one that is asked once hangs all tests after it."""
    for _ in range(3):
        page = context.new_page()
        page.route("**/*", answer)
        page.goto(f"{SITE}/")
        with suppress(Error):  # the page that was asked may be gone
            page.evaluate("'here'")
        close_tab(page, closer)
        assert page.is_closed()
    assert len(context.pages) == 1, "only the first tab is left"
