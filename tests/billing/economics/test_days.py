"""A cluster's day: workload + idle + overhead = total."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.cost import CardCost, CostRates
from billing.economics.days import IDLE, UseCost, cost_of_day, share_amount
from billing.economics.uses import NodeHour, Tokens, Use, UseKind
from billing.money import exact_sum, to_charge
from tests.examples import examples

DAY = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = [DAY + timedelta(hours=hour) for hour in range(24)]
MS = 3_600_000
RATES = CostRates(
    effective_at=DAY - timedelta(days=30),
    currency="USD",
    power_price_per_kwh=Decimal("0.10"),
    pue=Decimal("1.25"),
    rent_per_month=Decimal(7440),
    overhead_per_month=Decimal(3720),
    grid_g_per_kwh=Decimal(400),
    cards={"H100": CardCost(Decimal(35064), 1461)},
)
KWH = 3_600_000_000


def by_use(rows: list[UseCost]) -> dict[Use, UseCost]:
    return {row.use: row for row in rows}


def a_node(hour: datetime, **given_: object) -> NodeHour:
    return NodeHour(**{"node": "n", "hour_at": hour, "capacity_ms": {"H100": 2 * MS}, **given_})  # type: ignore[arg-type] # fields are varied by name


def test_a_day_half_of_which_is_held() -> None:
    nodes = [
        a_node(
            hour, held_ms={("alice", "H100"): MS}, energy_mj={"alice": KWH, "": KWH}, metered_ms={"alice": MS, "": MS}
        )
        for hour in HOURS
    ]
    rows = by_use(cost_of_day(HOURS, nodes, [RATES]))
    held = rows[Use(UseKind.HELD, "alice", "H100")]
    # 24 GPU-hours at 1.00 and half of the day's rent of 240; 24 kWh at the cards are 30 at the meter.
    assert (held.gpu_cost, held.energy_cost, held.overhead_cost) == (Decimal(144), Decimal(3), Decimal(60))
    assert held.carbon_g == 12_000
    assert rows[IDLE].gpu_cost == 144
    assert exact_sum(row.gpu_cost for row in rows.values()) == 48 + 240


def test_a_site_without_cards_costs_its_rent_and_overhead_idle() -> None:
    rows = cost_of_day(HOURS, [], [RATES])
    assert [(row.use, row.gpu_cost, row.energy_cost, row.overhead_cost) for row in rows] == [
        (IDLE, Decimal(240), None, Decimal(120))
    ]


def test_before_the_first_rates_the_cost_is_unknown() -> None:
    later = replace(RATES, effective_at=DAY + timedelta(days=1))
    nodes = [a_node(HOURS[0], energy_mj={"": KWH}, metered_ms={"": MS})]
    (row,) = cost_of_day(HOURS, nodes, [later])
    assert (row.gpu_ms, row.costed_ms, row.gpu_cost, row.carbon_g) == (2 * MS, 0, Decimal(0), None)


def test_unknown_cards_energy_and_grid_are_counted_as_unknown() -> None:
    rates = replace(RATES, cards={}, grid_g_per_kwh=None)
    dark, metered = a_node(HOURS[0]), a_node(HOURS[1], energy_mj={"": KWH}, metered_ms={"": MS})
    (row,) = cost_of_day(HOURS, [dark, metered], [rates])
    assert (row.gpu_ms, row.costed_ms, row.metered_ms) == (4 * MS, 0, MS)
    assert row.carbon_g is None
    (unmetered,) = cost_of_day(HOURS, [dark], [RATES])
    assert (unmetered.energy_cost, unmetered.carbon_g) == (None, None)


def test_a_new_rate_counts_from_its_hour_on() -> None:
    dearer = replace(RATES, effective_at=HOURS[12], rent_per_month=Decimal(14880))
    (row,) = cost_of_day(HOURS, [], [RATES, dearer])
    assert row.gpu_cost == 12 * 10 + 12 * 20


prices = st.decimals(0, 10**6, places=6)


@settings(max_examples=examples(25))
@given(
    rates=st.builds(
        CostRates,
        effective_at=st.just(DAY),
        currency=st.just("USD"),
        power_price_per_kwh=prices,
        pue=st.decimals(1, 3, places=3),
        rent_per_month=prices,
        overhead_per_month=prices,
        grid_g_per_kwh=st.decimals(0, 1000, places=1),
        cards=st.just({"H100": CardCost(Decimal(31000), 1461)}),
    ),
    held=st.lists(st.integers(0, 2 * MS), min_size=3, max_size=3),
    energy=st.integers(0, 10**12),
)
def test_the_uses_cost_what_the_cluster_costs_to_the_last_decimal(
    rates: CostRates, held: list[int], energy: int
) -> None:
    nodes = [
        a_node(
            HOURS[index],
            held_ms={(f"tenant-{index}", "H100"): ms},
            energy_mj={"": energy},
            metered_ms={"": 2 * MS},
            tokens={("other", "big"): Tokens(input=7)} if index else {},
        )
        for index, ms in enumerate(held)
    ]
    rows = cost_of_day(HOURS, nodes, [rates])
    cards = Fraction(31000) / (1461 * 24 * MS) * 6 * MS
    rent = sum((rates.rent_of_hour(hour) for hour in HOURS), Fraction(0))
    assert exact_sum(row.gpu_cost for row in rows) == to_charge(cards + rent)
    assert exact_sum(row.energy_cost or Decimal(0) for row in rows) == to_charge(rates.energy_amount(3 * energy))
    overhead = sum((rates.overhead_of_hour(hour) for hour in HOURS), Fraction(0))
    assert exact_sum(row.overhead_cost for row in rows) == to_charge(overhead)


@settings(max_examples=examples(25))
@given(
    amount=st.decimals(-(10**12), 10**12, places=18), weights=st.lists(st.integers(1, 10**12), min_size=1, max_size=6)
)
def test_an_amount_shared_out_sums_to_itself(amount: Decimal, weights: list[int]) -> None:
    assert exact_sum(share_amount(amount, weights)) == amount
