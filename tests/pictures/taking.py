"""Pictures of the main pages of a running demo, light and dark, as small as a page of documentation bears."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, ViewportSize

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
SIZE: Final[ViewportSize] = {"width": 1280, "height": 860}
COLOURS: Final = 256
PEOPLE: Final[dict[str, tuple[str, ...]]] = {
    "provider@sample.example": (
        "overview=/p/",
        "fleet=/p/fleet/",
        "occupancy=/p/occupancy/",
        "margin=/p/margin/",
        "prices=/p/prices/",
        "drafts=/p/drafts/",
    ),
    "chat@sample.example": (
        "usage=/t/usage/",
        "usage-day=/t/usage/ .chart a[href]",
        "budgets=/t/budgets/",
        "invoice=/t/invoices/ td a[href*='/t/invoices/']",
    ),
    "research@sample.example": ("leases=/t/leases/", "account=/t/statement/"),
}
"""Who is signed in, and the pages: a name, an address, and the link on it that leads to the page, if it is not that."""


def take_all(address: str, password: str) -> Iterator[Path]:
    """Take every picture from the demo at `address`; yields each file as it is written."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for email, pages in PEOPLE.items():
            for scheme in SCHEMES:
                yield from _take_of(browser, address, (email, password), pages, scheme)
        browser.close()


def _take_of(
    browser: Browser, address: str, login: tuple[str, str], pages: tuple[str, ...], scheme: Scheme
) -> Iterator[Path]:
    context = browser.new_context(
        viewport=SIZE, color_scheme=scheme, locale="en-GB", timezone_id="UTC", reduced_motion="reduce"
    )
    page = context.new_page()
    sign_in(page, address, *login)
    for one in pages:
        name, _, way = one.partition("=")
        path, _, link = way.partition(" ")
        page.goto(address + path)
        if link:
            page.goto(address + str(page.locator(link).first.get_attribute("href")))
        page.wait_for_load_state("networkidle")
        written = FOLDER / f"{name}-{scheme}.png"
        written.write_bytes(reduced(page.screenshot()))
        yield written
    context.close()


def sign_in(page: Page, address: str, email: str, password: str) -> None:
    """Go in by the door that everybody takes."""
    page.goto(f"{address}/sign-in/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def reduced(png: bytes) -> bytes:
    """A picture in few colours, none of them far from its own: a clone carries every picture, and a legend is small."""
    drawn = (
        Image.open(BytesIO(png))
        .convert("RGB")
        .quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    out = BytesIO()
    drawn.save(out, "PNG", optimize=True)
    return out.getvalue()
