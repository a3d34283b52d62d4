from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.charging import charge_period, ensure_periods
from billing.models import GpuPrice, PriceBook, PriceVersion, TokenPrice, UnitPrice
from billing.price_versions import load_versions
from billing.pricing import PriceTooLate, VersionExists, WrongPrices, publish_price_version, publish_prices
from billing.rating.book import TokenClass
from billing.rating.price_lists import FACTOR, PriceKey, prices_of
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from metering.models import UsageCut
from tests.billing.world import H100, HOUR, MARCH, MODEL, World, make_world
from tests.factories import Cast, make_organization, make_price_book
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
OUTPUT = PriceKey(PriceUnit.PER_MTOK, MODEL, "output")


def publish(
    book: PriceBook | None,
    effective_at: datetime,
    tokens: Mapping[tuple[str, str], str] | None = None,
    gpus: Mapping[str, str] | None = None,
    *,
    now: datetime = MARCH,
    tiers: Mapping[tuple[str, str, int], str] | None = None,
) -> PriceVersion:
    assert book is not None
    return publish_price_version(
        book=book,
        effective_at=effective_at,
        token_prices={key: Decimal(price) for key, price in (tokens or {}).items()},
        gpu_prices={key: Decimal(price) for key, price in (gpus or {}).items()},
        now=now,
        tier_prices={key: Decimal(price) for key, price in (tiers or {}).items()},
    )


@kept
def book(cast: Cast) -> PriceBook:
    return make_price_book(cast.provider)


@kept
def world() -> World:
    return used({(MODEL, "input"): "1", (MODEL, "output"): "2"})


def test_versions_are_numbered_and_load_as_rating_needs_them(book: PriceBook) -> None:
    first = publish(book, MARCH, {(MODEL, "input"): "0.28"}, {H100: "2.35"})
    second = publish(book, NOON, {(MODEL, "input"): "0.3752"})
    assert (first.number, second.number) == (1, 2)
    [old, new] = load_versions(book_ids=[book.id], from_at=MARCH, to_at=NOON + HOUR)[book.id]
    assert old.price_per_mtok(MODEL, TokenClass.INPUT) == Decimal("0.28")
    assert old.price_per_gpu_hour(H100) == Decimal("2.35")
    assert (new.version_id, new.price_per_gpu_hour(H100)) == (str(second.id), None)
    assert len(load_versions(book_ids=[book.id], from_at=MARCH, to_at=NOON)[book.id]) == 1
    [later] = load_versions(book_ids=[book.id], from_at=NOON, to_at=NOON)[book.id]
    assert later.version_id == str(second.id)
    assert load_versions(book_ids=[book.id], from_at=MARCH - HOUR, to_at=MARCH) == {}


def test_a_change_inside_an_hour_cuts_the_usage_of_every_deployment_on_the_book() -> None:
    world = make_world(tokens={(MODEL, "input"): "1"})
    shared, other = world.share(), make_world(tokens={(MODEL, "input"): "1"}).share()
    publish(world.book, NOON + timedelta(minutes=20), {(MODEL, "input"): "2"})
    publish(world.book, NOON + 2 * HOUR, {(MODEL, "input"): "3"})
    assert list(UsageCut.objects.values_list("deployment", "at")) == [
        (shared.deployment.id, NOON + timedelta(minutes=20))
    ]
    assert not other.deployment.cuts.exists()


@pytest.mark.parametrize("price", ["-0.01", "0.0000000000001", "NaN"])
def test_a_price_is_not_negative_and_not_too_fine(cast: Cast, price: str) -> None:
    with pytest.raises(WrongPrices):
        publish(make_price_book(cast.provider), MARCH, {(MODEL, "input"): price})


def test_an_unknown_class_and_a_second_version_at_one_instant_are_refused(book: PriceBook) -> None:
    with pytest.raises(WrongPrices, match="requests"):
        publish(book, MARCH, {(MODEL, "requests"): "1"})
    publish(book, MARCH)
    with pytest.raises(VersionExists, match="has a version from 2026-03-01T00:00:00") as taken:
        publish(book, MARCH)
    said = {"field": "effective_at", "example": "2026-03-01T00:01:00+00:00"}
    assert said.items() <= taken.value.extra.items()
    publish(book, MARCH + timedelta(minutes=1))
    with pytest.raises(VersionExists) as taken:
        publish(book, MARCH)
    assert taken.value.extra["example"] == "2026-03-01T00:02:00+00:00"


