from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.agreeing import add_adjustment, add_token_price
from billing.bases import Grain, read_bases, read_basis
from billing.basis import rate
from billing.cuts import ensure_cuts
from billing.models import Contract, TermDeployment
from billing.pricing import publish_price_version
from billing.rating.discount import DiscountWording
from billing.rating.rated import TermKind
from billing.rating.share_wording import TokenShareWording
from billing.rating.token_price_wording import TokenPriceWording
from billing.term_versions import TermChange, add_version
from billing.usage_spans import Span, Window, billed_usage, usage_records, usage_spans
from metering.models import UsageHour, Witness
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}


def make_used(zone: str = "Asia/Kolkata") -> World:
    """Usage on both sides of a day's and of a price's edge, and a lease."""
    world = make_world(tokens=PRICES, gpus={H100: "2"}, time_zone=zone)
    world.lease(2, from_at=NOON, price=None)
    shared = world.share()
    assert world.book is not None
    publish_price_version(
        book=world.book,
        effective_at=NOON + HOUR / 2,
        token_prices={(MODEL, "input"): Decimal(1), (MODEL, "output"): Decimal(2)},
        gpu_prices={H100: Decimal(3)},
        now=MARCH,
    )
    shared.use({"input": 10, "output": 1}, at=NOON, to_at=NOON + HOUR / 2)
    shared.use({"input": 20, "output": 2}, at=NOON + HOUR / 2)
    for hour in range(4, 10):
        shared.use({"input": 100 + hour, "output": hour}, at=NOON + hour * HOUR)
    return world


world = kept(make_used)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_hours_and_days_rate_to_the_same_lines(zone: str) -> None:
    world = make_used(zone)
    hourly = read_basis(Window(world.contract, MARCH, APRIL), grain=Grain.HOUR)
    daily = read_basis(Window(world.contract, MARCH, APRIL))
    assert len(daily.terms[-1].usage) < len(hourly.terms[-1].usage)
    assert rate(hourly) == rate(daily)


def test_usage_of_long_requests_is_read_apart_by_hours_and_by_days() -> None:
    world = make_world(tokens=PRICES, tiers={(MODEL, "input", 200_000): "0.56"})
    shared = world.share()
    for hour in range(3):
        shared.use({"input": 100, "output": 1}, at=NOON + hour * HOUR)
        shared.use({"input": 600_000, "output": 1}, at=NOON + hour * HOUR, context_over=512_000)
        shared.use({"input": -7}, at=NOON + hour * HOUR, context_over=512_000, version=1_000_000)
    hourly = read_basis(Window(world.contract, MARCH, APRIL), grain=Grain.HOUR)
    daily = read_basis(Window(world.contract, MARCH, APRIL))
    assert rate(hourly) == rate(daily)
    found = {(line.token_class, line.context_over): line.quantity for line in rate(daily).lines}
    assert found == {
        ("input", 0): 300,
        ("output", 0): 3,
        ("input", 200_000): 3 * 599_993,
        ("output", 200_000): 3,
    }


def test_rating_the_parts_of_a_window_gives_the_whole(world: World) -> None:
    whole = rate(read_basis(Window(world.contract, MARCH, APRIL))).exact_total
    for edge in (NOON + HOUR / 2, NOON + 6 * HOUR, MARCH + timedelta(days=20)):
        parts = [
            rate(read_basis(Window(world.contract, from_at, to_at))).exact_total
            for from_at, to_at in ((MARCH, edge), (edge, APRIL))
        ]
        assert sum(parts) == whole


def test_only_versions_in_force_within_the_window_are_read(world: World) -> None:

    def versions(from_at: datetime, to_at: datetime) -> list[datetime]:
        basis = read_basis(Window(world.contract, from_at, to_at))
        return [version.effective_at for version in basis.versions]

    assert versions(MARCH, APRIL) == [MARCH, NOON + HOUR / 2]
    assert versions(MARCH, NOON) == [MARCH]
    assert versions(NOON + HOUR / 2, APRIL) == [NOON + HOUR / 2]
    assert versions(APRIL, APRIL + HOUR) == [NOON + HOUR / 2]


def test_each_contract_is_read_over_its_own_window_and_with_its_own_prices() -> None:
    first, second = make_used(), make_used()
    bases = read_bases(
        [Window(first.contract, MARCH, NOON + HOUR / 2), Window(second.contract, NOON + HOUR / 2, APRIL)]
    )
    early, late = bases
    assert sum(used.count for _, used in early.tokens()) == 11
    assert sum(used.count for _, used in late.tokens()) == 22 + sum(100 + 2 * hour for hour in range(4, 10))
    assert (len(early.versions), len(late.versions)) == (1, 1)


