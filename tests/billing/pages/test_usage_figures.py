"""Key figures, notices and checks of the usage page, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec import structs

from billing.pages.periods import read_period
from billing.pages.usage_figures import (
    day_kpis,
    kpis,
    lease_hours,
    model_prices,
    part_notice,
    tier_prices,
    unpriced_notice,
    witness_checks,
)
from billing.queries.usage import LeaseRow, UnpricedRow
from billing.queries.usage_sheet import Chosen
from billing.queries.witnesses import WitnessRow
from billing.rating.rated import UnpricedReason
from billing.token_counts import TokenCounts
from metering.models import Witness
from tests.billing.pages.test_usage_charts import MARCH, row, sheet

LEASE = LeaseRow("C-1", "L-1", "", "sample", Decimal(5400), None, Decimal("3.00"))


def witnesses(billed: int | None, control: int | None, *, tolerance: str = "1") -> WitnessRow:
    return WitnessRow("sample", "T-1", Witness.GATEWAY, billed, control, Decimal(tolerance))


def unpriced(reason: str = UnpricedReason.NO_PRICE, quantity: int = 1500, unit: str = "tokens") -> UnpricedRow:
    return UnpricedRow("C-1", "T-1", "sample", "input", Decimal(quantity), unit, reason)


@pytest.mark.parametrize(
    ("billed", "control", "state", "said"),
    [
        (100, 100, "good", "both counted 100 tokens"),
        (101, 100, "good", "1 more (1.00%; 1.00% is allowed)"),
        (102, 100, "bad", "2 more (2.00%; 1.00% is allowed)"),
        (99, 100, "good", "1 fewer (1.00%"),
        (98, 100, "bad", "2 fewer (2.00%"),
        (5, 0, "bad", "5 more (–;"),
        (7, None, "unknown", "Only the gateway counted (7 tokens); the engine has"),
        (None, 8, "unknown", "Only the engine counted (8 tokens); the gateway has"),
    ],
)
def test_two_counts_are_compared_in_words(billed: int | None, control: int | None, state: str, said: str) -> None:
    [check] = witness_checks([witnesses(billed, control)])
    assert (check.state, check.title) == (state, "sample · T-1")
    assert said in check.text


def test_the_witness_that_bills_is_named_first() -> None:
    row_of_engine = replace(witnesses(3, 2, tolerance="100"), billed_by=Witness.ENGINE)
    [check] = witness_checks([row_of_engine])
    assert check.text.startswith("The engine, which bills, counted 3 tokens, the gateway 2: 1 more")


def test_usage_without_a_price_is_shouted_once_per_model() -> None:
    notice = unpriced_notice([unpriced(), unpriced(), unpriced(quantity=7200, unit="gpu_seconds")], "en")
    assert notice is not None
    assert (notice.tone, notice.strong) == ("bad", "3.0K tokens, 2.00 GPU-hours without a price.")
    assert notice.text.startswith("sample (C-1): metered and kept")


def test_a_part_that_exceeds_its_whole_is_not_missing_a_price() -> None:
    assert unpriced_notice([], "en") is None
    assert unpriced_notice([unpriced(UnpricedReason.PART_EXCEEDS_WHOLE)], "en") is None


def test_a_part_of_a_period_is_said_to_be_one() -> None:
    overview = sheet(row(1)).overview
    assert part_notice(overview) is None
    said = part_notice(replace(overview, is_part=True))
    assert said is not None
    assert "The invoice of the period decides" in said.text


def test_prices_are_said_by_class_and_a_missing_one_is_a_dash() -> None:
    prices = {"input": Decimal("0.5"), "output": Decimal(2)}
    assert model_prices(prices, "USD", "en") == "$0.50 / – / $2.00"
    tiers = tier_prices({200_000: prices, 32_000: {}}, "USD", "en")
    assert [text.split(":")[0] for text in tiers] == ["over 32,000", "over 200,000"]
    assert lease_hours(LEASE) == "1.50"


def test_a_month_that_runs_says_so_and_compares_with_the_month_before() -> None:
    shown = sheet(row(1, amount="15.00"))
    [cost, tokens, cache] = kpis(shown, MARCH, Decimal(10), "en")
    assert (cost.title, tokens.title, cache.title) == ("Month to date", "Tokens", "Cache hit rate")
    assert (cost.lead, cost.foot_strong) == (True, "+50.0%")
    assert cost.foot == "against 1–February 18, 2026"
    assert (cache.value, cache.foot) == ("0.0", "of input tokens")


@pytest.mark.parametrize(("before", "strong"), [("1.50", "$1.50"), ("1.51", "+893.4%"), ("0", ""), (None, "")])
def test_beyond_ten_times_the_sum_before_says_more_than_the_change(before: str | None, strong: str) -> None:
    cost = kpis(sheet(row(1, amount="15.00")), MARCH, None if before is None else Decimal(before), "en")[0]
    assert cost.foot_strong == strong
    assert bool(cost.foot) is bool(strong)


def test_a_span_that_is_no_month_has_nothing_to_compare_with() -> None:
    days = read_period({"from": "2026-03-01", "to": "2026-03-05"}, "UTC", datetime(2026, 3, 18, tzinfo=UTC))
    cost = kpis(sheet(row(1, amount="15.00")), days, Decimal(10), "en")[0]
    assert (cost.title, cost.foot, cost.foot_strong) == ("Cost", "", "")


def test_leases_have_a_figure_where_all_is_shown_and_none_under_one_model() -> None:
    shown = sheet()
    leased = replace(shown.overview, leases=(LEASE,), gpu_seconds=Decimal(7200), lease_amount=Decimal("4.00"))
    everything = replace(shown, overview=leased)
    held = kpis(everything, MARCH, None, "en")[-1]
    assert (held.title, held.value, held.foot) == ("GPU-hours", "2", "1 lease, $4.00")
    assert [figure.title for figure in kpis(replace(everything, chosen=Chosen(model="a")), MARCH, None, "en")] == [
        "Month to date",
        "Tokens",
    ]
    assert [figure.title for figure in day_kpis(everything, "en")] == ["Cost", "Tokens", "GPU-hours"]
    assert [figure.title for figure in day_kpis(shown, "en")] == ["Cost", "Tokens"]


def test_what_a_cache_saved_is_said_where_it_saved_something() -> None:
    cached = structs.replace(row(1), tokens=TokenCounts(input=100, cached_input=25, cache_write=3))
    shown = replace(sheet(cached), saved=Decimal("0.75"))
    [_cost, tokens, cache] = kpis(shown, MARCH, None, "en")
    assert (cache.value, cache.foot) == ("25.0", "saved $0.75")
    assert tokens.foot == "0 out · 75 in · 25 cached · 3 written to cache"
    assert kpis(replace(shown, saved=Decimal(-1)), MARCH, None, "en")[-1].foot == "of input tokens"