def test_prices_of_long_requests_are_stored_and_load_beside_the_others(book: PriceBook) -> None:
    publish(book, MARCH, {(MODEL, "input"): "3", (MODEL, "output"): "15"}, tiers={(MODEL, "input", 200_000): "6"})
    [version] = load_versions(book_ids=[book.id], from_at=MARCH, to_at=NOON)[book.id]
    prices = [version.price_per_mtok(MODEL, TokenClass.INPUT, over) for over in (0, 128_000, 200_000, 512_000)]
    assert prices == [Decimal(3), Decimal(3), Decimal(6), Decimal(6)]
    assert version.price_per_mtok(MODEL, TokenClass.OUTPUT, 512_000) == Decimal(15)


@pytest.mark.parametrize(
    ("tier", "price", "said"),
    [
        ((MODEL, "input", 150_000), "6", "not told apart at 150000 input tokens, only at 32000, 128000, 200000"),
        ((MODEL, "input", 0), "6", "not told apart at 0"),
        ((MODEL, "output", 200_000), "6", "output has a price above 200000 input tokens, and none for shorter"),
        ((MODEL, "requests", 200_000), "6", "'requests' has no price per_mtok"),
        ((MODEL, "input", 200_000), "-6", "at least 0"),
        ((MODEL, "input", 200_000), "0.0000000000001", "at most 12 decimals"),
    ],
)
def test_a_tier_that_cannot_be_rated_is_refused(
    tier: tuple[str, str, int], price: str, said: str, book: PriceBook
) -> None:
    with pytest.raises(WrongPrices, match=said):
        publish(book, MARCH, {(MODEL, "input"): "3"}, tiers={tier: price})
    assert not PriceVersion.objects.filter(book=book).exists()


def test_a_tier_over_counted_requests_of_its_length_comes_too_late() -> None:
    prices = {(MODEL, "input"): "1", (MODEL, "output"): "2"}
    world = make_world(tokens=prices)
    shared = world.share()
    shared.use({"input": 100}, at=NOON)
    shared.use({"input": 300_000}, at=NOON, context_over=272_000)
    with pytest.raises(PriceTooLate, match="above 272000 input tokens"):
        publish(world.book, NOON, prices, now=NOON, tiers={(MODEL, "input", 200_000): "6"})
    publish(world.book, NOON, prices, now=NOON, tiers={(MODEL, "input", 512_000): "6"})


def used(tokens: Mapping[tuple[str, str], str]) -> World:
    """A world with usage of input, cached input and output in the hour from noon."""
    world = make_world(tokens=tokens)
    world.share().use({"input": 100, "cached_input": 40, "output": 10}, at=NOON)
    return world


def test_the_price_of_counted_usage_cannot_change_after_the_fact(world: World) -> None:
    with pytest.raises(PriceTooLate, match=r"input of sample-model is counted after .* at 1\.0* per 1M"):
        publish(world.book, NOON, {(MODEL, "input"): "1.01", (MODEL, "output"): "2"}, now=NOON)
    with pytest.raises(PriceTooLate, match="output of sample-model"):
        publish(world.book, NOON, {(MODEL, "input"): "1"}, now=NOON)
    prices = {(MODEL, "input"): "1", (MODEL, "output"): "2", (MODEL, "cached_input"): "0.5"}
    with pytest.raises(PriceTooLate, match="cached_input"):
        publish(world.book, NOON, prices, now=NOON)
    publish(world.book, NOON + HOUR, {(MODEL, "input"): "5"}, now=NOON)


def test_an_hour_that_is_counted_across_the_instant_cannot_be_divided_later(world: World) -> None:
    at = NOON + timedelta(minutes=30)
    with pytest.raises(PriceTooLate):
        publish(world.book, at, {(MODEL, "input"): "3", (MODEL, "output"): "2"}, now=NOON + HOUR)
    publish(world.book, at, {(MODEL, "input"): "3", (MODEL, "output"): "2"}, now=NOON)


