"""What a provider earned and spent, grouped four ways with one sum."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.margins import sum_day
from billing.models import MarginRow
from billing.money import exact_sum
from billing.queries.margin import Figures, Grouping, daily, margin, revenue_of, total_of
from tests import factories
from tests.billing.costly import AT, DAY, RATES, Costly, enter, make_costly
from tests.billing.world import H100, MODEL
from tests.examples import examples
from tests.kept import kept

FIRST, FIFTH, LAST = date(2026, 3, 1), date(2026, 3, 5), date(2026, 3, 31)


def summed(*, costs: bool = True) -> Costly:
    costly = make_costly()
    if costs:
        enter(costly.cluster)
    for day in (FIFTH, FIFTH + DAY):
        sum_day(provider_id=costly.world.provider.id, day=day, now=AT + 2 * DAY)
    return costly


costly = kept(summed)


@pytest.mark.django_db
def test_sums_agree_across_groupings_and_add_up_to_the_cost() -> None:
    provider = summed().world.provider
    found = [margin(provider, FIRST, LAST, by=by) for by in Grouping]
    assert len({one.total for one in found}) == 1
    assert len({(one.idle, one.workload_cost, one.idle_cost) for one in found}) == 1
    whole = found[0]
    assert whole.total.revenue == 58
    parts = [whole.workload_cost, whole.idle_cost, whole.overhead_cost]
    assert exact_sum(part for part in parts if part is not None) == whole.cost == whole.total.cost
    assert None not in parts
    assert whole.total.cost == 96 + Decimal("0.375") + 48


@pytest.mark.django_db
def test_lines_have_their_names_and_idle_time_is_one_of_its_own(costly: Costly) -> None:
    models = margin(costly.world.provider, FIRST, LAST)
    assert [(line.key, line.kind) for line in models.lines] == [(H100, ""), (MODEL, ""), ("", "idle")]
    tenants = margin(costly.world.provider, FIRST, LAST, by=Grouping.TENANT)
    assert {line.key for line in tenants.lines} == {
        costly.world.tenant.slug,
        f"buyer-{costly.node.name}",
        "",
    }
    assert [line.key for line in margin(costly.world.provider, FIRST, LAST, by=Grouping.DAY).lines] == [
        "2026-03-05",
        "2026-03-06",
    ]


@pytest.mark.django_db
def test_idle_time_and_revenue_are_what_their_rows_come_to(costly: Costly) -> None:
    provider = costly.world.provider
    rows = MarginRow.objects.filter(provider=provider)
    idle = rows.filter(kind="idle").aggregate(cost=Sum("gpu_cost"), energy=Sum("energy_cost"), ms=Sum("gpu_ms"))
    for by in Grouping:
        found = margin(provider, FIRST, LAST, by=by)
        assert (found.idle.gpu_cost, found.idle.energy_cost, found.idle.gpu_ms) == tuple(idle.values())
        assert found.idle.revenue == 0 < found.idle.gpu_ms
    for first, last in ((FIRST, LAST), (FIFTH, FIFTH), (LAST, LAST)):
        assert revenue_of(provider, first, last, currency="USD") == margin(provider, first, last).total.revenue
    assert revenue_of(provider, FIRST, LAST, currency="EUR") == 0


@pytest.mark.django_db
def test_a_cluster_and_a_model_can_be_chosen(costly: Costly) -> None:
    provider = costly.world.provider
    assert margin(provider, FIRST, LAST, model=MODEL).total.revenue == 10
    assert margin(provider, FIRST, LAST, cluster_slug=costly.cluster.slug).total.revenue == 58
    assert margin(provider, FIRST, LAST, cluster_slug="nowhere").total.revenue == 0
    assert margin(provider, FIRST, LAST, currency="EUR").elsewhere == (("USD", Decimal(58)),)


@pytest.mark.django_db
def test_each_models_days_are_there_for_the_small_lines(costly: Costly) -> None:
    by_day = daily(costly.world.provider, FIRST, LAST, currency="USD")
    assert by_day[MODEL][FIFTH].revenue == 10
    assert set(by_day[H100]) == {FIFTH}


@pytest.mark.django_db
def test_a_provider_without_rows_has_nothing_and_another_sees_nothing() -> None:
    summed()
    other = factories.make_organization("other", is_provider=True)
    nothing = margin(other, FIRST, LAST)
    assert (nothing.lines, nothing.total, nothing.currency) == ((), Figures(), "USD")


def test_figures_per_unit() -> None:
    figures = Figures(
        revenue=Decimal(10), gpu_cost=Decimal(4), energy_cost=Decimal(1), overhead_cost=Decimal(3), gpu_ms=7_200_000,
        costed_ms=7_200_000, metered_ms=7_200_000, energy_mj=7_200_000_000, input_tokens=3_000_000,
        output_tokens=1_000_000,
    )  # fmt: skip
    assert figures.cost == 8
    assert figures.profit == 2
    assert figures.margin == Fraction(1, 5)
    assert figures.per_mtok(figures.cost) == 2
    assert figures.per_gpu_hour(figures.revenue) == 5
    assert figures.tokens_per_unit == 500_000
    assert figures.tokens_per_gpu_hour == 2_000_000
    assert figures.tokens_per_kwh == 2_000_000
    assert figures.metered_share == 1


def test_what_is_not_known_is_none_and_never_a_figure() -> None:
    nothing = Figures()
    assert nothing.margin is nothing.metered_share is nothing.tokens_per_gpu_hour is nothing.tokens_per_kwh is None
    assert nothing.per_mtok(Decimal(1)) is nothing.per_gpu_hour(Decimal(1)) is nothing.tokens_per_unit is None
    partly = Figures(gpu_cost=Decimal(4), gpu_ms=2, costed_ms=1, metered_ms=1, energy_mj=5, input_tokens=1)
    assert partly.tokens_per_unit is partly.tokens_per_kwh is partly.per_mtok(partly.energy_cost) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"costed_ms": 9},
        {"costed_ms": 0, "gpu_cost": Decimal(0)},
        {"uncosted_rows": 1},
        {"gpu_ms": 0, "costed_ms": 0, "gpu_cost": Decimal(0)},
    ],
)
def test_one_unknown_cost_leaves_no_profit_and_no_margin(changed: dict[str, Any]) -> None:
    known = Figures(revenue=Decimal(5), gpu_cost=Decimal(4), gpu_ms=10, costed_ms=10)
    assert known.profit == 1
    assert known.margin == Fraction(1, 5)
    assert known.known_gpu_cost == 4
    unknown = replace(known, **changed)
    assert unknown.profit is None
    assert unknown.margin is None
    assert total_of([known, unknown]).cost_known == (unknown.gpu_ms == 0)
    assert unknown.known_gpu_cost == (4 if unknown.gpu_cost else None)


def test_rent_of_a_cluster_without_cards_is_a_known_cost() -> None:
    empty = Figures(gpu_cost=Decimal(4), overhead_cost=Decimal(2))
    assert empty.profit == -6
    assert empty.margin is None
    assert empty.known_overhead_cost == 2
    assert Figures().known_overhead_cost is Figures().known_gpu_cost is Figures().profit is None


@pytest.mark.django_db
def test_without_costs_every_sum_of_costs_is_unknown_however_grouped() -> None:
    provider = summed(costs=False).world.provider
    for by in Grouping:
        found = margin(provider, FIRST, LAST, by=by)
        assert found.total.revenue == 58
        assert (found.cost, found.workload_cost, found.idle_cost, found.overhead_cost) == (None,) * 4
        assert {line.figures.profit for line in found.lines} == {found.total.profit} == {None}
        assert found.total.energy_cost is None


@pytest.mark.django_db
def test_what_is_earned_on_a_cluster_with_costs_in_another_currency_has_no_profit() -> None:
    costly = summed(costs=False)
    other = factories.make_cluster(costly.world.provider)
    factories.make_accelerator(factories.make_node(other, "other"), 0)
    enter(costly.cluster, replace(RATES, currency="EUR"))
    enter(other, RATES)
    for day in (FIFTH, FIFTH + DAY):
        sum_day(provider_id=costly.world.provider.id, day=day, now=AT + 3 * DAY)
    dollars = margin(costly.world.provider, FIRST, LAST, currency="USD")
    assert dollars.total.revenue == 58
    assert dollars.total.uncosted_rows
    assert dollars.total.profit is dollars.cost is None


amounts = st.decimals(-(10**9), 10**9, places=18)
parts = st.builds(
    Figures,
    revenue=amounts,
    gpu_cost=amounts,
    energy_cost=st.none() | amounts,
    overhead_cost=amounts,
    gpu_ms=st.integers(0, 10**12),
    input_tokens=st.integers(0, 10**15),
)


@settings(max_examples=examples(25))
@given(st.lists(parts, max_size=6))
def test_figures_add_up_in_any_order(each: list[Figures]) -> None:
    total = total_of(each)
    assert total == total_of(each[::-1])
    assert total.cost == total_of([total]).cost
    assert total.gpu_ms == sum(one.gpu_ms for one in each)
    assert (total.energy_cost is None) == all(one.energy_cost is None for one in each)
