"""What a visit of each page brings over the wire: Chromium's own count, on a demo that is up.

    python bench/wire.py ADDRESS PASSWORD [--language zh-hans]

Every page that the side bar leads to, and the first page of each kind that a list leads to, for the provider, a tenant
and the operator, and the documentation with every section of the API, at 1280 px. `first` is a visit with an empty
cache: page, styles, scripts, fonts and heads of answers; `later` one that has them. Bytes, not KiB.
Ends with 1 where a first visit brings more than 100,000.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import report
from tests.chromium import chromium
from tests.pictures.taking import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FIRST_BYTES_MAX = 100_000
WINDOW: Any = {"width": 1280, "height": 860}
AREAS = {
    "provider@sample.example": "/p/",
    "chat@sample.example": "/t/usage/",
    "research@sample.example": "/t/usage/",
    "demo@sample.example": "/o/reconciliation/",
}
OPEN = ("/docs/", "/api/docs")
"""What everyone may read, in the side bar of nobody: weighed once, for the first of the people."""
FOUND = "all => all.map(one => one.getAttribute('href')).filter(one => one && one.startsWith('/'))"


def main() -> int:
    """Walk, weigh and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("password")
    parser.add_argument("--language", default="en")
    parser.add_argument("--only", default="", help="one of the people, by the beginning of the address")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    weighed: dict[str, dict[str, int]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for email, start in AREAS.items():
            if not email.startswith(arguments.only):
                continue
            weighed |= _of_person(browser, arguments, email, start)
        browser.close()
    above = {path: one for path, one in weighed.items() if one["first"] > FIRST_BYTES_MAX}
    firsts = [one["first"] for one in weighed.values()]
    report({"pages": weighed, "least": min(firsts), "most": max(firsts), "count": len(firsts), "above": above})
    return 1 if above else 0


def _of_person(browser: Browser, arguments: Any, email: str, start: str) -> dict[str, dict[str, int]]:
    context = browser.new_context(viewport=WINDOW, timezone_id="UTC", reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, arguments.address, email, arguments.password)
    context.add_cookies([{"name": "django_language", "value": arguments.language, "url": arguments.address}])
    page.goto(arguments.address + ("/" if start.startswith("/o/") else start))
    operating = page.locator("aside .menu-list form button", has_text="Operator")
    if start.startswith("/o/") and operating.count():
        with page.expect_navigation():
            operating.first.evaluate("button => button.form.submit()")
        page.goto(arguments.address + start)
    everyones = OPEN if email == next(iter(AREAS)) else ()
    paths = [start, *everyones, *_links(page, "aside a[href]")]
    for listed in list(paths):
        page.goto(arguments.address + listed)
        paths += _one_of_each(_links(page, "main a[href]"), paths)
    found = {f"{email.partition('@')[0]} {path}": _weigh(context, arguments.address + path) for path in paths}
    context.close()
    return found


def _links(page: Page, where: str) -> list[str]:
    """Addresses without their queries, each once; no files."""
    hrefs = [href.partition("?")[0].partition("#")[0] for href in page.locator(where).evaluate_all(FOUND)]
    return [href for href in dict.fromkeys(hrefs) if "." not in href]


def _one_of_each(hrefs: list[str], known: list[str]) -> list[str]:
    """The first address of each kind that is not known: of the same list with another name is the same kind."""
    kinds = {_kind(path) for path in known}
    found: dict[str, str] = {}
    for href in hrefs:
        if _kind(href) not in kinds:
            found.setdefault(_kind(href), href)
    return list(found.values())


def _kind(path: str) -> str:
    return "/".join("*" if any(sign.isdigit() for sign in part) else part for part in path.split("/"))


def _weigh(signed_in: BrowserContext, address: str) -> dict[str, int]:
    """Visit twice in a context of its own, which has the cookies and nothing cached."""
    assert signed_in.browser is not None
    context = signed_in.browser.new_context(viewport=WINDOW, storage_state=signed_in.storage_state())
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    brought: list[int] = []
    network.on("Network.loadingFinished", lambda told: brought.append(int(told["encodedDataLength"])))
    sums = []
    for _visit in range(2):
        brought.clear()
        page.goto(address, wait_until="networkidle")
        sums.append(sum(brought))
    context.close()
    return {"first": sums[0], "later": sums[1]}


if __name__ == "__main__":
    sys.exit(main())
