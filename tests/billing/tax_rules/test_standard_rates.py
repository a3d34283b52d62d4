"""The built-in rates: every member state, in order, within bounds; the changes that are known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from billing.tax_rules.deciding import known_rates
from billing.tax_rules.standard_rates import FIRST_DAY, STANDARD_RATES
from tenants.tax_ids import COUNTRIES, EU_COUNTRIES


def test_every_member_state_has_rates_in_order_from_the_first_day() -> None:
    assert EU_COUNTRIES < set(STANDARD_RATES) <= COUNTRIES
    for country, steps in STANDARD_RATES.items():
        days = [day for day, _percent in steps]
        assert days == sorted(set(days)), country
        assert days[0] == FIRST_DAY, country
        assert all(Decimal(5) <= percent <= 27 for _day, percent in steps), country
        assert all(before[1] != after[1] for before, after in pairwise(steps)), country


@pytest.mark.parametrize(
    ("country", "day", "percent"),
    [
        ("DE", "2026-11-22", "19"),
        ("IE", "2021-02-28", "21"),
        ("IE", "2021-03-01", "23"),
        ("FI", "2024-08-31", "24"),
        ("FI", "2024-09-01", "25.5"),
        ("EE", "2023-12-31", "20"),
        ("EE", "2025-06-30", "22"),
        ("EE", "2025-07-01", "24"),
        ("SK", "2025-01-01", "23"),
        ("RO", "2025-07-31", "19"),
        ("RO", "2025-08-01", "21"),
        ("LU", "2023-06-01", "16"),
        ("LU", "2024-01-01", "17"),
        ("CH", "2024-01-01", "8.1"),
    ],
)
def test_a_rate_holds_from_its_day(country: str, day: str, percent: str) -> None:
    on = date.fromisoformat(day)
    found = [rate.percent for rate in known_rates(country) if rate.from_on <= on]
    assert found[-1] == Decimal(percent)


def test_only_the_countries_asked_for_are_told() -> None:
    assert {rate.country for rate in known_rates("DE", "FI", "DE", "US")} == {"DE", "FI"}
    assert known_rates("US") == ()
