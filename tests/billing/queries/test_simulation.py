"""Real usage at other prices, read from the database: as billed is exactly what is charged."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from billing.charging import charge_period, ensure_periods
from billing.contracting import add_term
from billing.economics.repricing import at_percent, unchanged
from billing.margins import sum_day
from billing.models import Charge
from billing.money import exact_sum
from billing.queries.simulation import TooManyPeriods, simulate, version_changes
from billing.rating.price_rules import PriceLock, PriceRule
from tests import factories
from tests.billing.costly import AT, DAY, Costly, enter, make_costly
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, make_world
from tests.factories import make_price_version
from tests.kept import kept

pytestmark = pytest.mark.django_db


of_march = partial(simulate, from_at=MARCH, to_at=APRIL)


def made() -> Costly:
    costly = make_costly()
    enter(costly.cluster)
    for back in range(2):
        day = (AT + back * DAY).date()
        sum_day(provider_id=costly.world.provider.id, day=day, now=AT + 2 * DAY)
    return costly


costly = kept(made)


def test_per_tenant_and_model_what_was_billed_what_it_would_be_and_the_margin(costly: Costly) -> None:
    raised = at_percent(34)
    found = simulate(costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: raised)
    assert (found.periods, found.contracts, found.currency) == (2, 2, "USD")
    lines = {line.model: line for line in found.lines}
    tokens, lease = lines[MODEL], lines[H100]
    assert (tokens.old, tokens.new, tokens.change) == (Decimal(10), Decimal("13.4"), Decimal("3.4"))
    assert tokens.stress == (Decimal("20.1"), Decimal("26.8"), Decimal("40.2"))
    assert tokens.cost == Decimal("1.75")
    assert (lease.old, lease.new) == (Decimal(48), Decimal(48))  # an agreed rate
    assert found.total.old == exact_sum(Charge.objects.values_list("amount", flat=True))
    assert [one.tenant_slug for one in found.tenants] == sorted(one.tenant_slug for one in found.tenants)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tokens=st.lists(st.tuples(st.integers(0, 700), st.integers(1, 10**12)), min_size=1, max_size=5))
def test_what_is_simulated_unchanged_is_what_is_charged(tokens: list[tuple[int, int]], db: None) -> None:
    world = make_world(tokens={(MODEL, "input"): "0.37", (MODEL, "output"): "1.10"})
    shared = world.share(percent="33.3333")
    for index, (hour, count) in enumerate(tokens):
        shared.use({"input": count, "output": count // 3}, at=MARCH + hour * HOUR, version=index + 1)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=MARCH + 20 * DAY, now=APRIL)
    found = simulate(world.provider, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: unchanged)
    charged = exact_sum(Charge.objects.filter(period__contract=world.contract).values_list("amount", flat=True))
    assert found.total.old == found.total.new == charged


def test_nothing_is_written_and_the_queries_do_not_grow_with_contracts(
    django_assert_max_num_queries: DjangoAssertNumQueries, costly: Costly
) -> None:
    before = Charge.objects.count()
    with django_assert_max_num_queries(16):
        simulate(costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: unchanged)
    assert Charge.objects.count() == before


def test_a_version_is_in_force_throughout_for_who_floats_and_not_for_who_locked(costly: Costly) -> None:
    book = costly.world.book
    assert book is not None
    version = make_price_version(
        book, number=2, effective_at=APRIL, tokens={(MODEL, "input"): "20", (MODEL, "output"): "20"}
    )
    found = simulate(
        costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=version_changes(version), book_id=book.id
    )
    assert found.total.new - found.total.old == 10
    rule = PriceRule(lock=PriceLock(from_at=MARCH))
    add_term(contract=costly.world.contract, wording=rule, from_at=MARCH, to_at=None, now=MARCH, title="rule")
    locked = simulate(
        costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=version_changes(version), book_id=book.id
    )
    assert locked.total.new == locked.total.old


def test_a_rule_with_notice_gives_the_prices_once_they_take_effect(costly: Costly) -> None:
    book = costly.world.book
    assert book is not None
    version = make_price_version(
        book, number=2, effective_at=APRIL, tokens={(MODEL, "input"): "20", (MODEL, "output"): "20"}
    )
    rule = PriceRule(notice_days=90)
    add_term(contract=costly.world.contract, wording=rule, from_at=MARCH, to_at=None, now=MARCH, title="rule")
    found = simulate(
        costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=version_changes(version), book_id=book.id
    )
    assert found.total.new - found.total.old == 10


def test_a_month_is_that_of_the_contract_s_own_clock() -> None:
    world = make_world(tokens={(MODEL, "input"): "1"}, time_zone="Europe/Berlin", from_at=MARCH - HOUR)
    world.share().use({"input": 1_000_000}, at=MARCH)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period(MARCH - HOUR).id, up_to=MARCH + DAY, now=APRIL)
    by_own, by_utc = (
        of_march(world.provider, change_of=lambda _contract: unchanged, own_days=own) for own in (True, False)
    )
    assert (by_own.periods, by_utc.periods) == (1, 0)


def test_without_costs_the_margin_is_unknown() -> None:
    costly = make_costly()
    found = simulate(costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: unchanged)
    assert {line.cost for line in found.lines} == {None}
    assert found.total.margin is None


def test_only_the_providers_own_periods_of_the_window_and_no_more_than_asked_for(costly: Costly) -> None:
    other = factories.make_organization("other", is_provider=True)
    assert simulate(other, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: unchanged).periods == 0
    later = MARCH + timedelta(seconds=1)
    assert (
        simulate(costly.world.provider, from_at=later, to_at=APRIL, change_of=lambda _contract: unchanged).periods == 0
    )
    one = simulate(
        costly.world.provider,
        from_at=MARCH,
        to_at=APRIL,
        change_of=lambda _contract: unchanged,
        contract_id=costly.world.contract.id,
        currency="USD",
    )
    assert one.contracts == 1
    with pytest.raises(TooManyPeriods) as refused:
        simulate(
            costly.world.provider, from_at=MARCH, to_at=APRIL, change_of=lambda _contract: unchanged, periods_max=1
        )
    assert refused.value.count == 2
