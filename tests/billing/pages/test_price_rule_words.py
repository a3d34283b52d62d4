"""A price rule is said in words: each part, its times in the contract's zone, its own prices with their units."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from billing.pages.price_rule_words import rule_words
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import FLOAT, PriceLock, PricePin, PriceRule, RiseCap
from tests.factories import make_organization, make_price_book, make_price_version

FROM = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
END = datetime(2027, 3, 1, 23, 30, tzinfo=UTC)


def words(rule: PriceRule | None) -> dict[str, str]:
    return rule_words(rule, "Europe/Berlin", "USD", "en")


def test_no_rule_says_nothing_and_one_that_floats_says_so() -> None:
    assert words(None) == {}
    assert words(FLOAT) == {"prices": "as the price book's version in force"}


@pytest.mark.parametrize(("days", "said"), [(1, "1 day after it is announced"), (30, "30 days after it is announced")])
def test_notice(days: int, said: str) -> None:
    assert words(PriceRule(notice_days=days)) == {"a price rise holds at the earliest": said}


def test_a_lock_is_told_in_the_contract_s_zone_with_its_end() -> None:
    [said] = words(PriceRule(lock=PriceLock(from_at=FROM, to_at=END))).values()
    assert said.count("Mar") == 2
    assert "2, 2026" in said
    assert "00:30" in said or "12:30" in said
    [endless] = words(PriceRule(lock=PriceLock(from_at=FROM))).values()
    assert endless.endswith("as long as the contract runs")


@pytest.mark.django_db
def test_a_pin_names_the_number_of_the_version_or_its_id_where_there_is_none() -> None:
    version = make_price_version(make_price_book(make_organization("p", is_provider=True)), number=7)
    [said] = words(PriceRule(pin=PricePin(price_version_id=version.id))).values()
    assert said == "version 7, as long as the contract runs"
    [unknown] = words(PriceRule(pin=PricePin(price_version_id=UUID(int=0), to_at=END))).values()
    assert str(UUID(int=0)) in unknown


def test_a_cap_and_own_prices() -> None:
    rule = PriceRule(
        rise_cap=RiseCap(percent_per_year=Decimal("4.50"), from_at=FROM),
        overrides=(
            PriceRow(model="sample", quantity="output", price_per_mtok=Decimal("0.50")),
            PriceRow(model="H100", price_per_gpu_hour=Decimal(0)),
        ),
    )
    said = words(rule)
    assert said["a price rises at most by"].startswith("4.5% within a year, counted from")
    prices = {name: text for name, text in said.items() if name.startswith("own price")}
    assert len(prices) == 2
    assert any(
        "sample" in name and "per 1M tokens" in name and text.startswith("$0.5") for name, text in prices.items()
    )
    assert any("H100" in name and "per GPU-hour" in name and text.startswith("$0") for name, text in prices.items())
