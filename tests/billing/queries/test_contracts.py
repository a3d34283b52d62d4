from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.pricing import publish_price_version
from billing.queries import contract_rows, price_rows
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from tests.billing.world import APRIL, H100, MARCH, MODEL, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "input"): "1"})


def test_both_parties_read_one_contract_with_its_terms_and_open_period(world: World) -> None:
    lease = world.lease(3, from_at=NOON)
    shared = world.share()
    ensure_periods(contract=world.contract, now=NOON)
    [row] = contract_rows(world.tenant)
    assert contract_rows(world.provider) == (row,)
    assert (row.number, row.provider, row.tenant) == (world.contract.number, world.provider.name, world.tenant.name)
    assert [(term.ref, term.kind, term.slices) for term in row.terms] == [
        (lease.ref, "lease", 3),
        (shared.term.ref, "token_share", 0),
    ]
    assert [stretch.wording for term in row.terms for stretch in term.stretches] == [
        LeaseWording(accelerator_model=H100, price_per_gpu_hour=Decimal("2.35")),
        TokenShareWording(share_percent=Decimal(30), witness="gateway"),
    ]
    assert [(period.from_at, period.to_at, period.rated_at) for period in row.open_periods] == [(MARCH, APRIL, None)]
    assert contract_rows(make_organization("outsider")) == ()


def test_prices_in_force_and_announced_are_shown_and_past_ones_are_not(world: World) -> None:
    assert world.book is not None
    for at, price in ((NOON, "2"), (APRIL, "3")):
        publish_price_version(
            book=world.book,
            effective_at=at,
            token_prices={(MODEL, "input"): Decimal(price), (MODEL, "output"): Decimal(9)},
            gpu_prices={H100: Decimal("2.35")},
            now=MARCH,
        )
    rows = price_rows(world.tenant, NOON)
    tokens = [row for row in rows if row.model == MODEL]
    assert [(row.version, row.in_force, row.per_mtok["input"]) for row in tokens] == [
        (2, True, Decimal(2)),
        (3, False, Decimal(3)),
    ]
    assert [row.per_gpu_hour for row in rows if row.model == H100] == [Decimal("2.35")] * 2
    assert price_rows(world.provider, NOON) == rows
    assert price_rows(make_organization("outsider"), NOON) == ()


def test_a_model_s_tiers_stand_beside_its_prices() -> None:
    world = make_world(tokens={(MODEL, "input"): "1", (MODEL, "output"): "2"}, tiers={(MODEL, "input", 200_000): "3"})
    [row] = price_rows(world.tenant, NOON)
    assert row.per_mtok == {"input": Decimal(1), "output": Decimal(2)}
    assert row.tiers == {200_000: {"input": Decimal(3)}}


def test_the_number_of_queries_does_not_grow(
    django_assert_max_num_queries: DjangoAssertNumQueries, world: World
) -> None:
    for _ in range(3):
        more = make_world(tokens={(MODEL, "input"): "1"}, parties=(world.provider, world.tenant))
        more.lease(1)
        more.share()
    with django_assert_max_num_queries(4):
        assert len(contract_rows(world.tenant)) == 4
    with django_assert_max_num_queries(4):
        assert len(price_rows(world.tenant, NOON)) == 4
