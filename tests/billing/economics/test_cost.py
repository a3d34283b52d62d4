"""The owner's figures and the arithmetic from them to an amount."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.economics.cost import CardCost, CostRates, WrongCost, hours_of_month, rates_at

AT = datetime(2026, 3, 1, tzinfo=UTC)
RATES = CostRates(
    effective_at=AT,
    currency="USD",
    power_price_per_kwh=Decimal("0.10"),
    pue=Decimal("1.25"),
    rent_per_month=Decimal(7440),
    overhead_per_month=Decimal(3720),
    grid_g_per_kwh=Decimal(400),
    cards={"H100": CardCost(Decimal(35064), 1461)},
)


def test_a_card_is_written_off_evenly_over_its_life() -> None:
    an_hour = RATES.gpu_per_ms("H100")
    assert an_hour is not None
    assert an_hour * 3_600_000 == 1  # 35,064 over 1,461 days of 24 hours


def test_a_card_without_a_figure_is_unknown_not_free() -> None:
    assert RATES.gpu_per_ms("B200") is None


def test_rent_and_overhead_are_even_over_the_hours_of_their_month() -> None:
    assert RATES.rent_of_hour(AT) == 10
    assert RATES.overhead_of_hour(AT) == 5
    assert hours_of_month(datetime(2028, 2, 29, 23, tzinfo=UTC)) == 29 * 24


def test_energy_is_paid_with_all_that_the_site_takes_for_it() -> None:
    ten_kwh = 36_000_000_000
    assert RATES.energy_amount(ten_kwh) == Fraction(5, 4)
    assert RATES.carbon_g(ten_kwh) == 5_000
    assert replace(RATES, grid_g_per_kwh=None).carbon_g(ten_kwh) is None


def test_the_rates_that_began_last_are_in_force() -> None:
    later = replace(RATES, effective_at=AT + timedelta(days=3))
    assert rates_at([later, RATES], AT - timedelta(seconds=1)) is None
    assert rates_at([later, RATES], AT) is RATES
    assert rates_at([later, RATES], later.effective_at) is later


def test_figures_that_can_be_pass() -> None:
    RATES.check()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"effective_at": AT + timedelta(minutes=1)}, "effective_at"),
        ({"effective_at": AT.astimezone(timezone(timedelta(minutes=30)))}, "effective_at"),
        ({"effective_at": AT.replace(tzinfo=None)}, "effective_at"),
        ({"power_price_per_kwh": Decimal(-1)}, "power_price_per_kwh"),
        ({"rent_per_month": Decimal("NaN")}, "rent_per_month"),
        ({"overhead_per_month": Decimal("1e13")}, "overhead_per_month"),
        ({"pue": Decimal("0.9")}, "pue"),
        ({"pue": Decimal(11)}, "pue"),
        ({"grid_g_per_kwh": Decimal(-1)}, "grid_g_per_kwh"),
        ({"cards": {"H100": CardCost(Decimal(-1), 10)}}, "cards.H100.capex_per_gpu"),
        ({"cards": {"H100": CardCost(Decimal(1), 0)}}, "cards.H100.life_days"),
    ],
)
def test_figures_that_cannot_be_are_refused_with_field_reason_and_example(
    change: dict[str, object], field: str
) -> None:
    with pytest.raises(WrongCost) as refused:
        replace(RATES, **change).check()  # type: ignore[arg-type] # fields are varied by name
    assert refused.value.field == field
    assert refused.value.reason
    assert refused.value.example in str(refused.value)
