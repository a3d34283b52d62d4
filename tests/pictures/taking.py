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
EXACT: Final = 64
"""So many of them are the picture's most frequent ones."""
Colour = tuple[int, int, int]
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
    """A picture in few colours, since a clone carries every picture: none is far from its own, large areas keep theirs.

    The most frequent colours stay as they are. Of the others those are kept that lie farthest from all before: a legend
    is small, and would take the colour of something large.
    """
    drawn = Image.open(BytesIO(png)).convert("RGB")
    by_count = sorted(drawn.getcolors(drawn.width * drawn.height) or (), reverse=True)
    colours: list[Colour] = [colour for _count, colour in by_count]  # type: ignore[misc]  # of RGB
    kept = colours[:EXACT]
    near = {colour: min((_apart(colour, one), one) for one in kept) for colour in colours}
    while len(kept) < COLOURS and max(near.values())[0]:
        farthest = max(near, key=lambda colour: (near[colour][0], colour))
        kept.append(farthest)
        near = {colour: min(found, (_apart(colour, farthest), farthest)) for colour, found in near.items()}
    places = {colour: kept.index(found) for colour, (_apart_by, found) in near.items()}
    parts = drawn.tobytes()
    pixels = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    few = Image.frombytes("P", drawn.size, bytes(places[colour] for colour in pixels))
    few.putpalette([part for colour in kept for part in colour])
    out = BytesIO()
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def _apart(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