def test_what_had_no_price_can_be_given_one_after_the_fact() -> None:
    world = used({(MODEL, "output"): "2"})
    publish(world.book, NOON, {(MODEL, "input"): "1", (MODEL, "output"): "2"}, now=NOON + HOUR)


def test_a_gap_before_a_later_version_can_be_filled() -> None:
    world = make_world()
    shared = world.share()
    publish(world.book, NOON + HOUR, {(MODEL, "input"): "5"})
    shared.use({"input": 100}, at=NOON)
    shared.use({"input": 100}, at=NOON + HOUR)
    publish(world.book, NOON, {(MODEL, "input"): "1"}, now=NOON + 2 * HOUR)
    with pytest.raises(PriceTooLate):
        publish(world.book, NOON + HOUR / 2, {(MODEL, "input"): "2"}, now=NOON + 2 * HOUR)


def test_the_rate_of_charged_card_time_cannot_change_after_the_fact() -> None:
    world = make_world(gpus={H100: "2"})
    world.lease(1, price=None)
    ensure_periods(contract=world.contract, now=MARCH)
    publish(world.book, NOON + HOUR, gpus={H100: "4"})
    charge_period(period_id=world.period().id, up_to=NOON, now=NOON)
    with pytest.raises(PriceTooLate, match=H100):
        publish(world.book, NOON - HOUR, gpus={H100: "3"}, now=NOON)
    publish(world.book, NOON - HOUR, gpus={H100: "2"}, now=NOON)
    publish(world.book, NOON, gpus={H100: "3"}, now=NOON)


TABLES = ("billing_priceversion", "billing_tokenprice", "billing_gpuprice", "billing_unitprice")
STORAGE = PriceKey(PriceUnit.PER_GB_MONTH, "nvme")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET id = id"])
def test_a_published_version_cannot_change(cast: Cast, table: str, statement: str) -> None:
    prices = {STORAGE: Decimal(1), PriceKey(PriceUnit.PER_GPU_HOUR, H100): Decimal(2), OUTPUT: Decimal(3)}
    publish_prices(book=make_price_book(cast.provider), effective_at=MARCH, prices=prices, now=MARCH)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.django_db(transaction=True)
def test_a_published_version_takes_no_price_more() -> None:
    book = make_price_book(make_organization("seller", is_provider=True))
    version = publish(book, MARCH, {(MODEL, "input"): "1"})
    rows = (
        TokenPrice(version=version, model=MODEL, token_class="output", price_per_mtok=1),
        GpuPrice(version=version, accelerator_model=H100, price_per_gpu_hour=1),
        UnitPrice(version=version, unit="per_image", model=MODEL, quantity="images", price_per_unit=1),
    )
    for row in rows:
        with pytest.raises(DatabaseError, match="a price more is refused"):
            row.save()
        with pytest.raises(DatabaseError, match="a price more is refused"), transaction.atomic(), transaction.atomic():
            row.save()
    assert publish(book, NOON, {(MODEL, "input"): "2"}, {H100: "3"}).number == 2


def test_every_kind_of_price_is_published_and_loads(book: PriceBook) -> None:
    counted = {
        PriceKey(row.price_unit, MODEL, row.name): Decimal("0.5")
        for row in QUANTITIES.values()
        if "token" not in row.unit
    }
    factors = {PriceKey(FACTOR, "", "batch"): Decimal("0.5"), PriceKey(FACTOR, MODEL, "priority"): Decimal("1.75")}
    prices = {OUTPUT: Decimal("1.1"), STORAGE: Decimal("0.07"), **counted, **factors}
    publish_prices(book=book, effective_at=MARCH, prices=prices, now=MARCH)
    [version] = load_versions(book_ids=[book.id], from_at=MARCH, to_at=NOON)[book.id]
    assert prices_of(version) == prices
    assert version.announced_at == MARCH


def test_what_cannot_be_published_is_said_with_field_reason_and_example(cast: Cast) -> None:
    wrong = {PriceKey(PriceUnit.PER_IMAGE, MODEL, "output"): Decimal(1)}
    with pytest.raises(WrongPrices) as caught:
        publish_prices(book=make_price_book(cast.provider), effective_at=MARCH, prices=wrong, now=MARCH)
    assert caught.value.extra["field"] == "prices"
    assert "it is the price of: images" in str(caught.value.extra["reason"])
    assert caught.value.extra["example"]
