"""Fixtures that open real pages in Chromium and fail the test on anything the browser complains about.

Import of this module allows Django's database calls beside an event loop, because Playwright's synchronous interface
runs one in the same thread.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Error, Page, Request, Response
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from pytest_django.live_server_helper import LiveServer

from tests.chromium import chromium
from tests.plugins.easy_targets import INSTALL as INSTALL_TARGETS
from tests.plugins.known_contrast import INSTALL, RUN

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# One process draws all pages: a window, a tab and a site each have one of their own otherwise, and one in reserve.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--renderer-process-limit=1", "--disable-site-isolation-trials"),
    # No script lives long enough to pay for being optimized, nor leaves enough behind to be worth an early clean-up.
    "--js-flags=--no-opt,--no-maglev,--initial-heap-size=512,--min-semi-space-size=32",
]
FAULTS = {"resultTypes": ["violations"], "reporter": "no-passes", "selectors": False}
WCAG = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    **FAULTS,
}
AXE: Final[str] = Axe().axe_script
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, **FAULTS}
READABLE: Final[dict[str, None]] = {}
"""Kinds of text that were found readable in this process, see `tests.plugins.known_contrast`."""
CLOSES = 20
CLOSE_WAIT_MS = 1_000
"""How often a tab is closed until it is, and how long each time is waited for it."""
PHONE = {"width": 320, "height": 700}
DESKTOP = {"width": 1440, "height": 900}
SCHEMES = ("light", "dark")

TELL_POLICY: Final = (
    "addEventListener('securitypolicyviolation', event => "
    "console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))"
)

AxeCheck = Callable[[Page], list[tuple[str, str]]]
PhoneCheck = Callable[[Page], list[str]]


def pytest_configure(config: pytest.Config) -> None:
    """Brings `base_url` in after pytest-playwright's own, so that ours is the one that counts."""
    config.pluginmanager.import_plugin("tests.plugins.base_url")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium with the flags that a container needs."""
    return {**browser_type_launch_args, "executable_path": chromium(), "args": FLAGS}


@pytest.fixture(scope="session")
def browser(browser: Browser) -> Iterator[Browser]:
    """The session's browser. Beside its event loop tests of the database have a connection that ends with it."""
    yield browser
    connection.close()


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """One reader for all tests: a British desktop in UTC without animations."""
    return {
        **browser_context_args,
        "viewport": DESKTOP,
        "locale": "en-GB",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }


@pytest.fixture(scope="session")
def window(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[BrowserContext]:
    """One window for all tests: to open one takes Chromium twice the work of a tab.

    Its first tab, which keeps it open, is the one of `still`: Chromium lays its pages out and never draws them, as each
    of its frames would have to be asked for. Drawing is a quarter of what it does for a page that is looked at.
    """
    session = browser.new_browser_cdp_session()
    before = session.send("Target.getBrowserContexts")["browserContextIds"]
    opened = browser.new_context(**browser_context_args)
    (number,) = set(session.send("Target.getBrowserContexts")["browserContextIds"]) - set(before)
    with opened.expect_page() as first:
        session.send(
            "Target.createTarget", {"url": "about:blank", "browserContextId": number, "enableBeginFrameControl": True}
        )
    session.detach()
    first.value.add_init_script(TELL_POLICY)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def closer(browser: Browser) -> Iterator[CDPSession]:
    """By this the tabs are closed, see `close_tab`."""
    session = browser.new_browser_cdp_session()
    yield session
    session.detach()


@pytest.fixture
def context(window: BrowserContext, closer: CDPSession) -> Iterator[BrowserContext]:
    """In place of pytest-playwright's, a window each: the one window, without what an earlier test left there.

    The portal keeps nothing at its readers' but cookies.
    """
    yield window
    for page in window.pages[1:]:
        close_tab(page, closer)
    window.clear_cookies()


def close_tab(page: Page, closer: CDPSession) -> None:
    """Close a tab, also one that is on its way to another page, as where a test ends with a click.

    Chromium says yes to a close that meets the commit of a navigation, and forgets it (crbug.com/536385539). Playwright
    asks once and waits without end; here it is asked again.

    Raises:
        RuntimeError: if the tab is still open after it was asked `CLOSES` times.
    """
    target = page.context.new_cdp_session(page).send("Target.getTargetInfo")["targetInfo"]["targetId"]
    for _ in range(CLOSES):
        with suppress(PlaywrightTimeoutError), page.expect_event("close", timeout=CLOSE_WAIT_MS):
            closer.send("Target.closeTarget", {"targetId": target})
        if page.is_closed():
            return
    raise RuntimeError(f"a tab at {page.url} stays open though it was closed {CLOSES} times")


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    """A tab that fails the test on anything that the browser complains about, see `_watching`."""
    page.add_init_script(TELL_POLICY)
    with _watching(page):
        yield page


@pytest.fixture
def still(context: BrowserContext) -> Iterator[Page]:
    """A watched tab that is never drawn, the same one for all tests that only open pages and look at them.

    Nothing on it waits for a frame: texts are read, scripts run, sizes and colours change as elsewhere. But a click
    would wait for ever, since Playwright asks two frames whether its target stands still.
    """
    page = context.pages[0]
    with _watching(page):
        yield page
        page.goto("about:blank")
        page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
        page.emulate_media(color_scheme="light")


@contextmanager
def _watching(page: Page) -> Iterator[None]:
    """Fail on a console error, a script error, a failed request or a policy report while the block runs.

    A refusal (400 to 499) counts as failed unless it is the page itself: those pages are pages too.
    """
    complaints: list[str] = []

    def read_error(error: Error) -> None:
        complaints.append(f"script: {error}")

    def read_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left while it was still loading
            complaints.append(f"request: {request.url} {request.failure}")

    def read_console(message: ConsoleMessage) -> None:
        status_only = message.text.startswith("Failed to load resource")  # told apart below, by its request
        if message.type == "error" and not status_only:
            complaints.append(f"console: {message.text}")

    def read_answer(response: Response) -> None:
        expected = response.status < 500 and response.request.is_navigation_request()
        if response.status >= 400 and not expected:
            complaints.append(f"answer: {response.status} {response.url}")

    page.on("pageerror", read_error)
    page.on("console", read_console)
    page.on("response", read_answer)
    page.on("requestfailed", read_failure)
    yield
    page.remove_listener("pageerror", read_error)
    page.remove_listener("console", read_console)
    page.remove_listener("response", read_answer)
    page.remove_listener("requestfailed", read_failure)
    assert not complaints, complaints


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest, page: Page) -> Literal["light", "dark"]:
    """The test once in light and once in dark, as the reader's system prefers."""
    chosen: Literal["light", "dark"] = request.param
    page.emulate_media(color_scheme=chosen)
    return chosen


