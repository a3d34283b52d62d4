"""A tenant's prices: what it pays, what it was told, and what an announced change means for its own usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from billing.models import Charge, PriceNotice
from billing.price_agreements import agree_price_rule
from billing.pricing import publish_prices
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import PriceRule
from portal.figures import EN, day, moment
from tests.billing.announced import BEFORE, DAY, INPUT, LARGE, OUTPUT, announce, dearer, make_used
from tests.billing.pages.reading import rows_of, text_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return datetime.now(UTC)


def test_a_rise_stands_above_the_usage_with_what_it_would_have_cost(cast: Cast, client: Client) -> None:
    announced = announce(cast, now())
    client.force_login(cast.alice)
    page = text_of(client.get("/t/usage/"))
    on = day(announced.effective_at.date(), "MMMMd", EN)
    assert f"Price rise of 34% on {on}. Your last 30 days would have cost $340.00 more." in page
    assert text_of(client.get("/t/prices/")).count("+34.0%") == 3
    change = text_of(client.get(f"/t/prices/changes/{announced.notice.id}/"))
    assert "$1,340.00" in change
    assert "+$190.40" in change
    assert "nothing was booked" in change
    assert not Charge.objects.exists()


def test_that_somebody_opened_it_is_noted_once(cast: Cast, client: Client) -> None:
    notice = announce(cast, now()).notice
    for person in (cast.bob, cast.alice):
        client.force_login(person)
        client.head(f"/t/prices/changes/{notice.id}/")
        assert client.get(f"/t/prices/changes/{notice.id}/").status_code == 200
    notice.refresh_from_db()
    assert notice.seen_by == cast.bob.email


def test_a_fall_is_good_news_and_a_mixed_change_says_neither(cast: Cast, client: Client) -> None:
    at = now()
    world = make_used(cast, at)
    assert world.book is not None
    publish_prices(book=world.book, effective_at=at + 3 * DAY, prices=dearer(BEFORE, -10), now=at)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/usage/"))
    assert "Price drop of 10% on" in page
    assert "would have cost $100.00 less" in page
    mixed = {**BEFORE, INPUT: Decimal("0.14"), OUTPUT: Decimal("1.804")}
    publish_prices(book=world.book, effective_at=at + 2 * DAY, prices=mixed, now=at)
    page = text_of(client.get("/t/usage/"))
    assert "Prices change on" in page
    assert "would have cost $1.60 more" in page


def test_rises_of_different_size_are_said_by_the_biggest(cast: Cast, client: Client) -> None:
    at = now()
    world = make_used(cast, at)
    assert world.book is not None
    prices = {**BEFORE, INPUT: Decimal("0.294"), OUTPUT: Decimal("1.32")}
    publish_prices(book=world.book, effective_at=at + 3 * DAY, prices=prices, now=at)
    client.force_login(cast.alice)
    assert "Price rise of up to 20% on" in text_of(client.get("/t/usage/"))


def test_a_price_that_goes_is_named_as_what_it_is(cast: Cast, client: Client) -> None:
    at = now()
    world = make_used(cast, at)
    assert world.book is not None
    publish_prices(book=world.book, effective_at=at + 3 * DAY, prices={INPUT: BEFORE[INPUT]}, now=at)
    client.force_login(cast.alice)
    assert "Something that you used would no longer have a price." in text_of(client.get("/t/usage/"))


def test_a_contract_with_its_own_prices_keeps_them_and_says_so(cast: Cast, client: Client) -> None:
    at = now()
    world = make_used(cast, at)
    assert world.book is not None
    own = (
        PriceRow(model=LARGE, quantity="input", price_per_mtok=Decimal(1)),
        PriceRow(model=LARGE, quantity="output", price_per_mtok=Decimal(1)),
        PriceRow(model="NVIDIA H100 80GB HBM3", price_per_gpu_hour=Decimal(1)),
    )
    agree_price_rule(contract=world.contract, rule=PriceRule(overrides=own), from_at=world.contract.from_at, now=at)
    publish_prices(book=world.book, effective_at=at + 3 * DAY, prices=dearer(BEFORE), now=at)
    client.force_login(cast.alice)
    assert "Price rise" not in text_of(client.get("/t/usage/"))
    assert "prices of its own, or held back by its terms" in text_of(client.get("/t/prices/"))
    change = text_of(client.get(f"/t/prices/changes/{PriceNotice.objects.get().id}/"))
    assert "Your prices stay as they are" in change
    assert "None of the prices of this contract changes." in change


def test_the_file_has_the_price_now_and_the_next_one(cast: Cast, client: Client) -> None:
    announced = announce(cast, now())
    client.force_login(cast.alice)
    rows = {row["quantity"]: row for row in rows_of(client.get("/t/prices.csv"))}
    assert (rows["output"]["price"], rows["output"]["next_price"]) == ("1.1", "1.474")
    assert rows["output"]["changes_at_utc"] == announced.effective_at.isoformat()
    assert rows[""]["unit"] == "price_per_gpu_hour"


def test_every_announced_change_stands_in_the_table_and_the_file_in_order_of_its_date(
    cast: Cast, client: Client
) -> None:
    at = now()
    world = make_used(cast, at)
    assert world.book is not None
    later = {**dearer(BEFORE, 10), OUTPUT: Decimal("2.2")}
    publish_prices(book=world.book, effective_at=at + 40 * DAY, prices=later, now=at)
    publish_prices(book=world.book, effective_at=at + 3 * DAY, prices=dearer(BEFORE, 10), now=at)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/prices/"))
    zone = ZoneInfo(world.contract.time_zone)
    dates = [day((at + days * DAY).astimezone(zone).date(), "yMMMd", EN) for days in (3, 40)]
    assert f"From {dates[0]} Change From {dates[1]} Change" in page
    assert "$1.10 $1.21 +10.0% $2.20 +81.8%" in page
    assert "$0.28 $0.308 +10.0% the same –" in page
    rows = [row for row in rows_of(client.get("/t/prices.csv")) if row["quantity"] == "output"]
    assert [(row["price"], row["next_price"]) for row in rows] == [("1.1", "1.21"), ("1.1", "2.2")]
    assert [row["changes_at_utc"] for row in rows] == [(at + days * DAY).isoformat() for days in (3, 40)]


def test_two_changes_of_one_day_are_told_apart_by_their_time(cast: Cast, client: Client) -> None:
    at = now()
    world = make_used(cast, at)
    assert world.book is not None
    midnight = (at + 3 * DAY).astimezone(ZoneInfo(world.contract.time_zone)).replace(hour=0, minute=0, second=0)
    first = midnight.replace(microsecond=0)
    for hours, percent in ((6, 10), (18, 20)):
        prices = dearer(BEFORE, percent)
        publish_prices(book=world.book, effective_at=first + timedelta(hours=hours), prices=prices, now=at)
    client.force_login(cast.alice)
    page = text_of(client.get("/t/prices/"))
    zone = ZoneInfo(world.contract.time_zone)
    for hours in (6, 18):
        assert f"From {moment(first + timedelta(hours=hours), zone, locale=EN)}" in page


def test_a_tenant_without_contracts_is_told_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert "None of your contracts refers to a list of prices." in text_of(client.get("/t/prices/"))


def test_another_tenants_notice_is_not_there(cast: Cast, client: Client) -> None:
    notice = announce(cast, now()).notice
    client.force_login(cast.charlie)
    assert client.get(f"/t/prices/changes/{notice.id}/").status_code == 404
    assert "34" not in text_of(client.get("/t/prices/"))
    notice.refresh_from_db()
    assert notice.seen_at is None