def test_a_share_counts_within_its_own_span_only(world: World) -> None:
    term = world.contract.terms.get(kind=TermKind.TOKEN_SHARE)
    TermDeployment.objects.filter(term=term).update(from_at=NOON + HOUR / 2, to_at=NOON + 5 * HOUR)
    basis = read_basis(Window(world.contract, MARCH, APRIL))
    assert sum(used.count for _, used in basis.tokens()) == 22 + 108


def test_a_change_of_wording_divides_usage_to_the_instant(world: World) -> None:
    term = world.contract.terms.get(kind=TermKind.TOKEN_SHARE)
    halved = TokenShareWording(share_percent=Decimal(15), witness="gateway")
    at = NOON + HOUR / 2
    add_version(contract=world.contract, changes=[TermChange(term, [(at, halved)], {})], effective_at=at, now=MARCH)
    basis = read_basis(Window(world.contract, MARCH, APRIL))
    [share] = basis.of_kind(TermKind.TOKEN_SHARE)
    assert [(stretch.from_at, stretch.to_at) for stretch in share.stretches] == [(MARCH, at), (at, APRIL)]
    assert rate(basis) == rate(read_basis(Window(world.contract, MARCH, APRIL), grain=Grain.HOUR))
    lines = [line for line in rate(basis).lines if line.term_ref == term.ref]
    assert {(line.share_percent, line.contract_version) for line in lines} == {
        (Decimal(30), term.wordings.earliest("pk").contract_version),
        (Decimal(15), world.contract.version),
    }
    assert sum(line.quantity for line in lines if line.share_percent == 30) == 11


def test_a_percentage_off_divides_usage_to_the_instant() -> None:
    """A tenth off what was used before half past four, a half off what comes after: by hours and by days alike."""
    world, at = make_world(tokens=PRICES, gpus={H100: "2"}, time_zone="Asia/Kolkata"), NOON + HOUR / 2 + 4 * HOUR
    contract, now = world.contract, MARCH
    shared = world.share()
    shared.term.deployments.all().delete()
    priced = add_token_price(
        contract=contract,
        deployments=[shared.deployment],
        wording=TokenPriceWording(witness="gateway"),
        from_at=MARCH,
        to_at=None,
        now=now,
    )
    off = {percent: DiscountWording(percent=Decimal(percent), terms=(priced.ref,)) for percent in (10, 50)}
    term = add_adjustment(contract=contract, wording=off[10], from_at=MARCH, to_at=None, now=now, title="Off")
    add_version(contract=contract, changes=[TermChange(term, [(at, off[50])], {})], effective_at=at, now=now)
    ensure_cuts(contract=contract)
    assert list(shared.deployment.cuts.values_list("at", flat=True)) == [at]
    shared.use({"output": 10_000_000}, at=NOON)
    shared.use({"output": 5_000_000}, at=NOON + 4 * HOUR, to_at=at)
    shared.use({"output": 1_000_000}, at=at)
    daily = read_basis(Window(contract, MARCH, APRIL))
    hourly = read_basis(Window(contract, MARCH, APRIL), grain=Grain.HOUR)
    assert rate(daily) == rate(hourly)
    lines = rate(daily).lines
    assert [line.exact for line in lines if line.term_ref == term.ref] == [-Fraction(165, 100), -Fraction(55, 100)]
    assert sum(line.quantity for line in lines if line.term_ref == priced.ref) == 16_000_000


def test_two_windows_of_one_contract_are_read_together(world: World) -> None:
    edge = NOON + 6 * HOUR
    windows = [Window(world.contract, MARCH, edge), Window(world.contract, edge, APRIL)]
    assert read_bases(windows) == [read_basis(window) for window in windows]


def test_an_event_is_one_record_though_it_has_many_classes() -> None:
    world = make_world(tokens=PRICES)
    gateway, engine = world.share(), world.share(witness=Witness.ENGINE)
    gateway.use({"input": 5, "output": 6}, at=NOON, records=7)
    engine.use({"input": 5, "output": 6}, at=NOON, records=360)
    found = usage_spans([Window(world.contract, MARCH, APRIL)])

    def spans(shared: Shared) -> list[Span]:
        return [span for span in found if span.term_id == shared.term.id]

    assert usage_records(billed_usage(spans(gateway))) == 7
    assert usage_records(billed_usage(spans(engine))) == 720
    assert usage_records(UsageHour.objects.none()) == 0


def test_any_number_of_contracts_takes_the_same_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(4):
        make_used()
    windows = [Window(contract, MARCH, APRIL) for contract in Contract.objects.all()]
    with django_assert_max_num_queries(10):
        assert len(read_bases(windows)) == 4
