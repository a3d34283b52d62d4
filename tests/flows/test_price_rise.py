"""A price rise of 34 %: written, tried out and announced by a provider, read and lived through by its tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from billing.books import check_books
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.models import BillingPeriod, Charge, Invoice, PriceNotice, PriceVersion
from billing.tasks import tell_price_changes
from metering.models import UsageHour
from metering.rollup_events import roll_up_events
from tests.billing.world import MODEL, World, make_world
from tests.factories import PASSWORD, make_cast
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast
    from tests.plugins.browser import AxeCheck, PhoneCheck

pytestmark = pytest.mark.browser

DAY = timedelta(days=1)
LIST_PRICE = "0.60"


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this one walk."""


@pytest.fixture
def sound(axe: AxeCheck, fits_phone: PhoneCheck) -> Callable[[Page], None]:
    """Holds a page to be accessible in light and dark, and to fit a phone; it is left light on a desktop."""

    def check(page: Page) -> None:
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert axe(page) == [], (page.url, scheme)
        assert fits_phone(page) == [], page.url
        page.set_viewport_size({"width": 1440, "height": 900})

    return check


def sign_in(page: Page, server: LiveServer, email: str) -> None:
    client = Client()
    assert client.login(email=email, password=PASSWORD)
    page.context.clear_cookies()
    page.context.add_cookies(
        [{"name": name, "value": one.value, "url": server.url} for name, one in client.cookies.items()]
    )


def month_of_use(cast: Cast, now: datetime) -> World:
    """Ten days of 100 million tokens at 0.60 per 1M, as a gateway reported them: 60.00 a day."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    start = hour - 60 * DAY
    world = make_world(tokens={(MODEL, "input"): LIST_PRICE}, from_at=start, parties=(cast.provider, cast.tenant))
    world.share(percent="100", rolled_to_at=now + 90 * DAY, now=start)
    for days in range(2, 12):
        report(world, f"day-{days}", 100_000_000, hour - days * DAY, now)
    return world


def report(world: World, name: str, tokens: int, at: datetime, now: datetime) -> None:
    """Report a request and roll it up."""
    send(world.tenant, event(name, model=MODEL, occurred_at=at.isoformat(), input=tokens, output=0), now=now)
    while roll_up_events(now=now):
        continue


def announce(page: Page, server: LiveServer, effective_at: datetime, sound: Callable[[Page], None]) -> None:
    """The provider's part, page by page."""
    page.goto(f"{server.url}/p/prices/")
    sound(page)
    page.get_by_role("button", name="New version").click()
    sound(page)
    page.get_by_label("In force from, UTC").fill(f"{effective_at:%Y-%m-%dT%H:%M:%S}")
    page.get_by_label("Change all prices by, %").fill("34")
    page.get_by_role("button", name="Save, and see what it means").click()
    expect(page.locator("#contracts")).to_contain_text("+$204.00")
    expect(page.locator("#prices")).to_contain_text("$0.804")
    sound(page)
    page.get_by_role("button", name="Announce these prices").click()
    expect(page.get_by_role("status")).to_contain_text("Published. 1 contract is told")
    expect(page.locator("#told")).to_contain_text("not yet")
    sound(page)


def test_a_rise_is_announced_tried_out_and_lived_through(
    db: None, lasting_server: LiveServer, watched: Page, sound: Callable[[Page], None]
) -> None:
    """1. petra announces it; 2. alice reads what it means for her; 3. the instant passes; 4. alice's invoice.

    The instant lies inside an hour (G25): a million tokens around it are split there, each part at its own price.
    """
    page, cast, now = watched, make_cast(), datetime.now(UTC)
    world = month_of_use(cast, now)
    effective_at = (now + 12 * DAY).replace(hour=9, minute=56, second=40, microsecond=0)

    sign_in(page, lasting_server, cast.petra.email)
    announce(page, lasting_server, effective_at, sound)

    sign_in(page, lasting_server, cast.alice.email)
    page.goto(f"{lasting_server.url}/t/usage/")
    said = f"Price rise of 34% on {effective_at:%-d %B}. Your last 30 days would have cost $204.00 more."
    expect(page.locator(".notice").filter(has_text="Price rise")).to_contain_text(said)
    page.get_by_role("link", name="See the change").click()
    expect(page.locator("h1")).to_contain_text("Price rise of 34%")
    expect(page.locator(".kpis")).to_contain_text("$804.00")
    sound(page)
    page.goto(f"{lasting_server.url}/t/prices/")
    sound(page)
    assert PriceNotice.objects.get().seen_by == cast.alice.email
    tell_price_changes()

    live_through(world, effective_at)

    invoice = close(world, effective_at)
    page.goto(f"{lasting_server.url}/t/invoices/{invoice.number}/")
    expect(page.locator("main")).to_contain_text(f"${invoice.total:,.2f}")
    expect(page.locator("main")).to_contain_text("v1, v2")
    expect(page.locator("main")).to_contain_text("$0.60,$0.804 / 1M")
    sound(page)


def live_through(world: World, effective_at: datetime) -> None:
    """Two requests around the instant, as a gateway reports them: counted, cut there and charged exactly."""
    later = effective_at + timedelta(hours=2)
    for name, seconds, tokens in (("before", -100, 666_667), ("after", 100, 333_333)):
        report(world, name, tokens, effective_at + timedelta(seconds=seconds), later)
    parts = UsageHour.objects.filter(from_at__gte=effective_at - DAY, quantity="input").order_by("from_at")
    assert [(hour.value, hour.to_at - hour.from_at) for hour in parts] == [
        (666_667, timedelta(minutes=56, seconds=40)),
        (333_333, timedelta(minutes=3, seconds=20)),
    ]
    ensure_periods(contract=world.contract, now=later)
    period = BillingPeriod.objects.get(contract=world.contract, from_at__lte=effective_at, to_at__gt=effective_at)
    charge_period(period_id=period.id, up_to=later, now=later)
    around = Charge.objects.filter(period=period, day=effective_at.date()).order_by("from_at")
    assert [(charge.price_version.number, charge.amount) for charge in around if charge.price_version] == [
        (1, Decimal("0.4000002")),
        (2, Decimal("0.267999732")),
    ]
    assert sum(charge.amount for charge in around) == Decimal("0.667999932")
    assert {version.number for version in PriceVersion.objects.all()} == {1, 2}


def close(world: World, effective_at: datetime) -> Invoice:
    """Close the periods up to that of the instant, and return its invoice."""
    through = BillingPeriod.objects.filter(contract=world.contract, from_at__lte=effective_at).order_by("from_at")
    closed = [close_period(period_id=period.id, now=period.to_at + 3 * DAY) for period in through]
    assert closed[-1].invoice is not None
    assert [check.wrong for check in check_books() if not check.holds] == []
    return closed[-1].invoice