@pytest.fixture(scope="session")
def axe() -> AxeCheck:
    """``axe(page)``: the WCAG 2.2 AA violations of a page as pairs of rule and first offending markup."""

    def run(page: Page) -> list[tuple[str, str]]:
        return _violations(page, WCAG)

    return run


@pytest.fixture(scope="session")
def looked_at() -> AxeCheck:
    """``looked_at(page)``: what is wrong with an open page on a desktop and a phone, in light and in dark.

    All its tables are opened. The page is loaded once: its colours follow the reader's system at once, and of the rules
    only that of contrast can be broken by them. It is left on a phone in light or on a desktop in dark: to bring it
    back to where it was would be to lay it out twice more, so the next page is looked at from there.
    """

    def on_a_phone(page: Page) -> list[tuple[str, str]]:
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        found = [("wider than a phone", html) for html in _outside(page)]
        return found + [("on a phone: " + rule, html) for rule, html in _violations(page, WCAG)]

    def in_dark(page: Page) -> list[tuple[str, str]]:
        page.emulate_media(color_scheme="dark")
        return [("dark: " + rule, html) for rule, html in _violations(page, CONTRAST)]

    def run(page: Page) -> list[tuple[str, str]]:
        page.evaluate("document.querySelectorAll('main details.tbl').forEach(each => { each.open = true })")
        if page.viewport_size != DESKTOP:
            found = on_a_phone(page)
            page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
            return found + _violations(page, WCAG) + in_dark(page)
        found = in_dark(page)
        page.emulate_media(color_scheme="light")
        return found + _violations(page, WCAG) + on_a_phone(page)

    return run


def _violations(page: Page, options: Mapping[str, object]) -> list[tuple[str, str]]:
    """What axe finds; a document is given axe once, and gives back no more than what is wrong with it."""
    found = page.evaluate(RUN, options)
    if found is None:
        if not page.evaluate("'axe' in window"):
            page.add_init_script(AXE)  # for what is opened after this
            page.evaluate(AXE)
        page.evaluate(f"readable => {{ ({INSTALL})(readable); ({INSTALL_TARGETS})(); }}", list(READABLE))
        found = page.evaluate(RUN, options)
    READABLE.update(dict.fromkeys(found["readable"]))
    return [(rule["id"], node["html"]) for rule in found["violations"] for node in rule["nodes"]]


@pytest.fixture
def fits_phone() -> PhoneCheck:
    """``fits_phone(page)``: what sticks out sideways at 320 pixels, nothing if the page fits.

    Call it before or after ``goto``; it sets the size itself.
    """

    def run(page: Page) -> list[str]:
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        return _outside(page)

    return run


def _outside(page: Page) -> list[str]:
    outside: list[str] = page.evaluate(
        """() => {
            if (document.documentElement.scrollWidth <= innerWidth) return [];
            const found = [...document.querySelectorAll('body *')]
                .filter(node => node.getBoundingClientRect().right > innerWidth + 1 && !node.closest('.scroll'))
                .map(node => node.outerHTML.slice(0, 120));
            return found.length ? found : ["something wider than the page"];
        }"""
    )
    return outside


@pytest.fixture(scope="session")
def pageless_server() -> Iterator[LiveServer]:
    """A live server for pages that need no database; a query in such a page fails the test."""
    server = LiveServer("localhost")
    yield server
    server.stop()
